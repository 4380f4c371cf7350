//! `mosaic chaos`: panics, stalls or stops children of a running daemon. Only in builds with the feature `chaos`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use mosaic_types::{point, poison};
use serde::Deserialize;
use serde_json::json;

use super::client::Client;
use super::output::print;
use super::{CliError, Common};

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Order {
    Panic,
    Stall,
    Stop,
}

#[derive(Debug, Args)]
pub(super) struct Chaos {
    /// The child's path below the root, such as `sessions/ID`; without it, children are drawn by the seed
    child: Option<String>,
    /// What to do to it
    #[arg(long, value_enum, default_value = "panic")]
    order: Order,
    /// How long a stall holds the child's thread, in milliseconds
    #[arg(long, default_value_t = 1_000, value_name = "MS")]
    stall: u64,
    /// Children drawn a second
    #[arg(long, default_value_t = 1.0)]
    rate: f64,
    /// The same seed draws the same way, as far as the tree is the same
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many are drawn
    #[arg(long, default_value_t = 60)]
    count: u32,
    /// Draw the writer, the router and the gateway too; four of those within a minute end the daemon with 70
    #[arg(long)]
    root: bool,
}

#[derive(Deserialize)]
struct Node {
    name: String,
    kind: String,
    #[serde(default)]
    children: Vec<Node>,
}

#[derive(Deserialize)]
struct Heard {
    heard: bool,
}

/// Names the kill point at which this process dies, as in `run.mid_stream:3`.
const DIE_AT: &str = "MOSAIC_DIE_AT";

/// Names a text that kills each run whose last input holds it.
const POISON: &str = "MOSAIC_POISON";

/// Arms the kill point and the poison that the environment names, in whatever command this is.
pub(super) fn arm() -> Result<(), CliError> {
    if let Ok(text) = std::env::var(POISON) {
        poison::brew(text);
    }
    match std::env::var(DIE_AT) {
        Ok(order) => point::arm(&order).map_err(|badly| CliError::Usage(format!("{DIE_AT}: {badly}"))),
        Err(_) => Ok(()),
    }
}

pub(super) async fn run(common: Common, chaos: Chaos) -> Result<(), CliError> {
    let client = Client::need(&common)?;
    if let Some(child) = &chaos.child {
        return match plant(&client, &chaos, child).await? {
            true => print(&format!("{child} heard it\n")),
            false => Err(CliError::Failed(format!("no child {child} lives; `mosaic tree` shows those that do"))),
        };
    }
    if !(chaos.rate > 0.0 && chaos.rate <= 1_000.0) {
        return Err(CliError::Usage("--rate is above 0 and at most 1000 a second".to_owned()));
    }
    let mut draw = chaos.seed;
    for _ in 0..chaos.count {
        tokio::time::sleep(Duration::from_secs_f64(1.0 / chaos.rate)).await;
        let root: Node = client.get("/api/v1/tree").await?;
        let children = actors(&root, chaos.root);
        // A linear congruential draw (Knuth, MMIX): enough to choose, and the same everywhere.
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let index = usize::try_from(draw >> 33).unwrap_or(0) % children.len().max(1);
        if let Some(child) = children.get(index) {
            let heard = plant(&client, &chaos, child).await?;
            print(&format!("{:?} {child}{}\n", chaos.order, if heard { "" } else { " (gone)" }))?;
        }
    }
    Ok(())
}

async fn plant(client: &Client, chaos: &Chaos, child: &str) -> Result<bool, CliError> {
    let order = format!("{:?}", chaos.order).to_lowercase();
    let fault = json!({"child": child, "order": order, "stall_ms": chaos.stall});
    Ok(client.post::<Heard>("/api/v1/chaos", &fault).await?.heard)
}

/// Paths of the actors; those of the root itself only where they are wanted.
fn actors(root: &Node, own: bool) -> Vec<String> {
    let of = |family: &Node| {
        let path = |child: &Node| format!("{}/{}", family.name, child.name);
        family.children.iter().map(path).collect::<Vec<_>>()
    };
    let (families, alone): (Vec<_>, Vec<_>) = root.children.iter().partition(|child| child.kind == "supervisor");
    let alone = alone.into_iter().filter(|_| own).map(|child| child.name.clone());
    families.into_iter().flat_map(of).chain(alone).collect()
}

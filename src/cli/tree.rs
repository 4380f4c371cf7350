//! `mosaic tree`: the supervisors of a running daemon and their children.

use std::io::IsTerminal;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::client::Client;
use super::output::{Out, one_line, print, span};
use super::{CliError, Common};

/// How often a watched tree is drawn.
const REDRAW: Duration = Duration::from_secs(1);

/// Clears the screen and goes to its corner (ECMA-48: ED 2, CUP).
const CLEAR: &str = "\x1b[2J\x1b[H";

#[derive(Debug, Args)]
pub(super) struct Tree {
    /// Draw it again every second, until Ctrl-C
    #[arg(long)]
    watch: bool,
}

/// A supervisor or an actor, as the daemon shows it.
#[derive(Debug, Serialize, Deserialize)]
struct Node {
    name: String,
    kind: String,
    state: String,
    incarnation: u64,
    restarts: u64,
    depth: u64,
    oldest_ms: i64,
    last_error: Option<String>,
    for_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    strategy: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spent: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    budget: Option<u64>,
    #[serde(default, skip_serializing)]
    children: Vec<Node>,
}

/// A child beside the names above it, for machines.
#[derive(Serialize)]
struct Line<'a> {
    parent: &'a str,
    #[serde(flatten)]
    child: &'a Node,
}

pub(super) async fn run(common: Common, tree: Tree) -> Result<(), CliError> {
    let client = Client::need(&common)?;
    if !tree.watch {
        return draw(&client, common.json).await;
    }
    let interrupted = tokio::signal::ctrl_c();
    let drawing = async {
        loop {
            let root: Node = client.get("/api/v1/tree").await?;
            if !common.json && std::io::stdout().is_terminal() {
                print(CLEAR)?;
            }
            show(&root, common.json)?;
            tokio::time::sleep(REDRAW).await;
        }
    };
    tokio::select! {
        _ = interrupted => Ok(()),
        ended = drawing => ended,
    }
}

async fn draw(client: &Client, json: bool) -> Result<(), CliError> {
    show(&client.get("/api/v1/tree").await?, json)
}

fn show(root: &Node, json: bool) -> Result<(), CliError> {
    let mut out = Out::new();
    if json {
        each(root, "", &mut |child, parent| out.json(&Line { parent, child }))?;
    } else {
        let mut rows = Vec::new();
        table(root, "", "", &mut rows);
        out.table(&["NAME", "STATE", "LIFE", "RESTARTS", "WAITING", "FOR", "LAST ERROR"], &rows)?;
    }
    out.end()
}

/// Every node with the path of those above it, from the root down.
fn each<'a>(
    node: &'a Node,
    parent: &str,
    tell: &mut dyn FnMut(&'a Node, &str) -> Result<(), CliError>,
) -> Result<(), CliError> {
    tell(node, parent)?;
    let path = if parent.is_empty() { node.name.clone() } else { format!("{parent}/{}", node.name) };
    node.children.iter().try_for_each(|child| each(child, &path, tell))
}

/// One row for the node and those below it; `lead` stands before its own name, `below` before its children's.
fn table(node: &Node, lead: &str, below: &str, rows: &mut Vec<Vec<String>>) {
    let restarts = match (node.spent, node.budget) {
        (Some(spent), Some(budget)) => format!("{} ({spent} of {budget} below)", node.restarts),
        _ => node.restarts.to_string(),
    };
    let waiting = match (node.depth, node.oldest_ms) {
        (0, _) => "0".to_owned(),
        (depth, 0) => depth.to_string(),
        (depth, oldest) => format!("{depth}, {oldest} ms"),
    };
    rows.push(vec![
        format!("{lead}{}", one_line(&node.name)),
        node.state.clone(),
        node.incarnation.to_string(),
        restarts,
        waiting,
        span(node.for_ms / 1_000),
        node.last_error.as_deref().map(one_line).unwrap_or_default(),
    ]);
    for (number, child) in node.children.iter().enumerate() {
        let last = number + 1 == node.children.len();
        let (branch, rest) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        table(child, &format!("{below}{branch}"), &format!("{below}{rest}"), rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, children: Vec<Node>) -> Node {
        let text = format!(
            r#"{{"name":"{name}","kind":"actor","state":"up","incarnation":1,"restarts":0,"depth":0,"oldest_ms":0,
                "last_error":null,"for_ms":0}}"#
        );
        Node { children, ..serde_json::from_str(&text).expect("it is a node") }
    }

    #[test]
    fn each_child_hangs_on_its_parent() {
        let low = node("providers", vec![node("ollama", Vec::new())]);
        let root = node("root", vec![node("writer", Vec::new()), low, node("router", Vec::new())]);
        let mut rows = Vec::new();
        table(&root, "", "", &mut rows);
        let names: Vec<_> = rows.iter().map(|row| row[0].as_str()).collect();
        assert_eq!(names, ["root", "├─ writer", "├─ providers", "│  └─ ollama", "└─ router"]);
        let mut paths = Vec::new();
        each(&root, "", &mut |child, parent| {
            paths.push(format!("{parent}:{}", child.name));
            Ok(())
        })
        .expect("nothing fails");
        assert_eq!(paths, [":root", "root:writer", "root:providers", "root/providers:ollama", "root:router"]);
    }
}

//! `mosaic tree`: the supervisors of a running daemon and their children.

use std::collections::BTreeMap;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::client::Client;
use super::output::{Out, one_line, span};
use super::{CliError, Common};

/// The supervisor above all others; it is shown first.
const ROOT: &str = "root";

#[derive(Debug, Args)]
pub(super) struct Tree {}

/// A child as the daemon shows it.
#[derive(Serialize, Deserialize)]
struct Child {
    name: String,
    state: String,
    incarnation: u64,
    restarts: u64,
    last_error: Option<String>,
    for_ms: i64,
}

/// A child beside the name of its supervisor, for machines.
#[derive(Serialize)]
struct Line<'a> {
    parent: &'a str,
    #[serde(flatten)]
    child: &'a Child,
}

pub(super) async fn run(common: Common, _: Tree) -> Result<(), CliError> {
    let mut tree: BTreeMap<String, Vec<Child>> = Client::need(&common)?.get("/api/v1/tree").await?;
    let mut parents: Vec<_> = tree.remove_entry(ROOT).into_iter().collect();
    parents.extend(tree);
    let mut out = Out::new();
    if common.json {
        let mut lines = parents.iter().flat_map(|(parent, kin)| kin.iter().map(move |child| Line { parent, child }));
        lines.try_for_each(|line| out.json(&line))?;
    } else {
        out.table(&["NAME", "STATE", "LIFE", "RESTARTS", "FOR", "LAST ERROR"], &rows(&parents))?;
    }
    out.end()
}

fn rows(parents: &[(String, Vec<Child>)]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for (parent, children) in parents {
        rows.push(vec![one_line(parent)]);
        rows.extend(children.iter().map(|child| {
            vec![
                format!("  {}", one_line(&child.name)),
                child.state.clone(),
                child.incarnation.to_string(),
                child.restarts.to_string(),
                span(child.for_ms / 1_000),
                child.last_error.as_deref().map(one_line).unwrap_or_default(),
            ]
        }));
        if children.is_empty() {
            rows.push(vec!["  (none)".to_owned()]);
        }
    }
    rows
}

//! Tools for tests, with an effect that can be counted: a line for each run in a file below the home.
//!
//! `plant_again` may run again and keeps to its key: the line is written once for each. `plant_once` may not.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mosaic_types::Point;
use mosaic_types::chat::ToolOffer;
use serde_json::{Value, json};

use crate::registry::Entry;
use crate::{Tool, Work};

/// The file that the effects are counted in.
pub const EFFECTS: &str = "tool-effects";

pub(crate) const AGAIN: Entry =
    Entry::new("plant_again", |ground| Arc::new(Plant { file: ground.home.join(EFFECTS), again: true }));
pub(crate) const ONCE: Entry =
    Entry::new("plant_once", |ground| Arc::new(Plant { file: ground.home.join(EFFECTS), again: false }));

struct Plant {
    file: PathBuf,
    again: bool,
}

impl Plant {
    fn name(&self) -> &'static str {
        if self.again { AGAIN.name } else { ONCE.name }
    }
}

fn add(file: &Path, line: &str) -> Result<(), String> {
    let opened = OpenOptions::new().create(true).append(true).open(file);
    opened.and_then(|mut file| file.write_all(line.as_bytes())).map_err(|error| error.to_string())
}

impl Tool for Plant {
    fn offer(&self) -> ToolOffer {
        ToolOffer {
            name: self.name().to_owned(),
            description: "Leaves a line in a file.".to_owned(),
            parameters: json!({"type": "object"}),
        }
    }

    fn repeatable(&self) -> bool {
        self.again
    }

    fn run<'a>(&'a self, arguments: &'a str, key: &'a str) -> Work<'a> {
        Box::pin(async move {
            let asked: Value = serde_json::from_str(arguments).map_err(|error| error.to_string())?;
            let line = format!("{} {key}\n", self.name());
            let known = self.again && std::fs::read_to_string(&self.file).is_ok_and(|kept| kept.contains(&line));
            if !known {
                add(&self.file, &line)?;
            }
            Point::ToolDuring.pass();
            let wait = asked["wait_ms"].as_u64().unwrap_or_default();
            if wait > 0 && !known {
                tokio::time::sleep(Duration::from_millis(wait)).await;
            }
            Ok(if known { "It was done before." } else { "It is done." }.to_owned())
        })
    }
}

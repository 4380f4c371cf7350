//! What time it is.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use mosaic_types::Outside;
use mosaic_types::chat::ToolOffer;
use serde::Deserialize;
use serde_json::json;

use crate::registry::Entry;
use crate::{Tool, Work};

pub(crate) const ENTRY: Entry = Entry::new(NAME, |ground| Arc::new(Clock::new(ground.outside.clone())));

const NAME: &str = "clock";

/// Reads the daemon's clock. It has no effect, so it may be run again.
#[derive(Debug)]
pub struct Clock {
    outside: Outside,
}

/// What a model writes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    zone: Option<String>,
}

impl Clock {
    /// A clock that goes by `outside`.
    pub fn new(outside: Outside) -> Self {
        Self { outside }
    }

    fn tell(&self, arguments: &str) -> Result<String, String> {
        let asked: Asked =
            serde_json::from_str(arguments).map_err(|error| format!("The arguments are wrong: {error}."))?;
        let zone = asked.zone.as_deref().map_or("UTC", str::trim);
        let wrong = || format!("There is no time zone {zone:?}. Write a name of the IANA list, as in Europe/Berlin.");
        let zone: Tz = zone.parse().map_err(|_| wrong())?;
        let now = DateTime::<Utc>::from_timestamp_micros(self.outside.now().0).unwrap_or_default().with_timezone(&zone);
        Ok(format!("{}, {} ({zone})", now.format("%A"), now.to_rfc3339_opts(SecondsFormat::Secs, true)))
    }
}

impl Tool for Clock {
    fn offer(&self) -> ToolOffer {
        ToolOffer {
            name: NAME.to_owned(),
            description: "Tells the present date and time.".to_owned(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "zone": {"type": "string", "description": "IANA time zone, as in Europe/Berlin. Without it: UTC."}
                },
                "additionalProperties": false,
            }),
        }
    }

    fn repeatable(&self) -> bool {
        true
    }

    fn run<'a>(&'a self, arguments: &'a str, _: &'a str) -> Work<'a> {
        Box::pin(std::future::ready(self.tell(arguments)))
    }
}

//! What becomes of an input that comes while a turn runs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How an input is taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum QueueMode {
    /// A turn of its own, after those before it.
    #[default]
    Queue,
    /// Joins the newest turn that waits, if that collects too.
    Collect,
    /// Joins the running turn, which takes it in before its next model call. Where nothing runs: as `queue`.
    Steer,
    /// Joins the running turn, which is cut off and begins again with it. Where nothing runs: as `queue`.
    Interrupt,
}

impl QueueMode {
    /// All of them with their names, the default first.
    pub const NAMED: [(&str, Self); 4] =
        [("queue", Self::Queue), ("collect", Self::Collect), ("steer", Self::Steer), ("interrupt", Self::Interrupt)];
}

impl fmt::Display for QueueMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Self::NAMED.iter().find(|(_, mode)| mode == self);
        f.write_str(named.map_or("", |(name, _)| name))
    }
}

impl FromStr for QueueMode {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::NAMED.iter().find(|(name, _)| *name == text);
        named.map(|(_, mode)| *mode).ok_or_else(|| format!("{text:?} is no mode: queue, collect, steer or interrupt"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_reads_back_by_its_name_and_another_word_is_told_the_list() {
        for (name, mode) in QueueMode::NAMED {
            assert_eq!((name.parse(), mode.to_string().as_str()), (Ok(mode), name));
        }
        let refused = "stear".parse::<QueueMode>().expect_err("no mode");
        assert_eq!(refused, "\"stear\" is no mode: queue, collect, steer or interrupt");
    }
}

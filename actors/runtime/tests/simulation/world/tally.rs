//! How often what happened.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Counts by name, and the longest times by name.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    counts: BTreeMap<&'static str, u64>,
    longest: BTreeMap<&'static str, Duration>,
}

impl Tally {
    pub(crate) fn add(&mut self, what: &'static str, times: u64) {
        *self.counts.entry(what).or_default() += times;
    }

    pub(crate) fn took(&mut self, what: &'static str, length: Duration) {
        let longest = self.longest.entry(what).or_default();
        *longest = length.max(*longest);
    }

    pub(crate) fn of(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or_default()
    }

    /// Adds what another one counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        other.counts.iter().for_each(|(what, times)| self.add(what, *times));
        other.longest.iter().for_each(|(what, length)| self.took(what, *length));
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, times) in &self.counts {
            writeln!(f, "{times:>12}  {what}")?;
        }
        for (what, length) in &self.longest {
            writeln!(f, "{:>10.1} s  {what}, at the most", length.as_secs_f64())?;
        }
        Ok(())
    }
}

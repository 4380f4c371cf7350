//! What happened, over all seeds.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::check::Told;

/// Counts of one seed, or of many.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    pub(crate) seeds: u64,
    /// Ends of a process, by what ended it.
    pub(crate) ends: BTreeMap<String, u64>,
    /// Starts that found work to go on with.
    pub(crate) recoveries: u64,
    /// From the start of the process to the first piece, or the end, of a turn that was cut off.
    pub(crate) recovery: Vec<Duration>,
    pub(crate) messages: u64,
    pub(crate) finished: u64,
    pub(crate) failed: u64,
    pub(crate) cancelled: u64,
    /// Messages that joined a turn of another.
    pub(crate) joined: u64,
    /// Messages on a platform, and beginnings of answers that were left standing there.
    pub(crate) notes: u64,
    pub(crate) left: u64,
    /// Deliveries to a platform of which nobody knows whether they arrived.
    pub(crate) unknown: u64,
    /// Requests that were refused or cut off, and sent again.
    pub(crate) repeated: u64,
    pub(crate) refusals: BTreeMap<String, u64>,
    pub(crate) calls: u64,
    /// Calls of tools, and those of which nobody knows whether they had an effect.
    pub(crate) tools: u64,
    pub(crate) cut_tools: u64,
    /// From the last start, without faults, to the rest of all.
    pub(crate) rest: Vec<Duration>,
}

impl Tally {
    pub(crate) fn ended(&mut self, how: impl Into<String>) {
        *self.ends.entry(how.into()).or_default() += 1;
    }

    pub(crate) fn refused(&mut self, code: &str) {
        *self.refusals.entry(code.to_owned()).or_default() += 1;
    }

    /// Counts how a session's turns ended.
    pub(crate) fn told(&mut self, told: &Told) {
        for (kind, _) in told.ends.values() {
            match kind.as_str() {
                "turn.finished" => self.finished += 1,
                "turn.failed" => self.failed += 1,
                _ => self.cancelled += 1,
            }
        }
        self.joined += told.turns.iter().map(|(_, texts)| texts.len() as u64 - 1).sum::<u64>();
    }

    pub(crate) fn turns(&self) -> u64 {
        self.finished + self.failed + self.cancelled
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.recoveries += other.recoveries;
        self.recovery.extend(other.recovery);
        self.messages += other.messages;
        self.finished += other.finished;
        self.failed += other.failed;
        self.cancelled += other.cancelled;
        self.joined += other.joined;
        self.notes += other.notes;
        self.left += other.left;
        self.unknown += other.unknown;
        self.repeated += other.repeated;
        self.calls += other.calls;
        self.tools += other.tools;
        self.cut_tools += other.cut_tools;
        self.rest.extend(other.rest);
        for (how, count) in other.ends {
            *self.ends.entry(how).or_default() += count;
        }
        for (code, count) in other.refusals {
            *self.refusals.entry(code).or_default() += count;
        }
    }

    pub(crate) fn deaths(&self) -> u64 {
        self.ends.iter().filter(|(how, _)| *how != "stopped").map(|(_, count)| count).sum()
    }
}

/// The value that so many hundredths do not pass.
fn percentile(samples: &[Duration], hundredths: usize) -> Duration {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() * hundredths).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>8} seeds", self.seeds)?;
        writeln!(f, "{:>8} deaths of the process", self.deaths())?;
        for (how, count) in &self.ends {
            writeln!(f, "{count:>16}  {how}")?;
        }
        let (p50, p99) = (percentile(&self.recovery, 50), percentile(&self.recovery, 99));
        writeln!(f, "{:>8} starts that had to go on with something", self.recoveries)?;
        let seen = self.recovery.len();
        writeln!(f, "{:>8} of them seen to; first piece or end after p50 {p50:.2?}, p99 {p99:.2?}", seen)?;
        let (p50, p99) = (percentile(&self.rest, 50), percentile(&self.rest, 99));
        writeln!(f, "         rest after the last start p50 {p50:.2?}, p99 {p99:.2?}")?;
        let (finished, failed, cancelled) = (self.finished, self.failed, self.cancelled);
        writeln!(f, "{:>8} messages, of which {} joined a turn of another", self.messages, self.joined)?;
        writeln!(f, "{:>8} turns: {finished} answered, {failed} failed, {cancelled} cancelled", self.turns())?;
        let (notes, unknown, left) = (self.notes, self.unknown, self.left);
        writeln!(f, "{notes:>8} of them on a platform; {unknown} deliveries unknown, {left} beginnings left standing")?;
        writeln!(f, "{:>8} requests sent again; refusals: {:?}", self.repeated, self.refusals)?;
        writeln!(f, "{:>8} model calls", self.calls)?;
        writeln!(f, "{:>8} calls of tools, {} of them with an unknown outcome", self.tools, self.cut_tools)?;
        write!(f, "       0 lost, 0 doubled, 0 out of order, 0 left open")
    }
}

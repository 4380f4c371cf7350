//! The table.

use std::time::Duration;

#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<[String; 4]>,
}

impl Report {
    /// One figure, the baseline of the same run, and the goal.
    pub(crate) fn row(&mut self, figure: &str, value: String, baseline: String, goal: &str) {
        eprintln!("  {figure}: {value}  ({baseline})");
        self.rows.push([figure.to_owned(), value, baseline, goal.to_owned()]);
    }

    pub(crate) fn print(&self) {
        println!("| figure | measured | baseline of the same run | goal |\n| --- | --- | --- | --- |");
        for row in &self.rows {
            println!("| {} |", row.join(" | "));
        }
    }
}

/// Durations of many tries.
#[derive(Default)]
pub(crate) struct Tries(Vec<Duration>);

impl Tries {
    pub(crate) fn push(&mut self, took: Duration) {
        self.0.push(took);
    }

    pub(crate) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The duration below which `part` of the tries stay.
    pub(crate) fn quantile(&mut self, part: f64) -> Duration {
        self.0.sort_unstable();
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        // a figure, told with three digits
        let index = ((self.0.len() as f64 * part) as usize).min(self.0.len().saturating_sub(1));
        self.0.get(index).copied().unwrap_or_default()
    }
}

/// A count as a part of a figure, which is told with three digits: bytes of petabytes would not be exact.
#[allow(clippy::cast_precision_loss)] // see above
pub(crate) fn float(count: usize) -> f64 {
    count as f64
}

/// Several takes of one figure.
pub(crate) struct Spread {
    pub(crate) middle: f64,
    /// The middle one, and between which two all are.
    pub(crate) text: String,
}

/// The spread of some takes, told with so many digits after the point.
pub(crate) fn spread(mut takes: Vec<f64>, digits: usize) -> Spread {
    takes.sort_by(f64::total_cmp);
    let (least, middle, most) = (takes[0], takes[takes.len() / 2], takes[takes.len() - 1]);
    Spread { middle, text: format!("{middle:.digits$} ({least:.digits$} to {most:.digits$})") }
}

/// In milliseconds, with three digits after the point.
pub(crate) fn ms(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}

/// Resident memory of this process, in bytes.
pub(crate) fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a line for resident memory");
    line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok()).expect("a number") * 1_024
}

//! Numbers that are read when somebody asks, written as Prometheus reads them.
//!
//! What is counted as it happens goes through the recorder. What can be looked up (the tree, the process) is looked up
//! and written here: a child that is gone leaves no stale series behind, and a value need not be a whole number.

use std::fmt::Write;

use mosaic_types::metric::Metric;

/// A page under way.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    /// A metric without labels.
    pub(super) fn one(&mut self, metric: &Metric, value: f64) {
        self.family(metric, [([], value)]);
    }

    /// A metric with one line for each set of label values, in the order of the metric's labels. Nothing at all where
    /// there is no line.
    pub(super) fn family<'a, const N: usize>(
        &mut self,
        metric: &Metric,
        lines: impl IntoIterator<Item = ([&'a str; N], f64)>,
    ) {
        let mut lines = lines.into_iter().peekable();
        if lines.peek().is_none() {
            return;
        }
        debug_assert_eq!(metric.labels.len(), N, "{}", metric.name);
        let out = &mut self.0;
        // Writing to a string cannot fail.
        let _ = writeln!(out, "# HELP {} {}", metric.name, metric.help);
        let _ = writeln!(out, "# TYPE {} {}", metric.name, metric.kind.as_str());
        for (values, value) in lines {
            out.push_str(metric.name);
            for (at, (label, text)) in metric.labels.iter().zip(values).enumerate() {
                let _ = write!(out, "{}{label}=\"{}\"", if at == 0 { '{' } else { ',' }, Escaped(text));
            }
            let _ = writeln!(out, "{} {value}", if N == 0 { "" } else { "}" });
        }
        out.push('\n');
    }

    /// The whole text.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// A label's value, as the format wants it.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            c => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use mosaic_types::metric;

    use super::*;

    #[test]
    fn a_page_is_what_prometheus_reads() {
        let mut page = Page::default();
        page.one(&metric::READERS, 3.0);
        page.family(&metric::MODEL_COST, [(["a\"\\\nb"], 0.25)]);
        page.family(&metric::CHILDREN, [(["root", "up"], 2.0), (["root", "down"], 0.0)]);
        page.family(&metric::PROVIDER_WAITING, std::iter::empty::<([&str; 1], f64)>());
        let text = page.into_text();
        assert!(text.contains("# TYPE mosaic_readers gauge\nmosaic_readers 3\n"), "{text}");
        assert!(text.contains(r#"mosaic_model_cost_usd_total{provider="a\"\\\nb"} 0.25"#), "{text}");
        assert!(text.contains(r#"mosaic_children{supervisor="root",state="down"} 0"#), "{text}");
        assert!(!text.contains("mosaic_provider_calls_waiting"), "nothing to tell: {text}");
    }
}

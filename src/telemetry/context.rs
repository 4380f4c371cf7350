//! W3C trace context: taken from a caller, passed on to the next.
//!
//! Through OpenTelemetry's own propagator, which does nothing where no collector is named.

use opentelemetry::global::get_text_map_propagator;
use opentelemetry::propagation::{Extractor, Injector};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Characters of a `traceparent` or `tracestate` that are taken: what the standard has everyone pass on.
const LONGEST: usize = 512;

/// Hangs `span` below the caller's, where the caller sent one. `header` looks up a header by its name, or a field of
/// the same name (`traceparent`, `tracestate`) of a WebSocket frame. To be called before the span is entered.
pub(crate) fn continue_trace<'a>(span: &Span, header: impl Fn(&str) -> Option<&'a str>) {
    if span.is_disabled() {
        return;
    }
    let caller = Headers(["traceparent", "tracestate"].map(|name| (name, header(name))));
    if caller.0[0].1.is_some_and(is_traceparent) {
        // Refused only where there is no exporter, or where the span began already: then it is a trace of its own.
        let _ = span.set_parent(get_text_map_propagator(|propagator| propagator.extract(&caller)));
    }
}

/// Whether a text is a `traceparent` (W3C Trace Context, 3.2.2); one that is not has to be ignored. OpenTelemetry's own
/// reading takes ids of any length, and so would continue a trace that nobody else knows.
fn is_traceparent(text: &str) -> bool {
    let hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let some = |part: &str| hex(part) && part.bytes().any(|byte| byte != b'0');
    let parts: Vec<&str> = text.splitn(5, '-').collect();
    let [version, trace, parent, flags, ..] = parts[..] else { return false };
    [version.len(), trace.len(), parent.len(), flags.len()] == [2, 32, 16, 2]
        && (hex(version) && some(trace) && some(parent) && hex(flags))
        && version != "ff"
        // Only a version to come may say more.
        && (version != "00" || parts.len() == 4)
        && text.len() <= LONGEST
}

/// A caller's span, as it was sent in the fields of a frame.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Caller {
    traceparent: String,
    tracestate: Option<String>,
}

impl Caller {
    /// `None` where there is no good `traceparent`: then its `tracestate` is worth nothing either.
    pub(crate) fn new(traceparent: Option<String>, tracestate: Option<String>) -> Option<Self> {
        let traceparent = traceparent.filter(|text| is_traceparent(text))?;
        Some(Self { traceparent, tracestate: tracestate.filter(|text| text.len() <= LONGEST) })
    }

    /// A field by its name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        match name {
            "traceparent" => Some(&self.traceparent),
            "tracestate" => self.tracestate.as_deref(),
            _ => None,
        }
    }
}

/// The headers that tell the next server of the span we are in; none where nothing is traced.
pub(crate) fn headers() -> Vec<(String, String)> {
    let mut next = Next::default();
    get_text_map_propagator(|propagator| propagator.inject(&mut next));
    next.0
}

struct Headers<'a>([(&'static str, Option<&'a str>); 2]);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == key).and_then(|(_, value)| *value)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().filter(|(_, value)| value.is_some()).map(|(name, _)| *name).collect()
    }
}

#[derive(Default)]
struct Next(Vec<(String, String)>);

impl Injector for Next {
    fn set(&mut self, key: &str, value: String) {
        if !value.is_empty() {
            self.0.push((key.to_owned(), value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_what_the_standard_says_and_nothing_else() {
        let later = [GOOD.replacen("00", "cc", 1), format!("{}-more-of-it", GOOD.replacen("00", "01", 1))];
        for good in [GOOD, &GOOD.replace("-01", "-00"), &later[0], &later[1]] {
            assert!(is_traceparent(good), "{good}");
        }
        for bad in [
            "",
            "junk",
            "00-42-7-01",
            "0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            &format!("{}-{}", GOOD.replacen("00", "01", 1), "x".repeat(LONGEST)),
        ] {
            assert!(!is_traceparent(bad), "{bad}");
        }
    }

    #[test]
    fn a_state_without_a_good_parent_is_worth_nothing() {
        assert_eq!(Caller::new(None, Some("a=b".into())), None);
        assert_eq!(Caller::new(Some("junk".into()), Some("a=b".into())), None);
        let caller = Caller::new(Some(GOOD.into()), Some("a=b".into())).expect("a good one");
        assert_eq!(["traceparent", "tracestate", "x"].map(|name| caller.get(name)), [Some(GOOD), Some("a=b"), None]);
        let long = Caller::new(Some(GOOD.into()), Some("x".repeat(LONGEST + 1))).expect("a good one");
        assert_eq!(long.get("tracestate"), None);
    }
}

//! W3C trace context: taken from a caller, passed on to the next.
//!
//! Through OpenTelemetry's own propagator, which does nothing where no collector is named.

use opentelemetry::global::get_text_map_propagator;
use opentelemetry::propagation::{Extractor, Injector};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Hangs `span` below the caller's, where the caller sent one. `header` looks up a header by its name, or a field of
/// the same name (`traceparent`, `tracestate`) of a WebSocket frame. To be called before the span is entered.
pub(crate) fn continue_trace<'a>(span: &Span, header: impl Fn(&str) -> Option<&'a str>) {
    if span.is_disabled() {
        return;
    }
    let caller = Caller(["traceparent", "tracestate"].map(|name| (name, header(name))));
    if caller.0[0].1.is_some() {
        // Refused only where there is no exporter, or where the span began already: then it is a trace of its own.
        let _ = span.set_parent(get_text_map_propagator(|propagator| propagator.extract(&caller)));
    }
}

/// The headers that tell the next server of the span we are in; none where nothing is traced.
pub(crate) fn headers() -> Vec<(String, String)> {
    let mut next = Next::default();
    get_text_map_propagator(|propagator| propagator.inject(&mut next));
    next.0
}

struct Caller<'a>([(&'static str, Option<&'a str>); 2]);

impl Extractor for Caller<'_> {
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

//! Tells a server which span of ours asks it.

use opentelemetry::global::get_text_map_propagator;
use opentelemetry::propagation::Injector;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

/// Adds the headers of W3C trace context for the current span. None where nothing is traced: then the propagator of the
/// process is one that does nothing.
pub(crate) fn tell_next(headers: &mut HeaderMap) {
    get_text_map_propagator(|propagator| propagator.inject(&mut Headers(headers)));
}

struct Headers<'a>(&'a mut HeaderMap);

impl Injector for Headers<'_> {
    fn set(&mut self, key: &str, value: String) {
        // A tracestate that is empty says nothing.
        if let (Ok(name), Ok(value), false) =
            (HeaderName::try_from(key), HeaderValue::try_from(&value), value.is_empty())
        {
            self.0.insert(name, value);
        }
    }
}

//! Spans as they came over the wire, in a form that a test can read.

use std::collections::BTreeMap;
use std::fmt::Write;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

/// Names and values, all as text.
pub type Attributes = BTreeMap<String, String>;

/// A span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// 32 hex digits.
    pub trace: String,
    /// 16 hex digits.
    pub id: String,
    /// `None`: the root of its trace.
    pub parent: Option<String>,
    pub name: String,
    /// As the protocol numbers them: 1 internal, 2 server, 3 client.
    pub kind: i32,
    pub attributes: Attributes,
    /// Names of what happened in it, with the attributes of each.
    pub events: Vec<(String, Attributes)>,
    pub failed: bool,
    /// Nanoseconds since 1970.
    pub start: u64,
    pub end: u64,
    /// Who sent it.
    pub resource: Attributes,
}

impl Span {
    /// An attribute; empty where there is none.
    pub fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

/// The spans of one request.
pub(super) fn spans(request: ExportTraceServiceRequest) -> Vec<Span> {
    let mut all = Vec::new();
    for resource in request.resource_spans {
        let sender = attributes(resource.resource.map(|resource| resource.attributes).unwrap_or_default());
        for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            let parent = hex(&span.parent_span_id);
            all.push(Span {
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: (!parent.is_empty()).then_some(parent),
                name: span.name,
                kind: span.kind,
                attributes: attributes(span.attributes),
                events: span.events.into_iter().map(|event| (event.name, attributes(event.attributes))).collect(),
                failed: span.status.is_some_and(|status| status.code() == StatusCode::Error),
                start: span.start_time_unix_nano,
                end: span.end_time_unix_nano,
                resource: sender.clone(),
            });
        }
    }
    all
}

fn attributes(pairs: Vec<KeyValue>) -> Attributes {
    pairs.into_iter().map(|pair| (pair.key, pair.value.map(text).unwrap_or_default())).collect()
}

fn text(value: AnyValue) -> String {
    match value.value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::BoolValue(truth)) => truth.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

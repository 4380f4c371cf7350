//! Traces, sent to a collector over OTLP (http/protobuf) where the environment names one.
//!
//! Set up as the OpenTelemetry specification says: `OTEL_EXPORTER_OTLP_ENDPOINT` switches it on, and the SDK reads the
//! rest (headers, timeout, service name, resource attributes, sampler, batch sizes). With no endpoint there is no
//! layer, and a span below the log's level is not even made.
//!
//! Delivery never holds up a turn: a finished span goes into a queue of fixed length, a thread of its own empties it,
//! and what finds the queue full is dropped and counted.

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ::metrics::{Counter, counter};
use mosaic_providers::client::{Way, tls};
use mosaic_types::metric;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter as Otlp, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider, Span, SpanData, SpanExporter, SpanProcessor,
};
use reqwest::Url;
use reqwest::blocking::Client;
use reqwest::redirect::Policy;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::registry::LookupSpan;

/// Spans that may wait for the collector, where `OTEL_BSP_MAX_QUEUE_SIZE` says nothing: the specification's own
/// default. At some 1 KB a span that is 2 MB.
const QUEUE: usize = 2_048;

/// Patience with one delivery, where the environment says nothing: the specification's default.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What the last spans may take on the way out, with a collector that does not answer.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// An exporter at work.
#[derive(Debug)]
pub(super) struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Starts it where the environment names a collector.
    ///
    /// # Errors
    /// The environment asks for what cannot be done; a sentence says what.
    pub(super) fn from_env() -> Result<Option<Self>, String> {
        if !wanted(|name| env::var(name).ok()) {
            return Ok(None);
        }
        let exporter = Otlp::builder().with_http().with_http_client(client()?).build();
        let exporter = exporter.map_err(|error| error.to_string())?;
        let queue = env::var("OTEL_BSP_MAX_QUEUE_SIZE").ok().and_then(|text| text.parse().ok()).unwrap_or(QUEUE);
        let waiting = Arc::new(AtomicUsize::new(0));
        let exporter = Counted::new(exporter, waiting.clone());
        let config = BatchConfigBuilder::default().with_max_queue_size(queue).build();
        let batch = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
        let dropped = counter!(metric::SPANS_DROPPED.name, "reason" => "queue_full");
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Bounded { batch, waiting, queue, dropped })
            .with_resource(resource())
            .build();
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        Ok(Some(Self { provider }))
    }

    /// What makes spans of this process into spans of a trace.
    pub(super) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        let tracer: SdkTracer = self.provider.tracer("mosaic");
        let layer = tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false);
        layer.with_filter(FilterFn::new(traced).with_max_level_hint(Level::DEBUG))
    }

    /// Sends what is left, for no longer than [`LAST_WORDS`].
    pub(super) fn stop(&self) {
        // A collector that does not answer was told of in the log when it stopped answering.
        let _ = self.provider.shutdown_with_timeout(LAST_WORDS);
    }
}

/// Our own spans down to debug, and what our own code says in them from info on. Libraries' spans would hold what
/// passes through them, and those of the exporter's own client would be endless.
fn traced(metadata: &Metadata<'_>) -> bool {
    let least = if metadata.is_span() { Level::DEBUG } else { Level::INFO };
    metadata.target().starts_with("mosaic") && *metadata.level() <= least
}

/// Whether a collector is named and not switched off again.
fn wanted(var: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name: &str| var(name).filter(|text| !text.trim().is_empty());
    let named = set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| set("OTEL_EXPORTER_OTLP_ENDPOINT")).is_some();
    let disabled = set("OTEL_SDK_DISABLED").is_some_and(|text| text.trim().eq_ignore_ascii_case("true"));
    let none = set("OTEL_TRACES_EXPORTER").is_some_and(|text| text.trim() == "none");
    named && !disabled && !none
}

/// The way to the collector, as ours to providers: the same certificates, no redirects (the headers may hold a key), and
/// no proxy on this machine.
fn client() -> Result<Client, String> {
    let var = |names: [&str; 2]| names.into_iter().find_map(|name| env::var(name).ok().filter(|text| !text.is_empty()));
    let endpoint = var(["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"]).unwrap_or_default();
    let local = Url::parse(&endpoint).is_ok_and(|url| Way::to(&url) == Way::Local);
    let timeout = var(["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"]);
    let timeout = timeout.and_then(|text| text.parse().ok()).map_or(TIMEOUT, Duration::from_millis);
    let builder = Client::builder().tls_backend_preconfigured(tls()?).redirect(Policy::none()).timeout(timeout);
    let builder = if local { builder.no_proxy() } else { builder };
    // It has a runtime of its own inside, which cannot be made within another.
    let built = std::thread::spawn(|| builder.build()).join();
    built.map_err(|_| "the HTTP client could not be made".to_owned())?.map_err(|error| error.to_string())
}

/// Who sends these traces: `mosaic`, unless the environment has another name.
fn resource() -> Resource {
    let builder = Resource::builder();
    let named = env::var("OTEL_SERVICE_NAME").is_ok_and(|name| !name.is_empty())
        || env::var("OTEL_RESOURCE_ATTRIBUTES").is_ok_and(|list| list.contains("service.name="));
    let builder = if named { builder } else { builder.with_service_name("mosaic") };
    builder.with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))).build()
}

/// Lets spans into the queue while there is room; the queue of the library behind it drops without a number to read.
#[derive(Debug)]
struct Bounded {
    batch: BatchSpanProcessor,
    /// Spans let in and not yet on their way to the collector.
    waiting: Arc<AtomicUsize>,
    queue: usize,
    dropped: Counter,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, cx: &Context) {
        self.batch.on_start(span, cx);
    }

    fn on_end(&self, span: SpanData) {
        if self.waiting.fetch_add(1, Ordering::AcqRel) < self.queue {
            self.batch.on_end(span);
        } else {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            self.dropped.increment(1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batch.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batch.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batch.set_resource(resource);
    }
}

/// Counts what the collector took and what it did not, and says once when that changes.
#[derive(Debug)]
struct Counted<E> {
    exporter: E,
    waiting: Arc<AtomicUsize>,
    failing: AtomicBool,
    exported: Counter,
    lost: Counter,
}

impl<E> Counted<E> {
    fn new(exporter: E, waiting: Arc<AtomicUsize>) -> Self {
        Self {
            exporter,
            waiting,
            failing: AtomicBool::new(false),
            exported: counter!(metric::SPANS_EXPORTED.name),
            lost: counter!(metric::SPANS_DROPPED.name, "reason" => "export_failed"),
        }
    }
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.waiting.fetch_sub(spans, Ordering::AcqRel);
        let count = u64::try_from(spans).unwrap_or(u64::MAX);
        let result = self.exporter.export(batch).await;
        let failed = result.is_err();
        if failed { &self.lost } else { &self.exported }.increment(count);
        let before = self.failing.swap(failed, Ordering::Relaxed);
        match &result {
            Err(error) if !before => {
                tracing::warn!(%error, "the trace collector takes nothing; its spans are dropped until it does");
            }
            Ok(()) if before => tracing::info!("the trace collector takes spans again"),
            _ => {}
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted_with(vars: &[(&str, &str)]) -> bool {
        wanted(|name| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn a_collector_is_spoken_to_only_where_one_is_named() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        assert!(!wanted_with(&[]));
        assert!(!wanted_with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]), "set to nothing, as a compose file does");
        assert!(wanted_with(&[endpoint]));
        assert!(wanted_with(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:4318/v1/traces")]));
        assert!(!wanted_with(&[endpoint, ("OTEL_SDK_DISABLED", "TRUE")]));
        assert!(!wanted_with(&[endpoint, ("OTEL_TRACES_EXPORTER", "none")]));
    }
}

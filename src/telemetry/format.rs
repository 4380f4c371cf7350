//! Log lines that name the trace they belong to.

use std::fmt::{self, Write};

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, Json, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Formats a line as `F` does and adds `trace_id` and `span_id` where it was said in a span that is traced.
pub(super) struct Traced<F>(pub(super) F);

/// A format whose line can be added to.
pub(super) trait Line {
    /// Adds to a line without its line end.
    fn add(line: &mut String, trace: &str, span: &str);
}

impl<T> Line for Format<tracing_subscriber::fmt::format::Full, T> {
    fn add(line: &mut String, trace: &str, span: &str) {
        let _ = write!(line, " trace_id={trace} span_id={span}");
    }
}

impl<T> Line for Format<Json, T> {
    fn add(line: &mut String, trace: &str, span: &str) {
        // The line is one object; it is opened again.
        if line.pop() == Some('}') {
            let _ = write!(line, r#","trace_id":"{trace}","span_id":"{span}"}}"#);
        }
    }
}

impl<S, N, F> FormatEvent<S, N> for Traced<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N> + Line,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        // The layer of the traces makes the span that is entered the current one of OpenTelemetry too.
        let (trace, span) = Context::map_current(|cx| {
            let span = cx.span().span_context().clone();
            (span.trace_id(), span.span_id())
        });
        if trace == opentelemetry::TraceId::INVALID {
            return self.0.format_event(ctx, writer, event);
        }
        let mut line = String::with_capacity(256);
        self.0.format_event(ctx, Writer::new(&mut line), event)?;
        let end = line.trim_end().len();
        line.truncate(end);
        F::add(&mut line, &trace.to_string(), &span.to_string());
        writeln!(writer, "{line}")
    }
}

//! Panics, told in the log as everything else is.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;

/// From now on a panic is one event of the log, in its format, and not raw text on stderr. What becomes of the actor is
/// told by its supervisor.
pub(super) fn tell() {
    std::panic::set_hook(Box::new(tell_of));
}

fn tell_of(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("(no text)");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let work = mosaic_supervise::at_work();
    let (actor, handling) = work.map(|work| (work.actor, work.message)).unzip();
    // Captured only where RUST_BACKTRACE asks for it.
    let trace = Backtrace::capture();
    let trace = (trace.status() == BacktraceStatus::Captured).then(|| tracing::field::display(trace));
    tracing::error!(
        panic.message = message,
        panic.place = place,
        panic.backtrace = trace,
        thread.name = thread,
        actor.name = actor,
        actor.handling = handling,
        "a panic"
    );
}

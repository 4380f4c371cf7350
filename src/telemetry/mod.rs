//! How the daemon is seen from outside: logs, metrics, and (where a collector is named) traces.

pub(crate) mod context;
mod format;
mod logs;
pub(crate) mod metrics;
mod page;
mod panics;
mod process;
mod traces;

use std::sync::OnceLock;

use tracing::Level;

use crate::config::LogFormat;
use traces::Traces;

/// Lives as long as the process: its thread sends what is left when it is told to stop.
static TRACES: OnceLock<Traces> = OnceLock::new();

/// Starts logging, and tracing where the environment names a collector. Later calls change nothing.
pub fn start(level: Level, format: LogFormat) {
    let traces = Traces::from_env();
    let (traces, wrong) = match traces {
        Ok(traces) => (traces, None),
        Err(wrong) => (None, Some(wrong)),
    };
    if !logs::start(level, format, traces.as_ref()) {
        return;
    }
    panics::tell();
    if let Some(wrong) = wrong {
        tracing::warn!("nothing is traced: {wrong}");
    }
    if let Some(traces) = traces {
        let _ = TRACES.set(traces);
    }
}

/// Starts logging only, for commands that are over in a moment.
pub fn start_log(level: Level, format: LogFormat) {
    if logs::start(level, format, None) {
        panics::tell();
    }
}

/// Sends the last spans; takes three seconds at the most. To be called when nothing runs any more.
pub fn stop() {
    if let Some(traces) = TRACES.get() {
        traces.stop();
    }
}

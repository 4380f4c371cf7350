//! Logs, to stderr.

use tracing::Level;
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Starts logging; later calls change nothing. `MOSAIC_LOG` overrides the level, in the syntax of
/// `tracing_subscriber`'s filters (`info,mosaic_runtime=debug`).
pub fn start(level: Level, format: LogFormat) {
    let filter = std::env::var("MOSAIC_LOG").ok().and_then(|text| EnvFilter::try_new(text).ok());
    let filter = filter.unwrap_or_else(|| {
        // Libraries speak up only when something is wrong, unless somebody is looking for it.
        let others = if level > Level::INFO { level } else { level.min(Level::WARN) };
        EnvFilter::new(format!(
            "{others},mosaic={level},mosaic_runtime={level},mosaic_store={level},mosaic_providers={level},\
             mosaic_supervise={level}"
        ))
    });
    let colour = std::io::IsTerminal::is_terminal(&std::io::stderr()) && std::env::var_os("NO_COLOR").is_none();
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        // To complain on stderr that stderr is closed would be a panic.
        .log_internal_errors(false);
    let _ = match format {
        LogFormat::Text => logs.try_init(),
        LogFormat::Json => logs.json().try_init(),
    };
}

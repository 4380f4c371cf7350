//! Logs, to stderr.

use std::env;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt, FilterFn};
use tracing_subscriber::layer::{Filter, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

use super::format::Traced;
use super::traces::Traces;
use crate::config::LogFormat;

/// Libraries through which keys, tokens and people's words pass. Below info some print what they carry (tokio-postgres
/// the parameters of a statement, tungstenite the head of a handshake, reqwest a proxy's address), and the next version
/// of another may. No setting makes them, since a log is kept by people who may not see that.
const CONFIDANTS: &[&str] = &[
    "actix_http",
    "actix_server",
    "actix_web",
    "diesel",
    "h2",
    "hyper",
    "opentelemetry",
    "reqwest",
    "rustls",
    "tokio_postgres",
    "tokio_tungstenite",
    "tungstenite",
];

/// Starts logging; answers whether it did, which only the first call does. `MOSAIC_LOG` overrides the level, in the
/// syntax of `tracing_subscriber`'s filters (`info,mosaic_runtime=debug`).
pub(super) fn start(level: Level, format: LogFormat, traces: Option<&Traces>) -> bool {
    let colour = std::io::IsTerminal::is_terminal(&std::io::stderr()) && env::var_os("NO_COLOR").is_none();
    let logs = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        // To complain on stderr that stderr is closed would be a panic.
        .log_internal_errors(false);
    let logs = match format {
        LogFormat::Text => logs.event_format(Traced(fmt::format().with_ansi(colour))).boxed(),
        LogFormat::Json => logs.json().event_format(Traced(fmt::format().json())).boxed(),
    };
    let registry = registry().with(logs.with_filter(filter(level, env::var("MOSAIC_LOG").ok())));
    match traces {
        Some(traces) => registry.with(traces.layer()).try_init().is_ok(),
        None => registry.try_init().is_ok(),
    }
}

/// What is written: what `wish` says, else what goes with the level; never what is not discreet.
fn filter<S: Subscriber>(level: Level, wish: Option<String>) -> impl Filter<S> {
    let wish = wish.and_then(|text| EnvFilter::try_new(text).ok());
    let wish = wish.unwrap_or_else(|| {
        // Libraries speak up only when something is wrong, unless somebody is looking for it.
        let others = if level > Level::INFO { level } else { level.min(Level::WARN) };
        // What strangers send that is no HTTP it calls errors, and connections that were cut: nobody's log fills at their wish.
        let quiet = if level > Level::INFO { "" } else { ",actix_http=off" };
        EnvFilter::new(format!(
            "{others}{quiet},mosaic={level},mosaic_runtime={level},mosaic_store={level},mosaic_providers={level},\
             mosaic_supervise={level}"
        ))
    });
    wish.and(FilterFn::new(discreet))
}

/// Whether a line may be written, whatever level was asked for.
fn discreet(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO || !confidant(metadata.target())
}

fn confidant(target: &str) -> bool {
    CONFIDANTS.iter().any(|name| target.starts_with(name))
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no writer panics").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written of some lines.
    fn written(level: Level, wish: Option<&str>, lines: fn()) -> String {
        let paper = Paper::default();
        let writer = paper.clone();
        let logs = fmt::layer().with_writer(move || writer.clone()).without_time().with_ansi(false);
        let logs = logs.with_filter(filter(level, wish.map(str::to_owned)));
        tracing::subscriber::with_default(registry().with(logs), lines);
        let bytes = paper.0.lock().expect("no writer panics").clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn libraries_that_carry_secrets_are_not_heard_however_loud_it_is() {
        let lines = || {
            tracing::debug!(target: "tokio_postgres::query", "executing statement s0 with parameters: [planted]");
            tracing::trace!(target: "tungstenite::handshake::client", "Request: Authorization: Bearer planted");
            tracing::debug!(target: "hyper_util::client", "planted");
            tracing::warn!(target: "hyper_util::client", "a warning");
            tracing::trace!(target: "mosaic_runtime::session", "our own");
            tracing::trace!(target: "mio::poll", "another");
        };
        for (level, wish) in
            [(Level::TRACE, None), (Level::INFO, Some("trace")), (Level::WARN, Some("tokio_postgres=trace,trace"))]
        {
            let written = written(level, wish, lines);
            assert!(!written.contains("planted"), "{written}");
            for said in ["a warning", "our own", "another"] {
                assert!(written.contains(said), "{said}: {written}");
            }
        }
    }

    #[test]
    fn libraries_speak_up_only_when_something_is_wrong() {
        let lines = || {
            tracing::info!(target: "actix_server::builder", "starting");
            tracing::warn!(target: "actix_server::builder", "wrong");
            tracing::info!(target: "mosaic::cli", "ours");
            tracing::debug!(target: "mosaic::cli", "small");
        };
        assert_eq!(written(Level::INFO, None, lines), " WARN actix_server::builder: wrong\n INFO mosaic::cli: ours\n");
        assert_eq!(written(Level::ERROR, None, lines), "");
    }

    #[test]
    fn what_strangers_send_is_logged_only_for_who_looks_for_it() {
        let lines = || tracing::error!(target: "actix_http::h1::dispatcher", "stream error: invalid HTTP version");
        for level in [Level::ERROR, Level::WARN, Level::INFO] {
            assert_eq!(written(level, None, lines), "");
        }
        assert!(written(Level::DEBUG, None, lines).contains("invalid HTTP version"));
        assert!(written(Level::INFO, Some("info"), lines).contains("invalid HTTP version"));
    }
}

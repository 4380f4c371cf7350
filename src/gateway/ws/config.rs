//! The table of sockets, `[gateway.sockets]`.

use std::time::Duration;

use mosaic_types::settings::Section;

/// How patient sockets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketConfig {
    /// From the upgrade to `connect`.
    pub connect: Duration,
    /// Sockets that have not connected yet, in the whole process; the next upgrade is refused as busy.
    pub waiting: usize,
    /// One of which nothing was heard for so long is asked whether it is still there.
    pub ping: Duration,
    /// One of which nothing was heard for so long is closed.
    pub silence: Duration,
    /// One that takes nothing of what waits for it for so long is cut.
    pub slow: Duration,
}

impl Default for SocketConfig {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            waiting: 1_024,
            ping: Duration::from_secs(20),
            silence: Duration::from_secs(60),
            slow: Duration::from_secs(30),
        }
    }
}

impl SocketConfig {
    /// Reads the table.
    pub(in crate::gateway) fn read(section: &Section<'_>) -> Self {
        let default = Self::default();
        let span = |key, usual| section.span(key, usual, Duration::from_millis(100)..=Duration::from_secs(3_600));
        let waiting = section.whole("waiting", default.waiting as u64, 1..=100_000);
        let config = Self {
            connect: span("connect", default.connect),
            waiting: usize::try_from(waiting).expect("the range fits"),
            ping: span("ping", default.ping),
            silence: span("silence", default.silence),
            slow: span("slow", default.slow),
        };
        if config.silence <= config.ping {
            section.wrong("silence", "longer than ping: a reader that only listens is heard by its pongs alone");
        }
        config
    }
}

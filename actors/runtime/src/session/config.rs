//! The table of sessions, `[session]`.

use std::time::Duration;

use mosaic_types::settings::Section;

/// A session without work leaves memory after so long; its journal brings it back. Ten minutes outlast a pause in a
/// conversation, so that a person who talks never waits for the journal.
pub const IDLE: Duration = Duration::from_secs(600);

/// A turn that collects starts when no message joined it for so long. A second is longer than the pause between two
/// messages of one thought, and short enough to wait for.
pub const DEBOUNCE: Duration = Duration::from_secs(1);

/// What all sessions keep to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionConfig {
    /// Time without work after which a session leaves memory.
    pub idle: Duration,
    /// Time without a further message after which a turn that collects may start; zero: at once.
    pub debounce: Duration,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self { idle: IDLE, debounce: DEBOUNCE }
    }
}

impl SessionConfig {
    /// Reads the table.
    pub fn read(section: &Section<'_>) -> Self {
        Self {
            idle: section.span("idle", IDLE, Duration::from_millis(100)..=Duration::from_secs(7 * 24 * 3600)),
            debounce: section.span("debounce", DEBOUNCE, Duration::ZERO..=Duration::from_secs(60)),
        }
    }
}

#[cfg(test)]
mod tests {
    use mosaic_types::settings::Settings;

    use super::*;

    #[test]
    fn a_number_without_a_unit_is_refused_and_the_default_stands() {
        let settings = Settings::parse("idle = 600\n", "config.toml").expect("valid TOML");
        assert_eq!(SessionConfig::read(&settings.root()), SessionConfig::default());
        assert_eq!(
            settings.finish().expect_err("no unit").to_string(),
            "config.toml:1: idle: found 600; add its unit, as in \"600s\" (ms, s, m, h or d)"
        );
    }
}

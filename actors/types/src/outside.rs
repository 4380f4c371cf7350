//! The doors for time and chance, so that a test can own both.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{AttachmentId, RuleId, SessionId, TokenId, TurnId, UserId};
use crate::schema::{self, schema};

/// A moment, in microseconds since 1970 UTC; written as RFC 3339.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The moment `span` later.
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Seconds since 1970, as the OpenAI wire counts.
    pub fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
}

schema!(Timestamp, schema::format("a moment in UTC, to the millisecond.", "date-time", "2026-11-23T08:15:00.000Z"));

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = DateTime::<Utc>::from_timestamp_micros(self.0).unwrap_or_default();
        f.write_str(&date.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let date = DateTime::<Utc>::deserialize(from)?;
        Ok(Self(date.timestamp_micros()))
    }
}

impl FromStr for Timestamp {
    type Err = String;
    /// An RFC 3339 moment, or a date alone, which is its first moment in UTC.
    fn from_str(text: &str) -> Result<Self, String> {
        let date = || text.parse::<NaiveDate>().ok().map(|date| date.and_time(NaiveTime::MIN).and_utc());
        let moment = DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.with_timezone(&Utc)).or_else(date);
        moment
            .map(|moment| Self(moment.timestamp_micros()))
            .ok_or_else(|| format!("{text:?} is no moment: write 2026-11-23 or 2026-11-23T08:00:00Z"))
    }
}

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// Draws at random.
pub trait Chance: Send + Sync {
    /// Fills `bytes` with random ones, good enough for a secret.
    fn fill(&self, bytes: &mut [u8]);
}

/// Time and chance together, and the ids that are made of them.
#[derive(Clone)]
pub struct Outside {
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
}

impl Outside {
    /// Brings both in.
    pub fn new(clock: Arc<dyn Clock>, chance: Arc<dyn Chance>) -> Self {
        Self { clock, chance }
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// `N` random bytes, good enough for a secret.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.chance.fill(&mut bytes);
        bytes
    }

    /// A new session id: a version 7 UUID without hyphens.
    pub fn session_id(&self) -> SessionId {
        self.uuid().simple().to_string().parse().expect("32 hex digits are a valid session id")
    }

    /// A new turn id.
    pub fn turn_id(&self) -> TurnId {
        TurnId(self.uuid())
    }

    /// A new user id.
    pub fn user_id(&self) -> UserId {
        UserId(self.uuid())
    }

    /// A new file's id.
    pub fn attachment_id(&self) -> AttachmentId {
        AttachmentId(self.uuid())
    }

    /// A new token id.
    pub fn token_id(&self) -> TokenId {
        TokenId(self.uuid())
    }

    /// A new rule id.
    pub fn rule_id(&self) -> RuleId {
        RuleId(self.uuid())
    }

    /// A new version 7 UUID.
    pub fn uuid(&self) -> Uuid {
        let millis = u64::try_from(self.now().0 / 1_000).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes()).into_uuid()
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outside")
    }
}

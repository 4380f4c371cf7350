//! When a rule holds: hours, days, and where on earth they are meant.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Timelike, Utc, Weekday};
use serde::{Deserialize, Serialize};

use super::words::Day;
use crate::by_text::by_text;
use crate::outside::Timestamp;
use crate::schema::{self, schema};
use crate::settings::nearest;

/// Minutes of a day.
const DAY_MIN: u16 = 24 * 60;

/// A part of each day, written `22:00-06:00`: from the first minute on, up to the last and without it. It may pass
/// midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hours {
    /// In minutes since midnight.
    from: u16,
    until: u16,
}

schema!(Hours, schema::pattern("A part of each day, as in 22:00-06:00.", "^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$"));

impl Hours {
    /// Whether a minute of the day is in it.
    pub fn holds(self, minute: u16) -> bool {
        if self.from < self.until {
            (self.from..self.until).contains(&minute)
        } else {
            minute >= self.from || minute < self.until
        }
    }
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let two = |digits: &str| (digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(());
    two(hour).and(two(minute))?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (minute < 60).then_some(hour * 60 + minute).filter(|minute| *minute <= DAY_MIN)
}

impl FromStr for Hours {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let read = text.split_once('-').and_then(|(from, until)| Some((minute(from)?, minute(until)?)));
        match read {
            Some((from, until)) if from != until && from < DAY_MIN => Ok(Self { from, until }),
            _ => Err("hours are written from-until, as in \"22:00-06:00\"".to_owned()),
        }
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, until } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, until / 60, until % 60)
    }
}

by_text!(Hours);

/// A time zone, by its name in the database of IANA: `Europe/Berlin`. With its summer times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(chrono_tz::Tz);

schema!(Zone, schema::pattern("A time zone by its IANA name, as in Europe/Berlin.", "^[A-Za-z0-9_+/-]{1,64}$"));

impl Default for Zone {
    fn default() -> Self {
        Self(chrono_tz::UTC)
    }
}

impl Zone {
    /// The day and the minute of the day there.
    pub fn at(self, moment: Timestamp) -> (Day, u16) {
        let there = DateTime::<Utc>::from_timestamp_micros(moment.0).unwrap_or_default().with_timezone(&self.0);
        let day = match there.weekday() {
            Weekday::Mon => Day::Mon,
            Weekday::Tue => Day::Tue,
            Weekday::Wed => Day::Wed,
            Weekday::Thu => Day::Thu,
            Weekday::Fri => Day::Fri,
            Weekday::Sat => Day::Sat,
            Weekday::Sun => Day::Sun,
        };
        (day, u16::try_from(there.hour() * 60 + there.minute()).expect("a day has 1,440 minutes"))
    }
}

impl FromStr for Zone {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| {
            // Cut before it is compared: the work grows with its length.
            let short: String = text.chars().take(64).collect();
            match nearest(&short, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())) {
                Some(near) => format!("there is no such time zone; did you mean \"{near}\"?"),
                None => "a time zone is written as IANA names it, as in \"Europe/Berlin\"".to_owned(),
            }
        })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

by_text!(Zone);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    #[test]
    fn hours_hold_from_their_first_minute_up_to_their_last_also_past_midnight() {
        let night: Hours = "22:00-06:00".parse().expect("hours");
        let cases = [(21 * 60 + 59, false), (22 * 60, true), (0, true), (5 * 60 + 59, true), (6 * 60, false)];
        for (minute, holds) in cases {
            assert_eq!(night.holds(minute), holds, "{minute}");
        }
        let noon: Hours = "11:30-13:00".parse().expect("hours");
        assert!(noon.holds(11 * 60 + 30) && !noon.holds(13 * 60) && !noon.holds(0));
        let evening: Hours = "18:00-24:00".parse().expect("until midnight");
        assert!(evening.holds(23 * 60 + 59) && !evening.holds(0));
        assert_eq!(night.to_string(), "22:00-06:00");
        for wrong in ["22:00", "22:00-22:00", "24:00-06:00", "22:60-23:00", "9:00-10:00", "+9:00-10:00", "a-b", "", "-"]
        {
            assert!(wrong.parse::<Hours>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_zone_knows_its_summer_time() {
        let berlin: Zone = "Europe/Berlin".parse().expect("a zone");
        assert_eq!(berlin.at(at("2026-07-05T22:30:00Z")), (Day::Mon, 30));
        assert_eq!(berlin.at(at("2026-01-04T22:30:00Z")), (Day::Sun, 23 * 60 + 30));
        assert_eq!(Zone::default().at(at("2026-11-23T08:15:00Z")), (Day::Mon, 8 * 60 + 15));
        assert_eq!(Zone::default().to_string(), "UTC");
        let near = "Europe/Berln".parse::<Zone>().expect_err("no zone");
        assert_eq!(near, "there is no such time zone; did you mean \"Europe/Berlin\"?");
        assert!("".parse::<Zone>().is_err() && "x".repeat(1 << 20).parse::<Zone>().is_err());
    }
}

//! How long a server asks to be left alone.

use std::time::{Duration, SystemTime};

use chrono::DateTime;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// The pause asked for by `retry-after-ms`, or by `Retry-After` in seconds or as a date.
///
/// A date is counted from the answer's own `Date`, so that neither clock matters; without one, from this machine's.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    if let Some(millis) = text(headers, "retry-after-ms").and_then(|text| text.parse::<f64>().ok()) {
        return Duration::try_from_secs_f64(millis / 1e3).ok();
    }
    let text = text(headers, RETRY_AFTER.as_str())?;
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let until = seconds_since_1970(text)?;
    let now = match self::text(headers, DATE.as_str()).and_then(seconds_since_1970) {
        Some(now) => now,
        None => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs(),
    };
    Some(Duration::from_secs(until.saturating_sub(now)))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Reads an HTTP date, which is written as in RFC 2822.
fn seconds_since_1970(date: &str) -> Option<u64> {
    DateTime::parse_from_rfc2822(date).ok()?.timestamp().try_into().ok()
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn asked(lines: &[(&'static str, &'static str)]) -> Option<Duration> {
        let line = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        retry_after(&lines.iter().map(line).collect())
    }

    #[test]
    fn every_way_of_asking_is_understood() {
        assert_eq!(asked(&[("retry-after", "20")]), Some(Duration::from_secs(20)));
        assert_eq!(asked(&[("retry-after", "1.5")]), Some(Duration::from_millis(1500)));
        assert_eq!(asked(&[("retry-after", "2"), ("retry-after-ms", "1200")]), Some(Duration::from_millis(1200)));
        let date = [("date", "Wed, 21 Oct 2026 07:28:00 GMT"), ("retry-after", "Wed, 21 Oct 2026 07:28:30 GMT")];
        assert_eq!(asked(&date), Some(Duration::from_secs(30)));
        assert_eq!(asked(&[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")]), Some(Duration::ZERO), "long past");
    }

    #[test]
    fn nonsense_asks_for_nothing() {
        for nonsense in ["-1", "NaN", "inf", "1e300", "soon", ""] {
            assert_eq!(asked(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
        assert_eq!(asked(&[]), None);
    }
}

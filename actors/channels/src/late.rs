//! What was said while nobody listened: how old it is, who is told so, and what is too old to be answered.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use mosaic_types::Timestamp;
use tokio::time::Instant;

use crate::channel::Heard;

/// What is older is said to be late. A restart takes seconds, a platform's hiccup a minute or two.
pub(crate) const LATE: Duration = Duration::from_secs(600);

/// In one conversation it is told once in so long that late messages are answered.
const TOLD_ONCE_IN: Duration = Duration::from_secs(60);

/// Conversations that are remembered as told, and those of which old messages are counted, at the most.
const ROOMS: usize = 1_000;

/// How old something is that was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    Fresh,
    /// It is answered, and said to be late.
    Late(Duration),
    /// It is not answered any more.
    Old,
}

/// Messages of a conversation that were passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Old {
    pub(crate) conversation: Arc<str>,
    pub(crate) count: usize,
}

/// The age of what is heard on one channel.
#[derive(Debug)]
pub(crate) struct Lateness {
    answered: Duration,
    told: RefCell<VecDeque<(Arc<str>, Instant)>>,
    old: RefCell<BTreeMap<Arc<str>, usize>>,
}

impl Lateness {
    /// What is older than `answered` is too old to be answered.
    pub(crate) fn new(answered: Duration) -> Self {
        Self { answered, told: RefCell::default(), old: RefCell::default() }
    }

    /// Of a button it is not known when it was pressed.
    pub(crate) fn age(&self, heard: &Heard, now: Timestamp) -> Age {
        let age = Duration::from_micros(u64::try_from(now.0.saturating_sub(heard.at.0)).unwrap_or(0));
        match age {
            _ if heard.pressed => Age::Fresh,
            age if age > self.answered => Age::Old,
            age if age > LATE => Age::Late(age),
            _ => Age::Fresh,
        }
    }

    /// Counts one that is passed over.
    pub(crate) fn pass_over(&self, conversation: &Arc<str>) {
        let mut old = self.old.borrow_mut();
        if old.len() < ROOMS || old.contains_key(conversation) {
            *old.entry(conversation.clone()).or_default() += 1;
        }
    }

    /// What was passed over since this was last asked.
    pub(crate) fn passed_over(&self) -> Vec<Old> {
        let old = std::mem::take(&mut *self.old.borrow_mut());
        old.into_iter().map(|(conversation, count)| Old { conversation, count }).collect()
    }

    /// What people are told of those.
    pub(crate) fn sentence(&self, count: usize) -> String {
        let (messages, were) = if count == 1 { ("message", "was") } else { ("messages", "were") };
        let limit = span(self.answered);
        format!(
            "While I was away, {count} {messages} {were} written here more than {limit} ago. That is too old to be answered \
             now: say again what still matters."
        )
    }

    /// Whether the conversation is to be told that late messages are answered; not for each of them.
    pub(crate) fn tells(&self, conversation: &Arc<str>) -> bool {
        let (mut told, now) = (self.told.borrow_mut(), Instant::now());
        told.retain(|(_, at)| now - *at < TOLD_ONCE_IN);
        if told.iter().any(|(known, _)| known == conversation) {
            return false;
        }
        if told.len() >= ROOMS {
            told.pop_front();
        }
        told.push_back((conversation.clone(), now));
        true
    }
}

/// What the model reads behind a late message.
pub(crate) fn mark(text: &str, age: Duration) -> String {
    format!("{text}\n\n[Written {} ago; the assistant was away and reads it only now.]", span(age))
}

/// As people say it: days and hours, hours and minutes, or minutes.
pub(crate) fn span(age: Duration) -> String {
    let minutes = age.as_secs() / 60;
    let parts = match (minutes / 1_440, minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => [(minutes, "min"), (0, "")],
        (0, hours, minutes) => [(hours, "h"), (minutes, "min")],
        (1, 0, minutes) => [(24, "h"), (minutes, "min")],
        (days, hours, _) => [(days, "d"), (hours, "h")],
    };
    let parts = parts.iter().enumerate().filter(|(place, (count, _))| *place == 0 || *count > 0);
    parts.map(|(_, (count, unit))| format!("{count} {unit}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_said_as_people_say_it() {
        let said = |secs| span(Duration::from_secs(secs));
        let all = [0, 59 * 60, 7_200, 7_500, 86_399, 86_400, 2 * 86_400, 2 * 86_400 + 3_700];
        assert_eq!(all.map(said), ["0 min", "59 min", "2 h", "2 h 5 min", "23 h 59 min", "24 h", "2 d", "2 d 1 h"]);
    }

    #[test]
    fn what_is_counted_is_bounded_and_counted_once() {
        let late = Lateness::new(Duration::from_secs(86_400));
        for number in 0..2 * ROOMS {
            late.pass_over(&number.to_string().into());
            late.pass_over(&"0".into());
        }
        let counted = late.passed_over();
        assert_eq!((counted.len(), counted[0].count), (ROOMS, 2 * ROOMS + 1));
        assert_eq!(late.passed_over(), []);
        assert!(late.sentence(1).contains("1 message was written here more than 24 h ago"));
        assert!(late.sentence(3).contains("3 messages were"));
    }
}

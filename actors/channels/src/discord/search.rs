//! Looks for a message of ours that was cut off when it was sent.
//!
//! Discord tells a message's nonce to whoever sent it and on the gateway, and does not keep it: what is read of a room later
//! has none. So a message is known by what it shows, and looked for only where it can stand: behind all that its conversation
//! was told before.

use std::time::Duration;

use mosaic_types::Timestamp;
use mosaic_types::outbox::{Finding, Item, Shown};
use serde_json::Value;

use super::Inner;
use super::missed::made_by;
use super::outbound::{number, room};
use super::trouble::Trouble;
use crate::page::{FILE_NAME, Part};

/// Messages that are asked for at once, at the most (API reference, "Get Channel Messages").
const PAGE: usize = 100;

/// Pages that are looked through: it stands among the first that were said after the item was made.
const PAGES: usize = 10;

/// So far may the clocks of Discord and of this machine be apart.
const SKEW: Duration = Duration::from_secs(600);

impl Inner {
    /// Finds out whether a part is there that was cut off. The messages `before` told other things.
    pub(super) async fn look_for(&self, item: &Item, before: &[String]) -> Finding {
        // An edit may be repeated.
        if item.part == 0 && item.preview.is_some() {
            return Finding::Repeat;
        }
        let Some(room) = room(&item.to.name) else { return Finding::Repeat };
        let part = self.style.part(item);
        let same = |message: &Value| match &part {
            Part::Message(page) => message["content"] == page.text.trim(),
            Part::File(_) => message["attachments"][0]["filename"] == FILE_NAME,
        };
        let up_to = match &part {
            Part::Message(page) => page.up_to,
            Part::File(_) => None,
        };
        let mut after = begin(item.created_at, before);
        for _ in 0..PAGES {
            let said = match self.rest.get(&format!("channels/{room}/messages?after={after}&limit={PAGE}")).await {
                Ok(said) => said,
                Err(Trouble::Flood { wait, .. }) => return Finding::Later { after: Some(wait) },
                // Whether it is there matters no more: what is sent anew will be refused.
                Err(Trouble::Never { .. }) => return Finding::Repeat,
                Err(_) => return Finding::Later { after: None },
            };
            if let Some(id) = find(&said, &self.account, &item.nonce(), same) {
                return Finding::Done(Shown { platform_id: Some(id), up_to });
            }
            let page = said.as_array().map(Vec::as_slice).unwrap_or_default();
            after = page.iter().filter_map(id).fold(after, u64::max);
            if page.len() < PAGE {
                break;
            }
        }
        Finding::Repeat
    }
}

/// The message behind which it stands. Numbers grow, and all that a conversation was told before was told by then; where it
/// was told nothing, or that was long ago, the item was not made yet.
fn begin(created_at: Timestamp, before: &[String]) -> u64 {
    let told = before.iter().filter_map(|id| number(id)).max().unwrap_or(0);
    let skew = i64::try_from(SKEW.as_micros()).unwrap_or(i64::MAX);
    told.max(made_by(Timestamp(created_at.0.saturating_sub(skew))))
}

/// The message of ours among `said` that has that nonce; or, where Discord tells none, that shows the `same`.
fn find(said: &Value, account: &str, nonce: &str, same: impl Fn(&Value) -> bool) -> Option<String> {
    let ours = || said.as_array().into_iter().flatten().filter(|message| message["author"]["id"] == account);
    let told = |message: &Value| message["nonce"].is_string() || message["nonce"].is_number();
    let found = match ours().find(|message| message["nonce"] == nonce) {
        None => ours().find(|message| !told(message) && same(message)),
        found => found,
    };
    found.and_then(|message| message["id"].as_str()).map(str::to_owned)
}

fn id(message: &Value) -> Option<u64> {
    message["id"].as_str().and_then(number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::outbound::made_at;
    use super::*;

    #[test]
    fn a_message_is_found_by_its_nonce_and_by_its_text_only_where_it_has_none() {
        let message = |author: &str, id: u64, nonce: Value| json!({"id": id.to_string(), "author": {"id": author}, "content": "hello", "nonce": nonce});
        let found = |said: Value| find(&said, "9", "n1", |message| message["content"] == "hello");
        let by_nonce = json!([message("9", 7, json!("n2")), message("9", 6, json!("n1"))]);
        assert_eq!(found(by_nonce).as_deref(), Some("6"));
        assert_eq!(found(json!([message("9", 7, json!("n2"))])), None, "another answer of the same words");
        assert_eq!(found(json!([message("9", 7, Value::Null)])).as_deref(), Some("7"));
        assert_eq!(found(json!([message("8", 7, json!("n1"))])), None, "somebody else's");
        assert_eq!(found(Value::Null), None);
    }

    #[test]
    fn it_is_looked_for_behind_what_was_told_before_and_not_long_before_it_was_made() {
        let minute = |count: u64| (count * 60_000) << 22;
        let created = Timestamp(made_at(minute(60)));
        let since = minute(50);
        assert_eq!(begin(created, &[]), since, "clocks may be apart");
        let told = |numbers: &[u64]| begin(created, &numbers.iter().map(u64::to_string).collect::<Vec<_>>());
        assert_eq!(told(&[minute(3), minute(2)]), since, "that was long ago");
        assert_eq!(told(&[minute(55), minute(58), minute(57)]), minute(58));
        assert_eq!(told(&[minute(70)]), minute(70), "the clock of this machine is slow");
        assert_eq!(begin(created, &["not a number".to_owned()]), since);
    }
}

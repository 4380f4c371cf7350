//! What kind of place a room is, and threads: those there are, and those that we open.

use std::collections::HashMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::Inner;
use super::interaction::is_thread;
use super::outbound::number;
use super::trouble::Trouble;
use crate::allow::Mark;
use crate::channel::{Heard, Unopened};

/// Rooms that are known, at the most.
const ROOMS: usize = 10_000;

/// Rooms of a guild in which a thread can be opened from a message: text and announcements (API reference, "Channel
/// Types").
const TEXT: [u64; 2] = [0, 5];

/// There is a thread already that was opened from that message (API reference, "JSON Error Codes").
const OPENED: u64 = 160_004;

/// What kind of place a room is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Threads may be opened in it.
    Text,
    /// A thread, or a post of a forum: the room that it belongs to, and whether we opened it.
    Thread {
        of: Option<u64>,
        ours: bool,
    },
    Other,
}

/// What is known of rooms.
#[derive(Debug, Default)]
pub(super) struct Places(HashMap<u64, Place>);

impl Places {
    fn keep(&mut self, room: u64, place: Place) {
        if self.0.len() >= ROOMS {
            self.0.clear();
        }
        self.0.insert(room, place);
    }
}

impl Inner {
    /// What was heard, with what follows from where it was: whoever may talk in a room may in its threads; in a thread that
    /// we opened everything is for us; and from what is said in a room a thread may be opened.
    pub(super) async fn placed(&self, mut heard: Heard) -> Heard {
        let matters = self.threads || (self.by_room && heard.addressed);
        let room = number(&heard.conversation).filter(|_| matters && !heard.direct);
        let Some(room) = room else { return heard };
        match self.place(room).await {
            Some(Place::Thread { of, ours }) => {
                heard.marks.extend(of.filter(|_| self.by_room).map(|room| Mark::Chat(room.to_string())));
                heard.addressed |= self.threads && ours && !heard.from.bot;
            }
            Some(Place::Text) if self.threads => {
                let first = heard.edits.as_ref().unwrap_or(&heard.event);
                heard.branch = number(first).map(|_| first.clone());
            }
            _ => {}
        }
        heard
    }

    async fn place(&self, room: u64) -> Option<Place> {
        let known = self.places.borrow().0.get(&room).copied();
        if known.is_some() {
            return known;
        }
        // Whoever may talk by what it is must not be passed over because Discord could not say so at that moment.
        let told = self.ask_patiently(&format!("channels/{room}")).await?;
        let place = place(&told, &self.account);
        self.places.borrow_mut().keep(room, place);
        Some(place)
    }

    /// Opens a thread from a message, whose number is the message's own.
    pub(super) async fn open_thread(&self, room: &str, message: &str, title: &str) -> Result<(), Unopened> {
        let (Some(room), Some(message)) = (number(room), number(message)) else { return Err(Unopened::Never) };
        let path = format!("channels/{room}/messages/{message}/threads");
        let opened = self.rest.call(Method::POST, &path, Some(&json!({"name": title}))).await;
        match opened {
            Ok(_) | Err(Trouble::Never { code: OPENED, .. }) => {
                self.places.borrow_mut().keep(message, Place::Thread { of: Some(room), ours: true });
                Ok(())
            }
            Err(Trouble::Flood { wait, .. }) => Err(Unopened::Later(Some(wait))),
            Err(Trouble::Away | Trouble::Failed | Trouble::CutOff) => {
                Err(Unopened::Later(Some(Duration::from_secs(1))))
            }
            Err(trouble) => {
                tracing::warn!(
                    room,
                    ?trouble,
                    "no thread can be opened there, so it is answered in the room; may the bot Create Public Threads?"
                );
                Err(Unopened::Never)
            }
        }
    }
}

/// What Discord tells of a room.
fn place(told: &Value, account: &str) -> Place {
    match told["type"].as_u64() {
        Some(kind) if TEXT.contains(&kind) => Place::Text,
        Some(kind) if u8::try_from(kind).is_ok_and(is_thread) => {
            let of = told["parent_id"].as_str().and_then(number);
            Place::Thread { of, ours: told["owner_id"] == account }
        }
        _ => Place::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_ours_where_we_opened_it_and_a_category_is_nobodys_room() {
        let told = |kind: u64, owner: &str| json!({"type": kind, "parent_id": "5", "owner_id": owner});
        assert_eq!(place(&told(11, "42"), "42"), Place::Thread { of: Some(5), ours: true });
        assert_eq!(place(&told(12, "43"), "42"), Place::Thread { of: Some(5), ours: false });
        assert_eq!(place(&told(0, ""), "42"), Place::Text);
        assert_eq!(place(&told(5, ""), "42"), Place::Text);
        assert_eq!((place(&told(15, ""), "42"), place(&Value::Null, "42")), (Place::Other, Place::Other));
    }

    #[test]
    fn of_very_many_rooms_only_so_many_are_kept_in_mind() {
        let mut places = Places::default();
        (1..=ROOMS as u64 + 5).for_each(|room| places.keep(room, Place::Text));
        assert_eq!(places.0.len(), 5);
    }
}

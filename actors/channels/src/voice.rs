//! Shows answers while they are made: a message that grows, at the platform's pace. The end of a turn is not shown here
//! but by the outbox, which first has the turn's voice fall silent, so that no late preview covers a final.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mosaic_messages::Kept;
use mosaic_types::outbox::Conversation;
use mosaic_types::{AgentName, EventBody, SessionEvent, SessionId, TurnId};
use tokio::sync::{Mutex, Notify};
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

use crate::channel::{Channel, Preview, Unshown};
use crate::chunk;
use crate::house::House;

/// How often it is looked whether there is more to show. What is shown then is the pace's business.
const LOOK: Duration = Duration::from_millis(500);

/// What is answered within this time is not shown half done.
const FIRST: Duration = Duration::from_secs(1);

/// Platforms show "is typing" for five seconds or ten.
const TYPING: Duration = Duration::from_secs(4);

/// Turns that are shown at once, at the most; the answers of others come whole.
const VOICES: usize = 1_000;

/// The text of a turn so far, as its session tells it.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// Who speaks, once it is known.
    agent: Option<AgentName>,
    /// Attempt and step that speak.
    of: (u32, u32),
    text: String,
    chars: usize,
    shown: String,
}

/// What a draft thinks of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    Nothing,
    Grown,
    /// Its turn is over.
    Over,
}

impl Draft {
    /// Hears what happens in the session of `turn`.
    pub(crate) fn hear(&mut self, turn: TurnId, event: &SessionEvent) -> News {
        if event.turn != Some(turn) {
            return News::Nothing;
        }
        match &event.body {
            EventBody::TurnDelta { attempt, step, offset, text } => {
                if (*attempt, *step) != self.of {
                    (self.of, self.chars) = ((*attempt, *step), 0);
                    self.text.clear();
                }
                // What comes again, after a gap in hearing, comes from the beginning.
                if *offset == 0 {
                    (self.text, self.chars) = (String::new(), 0);
                }
                if *offset != self.chars {
                    return News::Nothing;
                }
                self.text += text;
                self.chars += text.chars().count();
                News::Grown
            }
            EventBody::TurnStarted { agent, .. } => {
                self.agent = Some(agent.clone());
                News::Nothing
            }
            body if body.is_end() => News::Over,
            _ => News::Nothing,
        }
    }

    /// What to show in a message of `limit` units, where it differs from what is shown.
    pub(crate) fn due(&self, limit: usize) -> Option<String> {
        let shown = chunk::next(&self.text, 0, limit).shown();
        (!shown.trim().is_empty() && shown != self.shown).then_some(shown)
    }

    /// That text is shown now.
    pub(crate) fn shows(&mut self, text: String) {
        self.shown = text;
    }
}

struct Lane {
    /// Held during each call of the platform.
    call: Mutex<()>,
    closed: Cell<bool>,
    over: Notify,
    task: RefCell<Option<AbortHandle>>,
}

/// By turn and conversation.
type Lanes = HashMap<(TurnId, Arc<str>), Rc<Lane>>;

/// What is being shown. Its end is the end of all its voices.
#[derive(Default)]
pub(crate) struct Voices {
    lanes: RefCell<Lanes>,
}

impl Drop for Voices {
    fn drop(&mut self) {
        for lane in self.lanes.borrow().values() {
            if let Some(task) = &*lane.task.borrow() {
                task.abort();
            }
        }
    }
}

/// The turn to be shown, and where.
#[derive(Clone)]
pub(crate) struct Showing {
    pub(crate) to: Conversation,
    pub(crate) session: SessionId,
    pub(crate) turn: TurnId,
    pub(crate) reply_to: Option<Arc<str>>,
}

impl Voices {
    /// Shows a turn as it goes, unless that is done already or too much is shown at once.
    pub(crate) fn begin(self: &Rc<Self>, showing: Showing, channel: Rc<dyn Channel>, house: Arc<dyn House>) {
        let key = (showing.turn, showing.to.name.clone());
        let mut lanes = self.lanes.borrow_mut();
        if lanes.len() >= VOICES || lanes.contains_key(&key) {
            return;
        }
        let lane = Rc::new(Lane {
            call: Mutex::default(),
            closed: Cell::new(false),
            over: Notify::new(),
            task: RefCell::default(),
        });
        lanes.insert(key.clone(), lane.clone());
        let (voices, own) = (Rc::downgrade(self), lane.clone());
        let task = actix::spawn(async move {
            tokio::select! {
                () = show(showing, &*channel, &*house, &own) => {}
                () = own.over.notified() => {}
            }
            if let Some(voices) = voices.upgrade() {
                voices.lanes.borrow_mut().remove(&key);
            }
        });
        *lane.task.borrow_mut() = Some(task.abort_handle());
    }

    /// From here on nothing more of the turn is shown in that conversation; waits for a call that is under way.
    pub(crate) async fn hush(&self, turn: TurnId, conversation: &Arc<str>) {
        let lane = self.lanes.borrow().get(&(turn, conversation.clone())).cloned();
        let Some(lane) = lane else { return };
        lane.closed.set(true);
        drop(lane.call.lock().await);
        lane.over.notify_one();
    }
}

/// A text that grows, as it is shown first: until the message's number is stored the process may die and leave it
/// standing, and nobody is to take it for the answer, which comes as another one.
fn unfinished(text: &str) -> String {
    let text = text.trim_end();
    // Behind the end of a code block it would be a part of that line.
    let gap = if text.ends_with("```") { '\n' } else { ' ' };
    format!("{text}{gap}…")
}

/// What that adds.
const UNFINISHED_UNITS: usize = 2;

async fn show(showing: Showing, channel: &dyn Channel, house: &dyn House, lane: &Lane) {
    let Showing { to, session, turn, reply_to } = showing;
    let Some(mut reader) = house.read(session, turn).await else { return };
    let mut draft = Draft { agent: reader.agent(), ..Draft::default() };
    let (mut message, mut previews) = (None::<Arc<str>>, true);
    let (mut look, mut typing) = (interval_at(Instant::now() + FIRST, LOOK), interval(TYPING));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    typing.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = reader.next() => match event.as_deref().map(|event| draft.hear(turn, event)) {
                Some(News::Over) | None => return,
                Some(News::Nothing | News::Grown) => {}
            },
            _ = typing.tick(), if message.is_none() => {
                let _call = lane.call.lock().await;
                if !lane.closed.get() {
                    channel.typing(to.clone()).await;
                }
            }
            _ = look.tick(), if previews => {
                let room = channel.room(draft.agent.as_ref());
                let limit = room - if message.is_none() { UNFINISHED_UNITS } else { 0 };
                let Some(text) = draft.due(limit) else { continue };
                // Begun now, it would stand before an answer of before that is still on its way.
                if message.is_none() && house.owes(to.clone()).await.unwrap_or(true) {
                    continue;
                }
                let _call = lane.call.lock().await;
                if lane.closed.get() {
                    return;
                }
                let seen = if message.is_none() { unfinished(&text) } else { text.clone() };
                let ask = Preview {
                    to: to.clone(), turn, reply_to: reply_to.clone(), platform_id: message.clone(),
                    agent: draft.agent.clone(), text: seen,
                };
                match channel.preview(ask).await {
                    Ok(id) => {
                        draft.shows(text);
                        if message.is_none() {
                            let kept = house.keep_preview(turn, to.clone(), id.clone()).await;
                            match kept {
                                Ok(Kept::Kept) => message = Some(id),
                                Ok(Kept::Other(other)) => {
                                    channel.remove(to.clone(), id).await;
                                    message = Some(other);
                                }
                                // The turn's end does not know of it.
                                Ok(Kept::Unwanted) | Err(_) => {
                                    channel.remove(to.clone(), id).await;
                                    previews = false;
                                }
                            }
                        }
                    }
                    Err(Unshown::Later) => {}
                    Err(Unshown::Never) => previews = false,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: TurnId = TurnId(uuid::Uuid::nil());

    fn event(body: EventBody) -> SessionEvent {
        SessionEvent { body, session: "s".parse().expect("valid"), turn: Some(TURN), seq: None }
    }

    fn delta(attempt: u32, step: u32, offset: usize, text: &str) -> SessionEvent {
        event(EventBody::TurnDelta { attempt, step, offset, text: text.into() })
    }

    #[test]
    fn a_draft_is_the_text_of_the_step_that_speaks_and_of_no_other() {
        let mut draft = Draft::default();
        assert_eq!(draft.due(4_096), None, "nothing was said yet");
        assert_eq!(draft.hear(TURN, &delta(1, 1, 0, "Hä")), News::Grown);
        assert_eq!(draft.hear(TURN, &delta(1, 1, 2, "llo")), News::Grown);
        assert_eq!(draft.due(4_096).as_deref(), Some("Hällo"));
        draft.shows("Hällo".into());
        assert_eq!(draft.due(4_096), None, "nothing new");
        assert_eq!(draft.hear(TURN, &delta(1, 1, 9, "gap")), News::Nothing);
        assert_eq!(draft.hear(TURN, &delta(2, 1, 0, "Again")), News::Grown, "another attempt begins anew");
        assert_eq!(draft.due(4_096).as_deref(), Some("Again"));
        let other = SessionEvent { turn: None, ..event(EventBody::TurnCancelled { text: None }) };
        assert_eq!(draft.hear(TURN, &other), News::Nothing);
        assert_eq!(draft.hear(TURN, &event(EventBody::TurnCancelled { text: None })), News::Over);
    }

    #[test]
    fn what_grows_is_first_shown_as_unfinished_and_within_a_message() {
        let mut draft = Draft::default();
        draft.hear(TURN, &delta(1, 1, 0, &"word ".repeat(200)));
        let first = unfinished(&draft.due(300 - UNFINISHED_UNITS).expect("something to show"));
        assert!(first.ends_with("word …") && chunk::units(&first) <= 300);
        assert_eq!(unfinished("```\nlet a = 1;\n```"), "```\nlet a = 1;\n```\n…");
    }

    #[test]
    fn a_draft_that_is_longer_than_a_message_shows_its_first_part_once() {
        let mut draft = Draft::default();
        draft.hear(TURN, &delta(1, 1, 0, &"word ".repeat(200)));
        let first = draft.due(300).expect("something to show");
        assert!(chunk::units(&first) <= 300);
        draft.shows(first);
        draft.hear(TURN, &delta(1, 1, 1_000, "and more"));
        assert_eq!(draft.due(300), None);
    }
}

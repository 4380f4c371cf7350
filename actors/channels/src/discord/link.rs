//! The gateway's protocol: frames in, what is to be done out. No socket, no clock of its own.
//!
//! ```text
//! hello ─► identify ─► READY ─► events …            heartbeat ─► ack, or the connection is dead
//!      └─► resume ─► events that were missed ─► RESUMED ─► events …
//! ```

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use serenity::model::gateway::GatewayIntents;
use tokio::time::Instant;

use super::trouble::Left;

/// Discord greets at once.
const HELLO: Duration = Duration::from_secs(20);

/// An acknowledgement is waited for so long, or until the next heartbeat. With Discord's own pace of 41 seconds a dead
/// connection is noticed within about a minute.
const ACK: Duration = Duration::from_secs(20);

/// An acknowledgement comes behind all that was told before it: while Discord speaks it is waited for longer, and not for
/// ever.
const ACK_LONGEST: Duration = Duration::from_secs(45);

/// Heartbeats closer together than this are no use to anyone.
const BEAT_SHORTEST: Duration = Duration::from_millis(100);

/// A session that could not be resumed so often is given up.
const RESUMES: u8 = 3;

/// What it takes to resume a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) id: String,
    /// Where to resume.
    pub(super) url: String,
    /// The last event that is done with.
    pub(super) seq: u64,
    /// Tries in a row that came to nothing.
    pub(super) tries: u8,
}

impl Known {
    /// The session, with one more try; `None` where it is time to begin anew.
    pub(super) fn tried(mut self) -> Option<Self> {
        self.tries += 1;
        (self.tries <= RESUMES).then_some(self)
    }
}

/// Something to do about a frame.
#[derive(Debug, PartialEq)]
pub(super) enum Effect {
    Send(Value),
    /// A session begins; events of the one before are not told any more.
    Begun,
    /// The session goes on.
    Resumed,
    /// An event, its number, and its data as text.
    Event {
        seq: u64,
        kind: String,
        data: String,
    },
    Leave(Left),
}

#[derive(Debug, Deserialize)]
struct Frame<'a> {
    op: u8,
    s: Option<u64>,
    t: Option<String>,
    #[serde(borrow, default)]
    d: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Hello {
    heartbeat_interval: u64,
}

#[derive(Debug, Deserialize)]
struct Ready {
    session_id: String,
    resume_gateway_url: String,
}

#[derive(Debug, Clone, Copy)]
struct Beats {
    every: Duration,
    next: Instant,
    /// Since when one is not acknowledged, and when something was heard last since.
    open: Option<(Instant, Instant)>,
}

impl Beats {
    /// When the acknowledgement that is not there means that nobody is.
    fn silent_at(&self) -> Option<Instant> {
        self.open.map(|(since, heard)| (heard + self.every.min(ACK)).min(since + ACK_LONGEST))
    }
}

/// One connection.
pub(super) struct Link {
    token: String,
    intents: GatewayIntents,
    known: Option<Known>,
    /// The last event that was told.
    last: Option<u64>,
    /// The session went on.
    resumed: bool,
    began: Instant,
    beats: Option<Beats>,
    /// Where in its first interval the first heartbeat falls, from 0 to 1.
    chance: f64,
}

impl Link {
    pub(super) fn new(token: &str, intents: GatewayIntents, known: Option<Known>, chance: f64, now: Instant) -> Self {
        Self {
            token: token.to_owned(),
            intents,
            last: known.as_ref().map(|known| known.seq),
            known,
            resumed: false,
            began: now,
            beats: None,
            chance,
        }
    }

    /// The session that this connection belongs to.
    pub(super) fn known(&self) -> Option<&Known> {
        self.known.as_ref()
    }

    /// Whether the session before went on, which costs none of a day's sessions.
    pub(super) fn resumed(&self) -> bool {
        self.resumed
    }

    /// Hears a frame. One that cannot be read is passed over.
    pub(super) fn hear(&mut self, text: &str, now: Instant) -> Vec<Effect> {
        let Ok(frame) = serde_json::from_str::<Frame<'_>>(text) else {
            tracing::warn!("a frame of Discord's gateway cannot be read and is passed over");
            return Vec::new();
        };
        let data = frame.d.map_or("null", RawValue::get);
        if let Some((_, heard)) = self.beats.as_mut().and_then(|beats| beats.open.as_mut()) {
            *heard = now;
        }
        match frame.op {
            0 => self.event(frame.s, frame.t.unwrap_or_default(), data),
            1 => vec![self.beat(now)],
            7 => vec![Effect::Leave(Left::Asked)],
            9 if data.trim() == "true" => vec![Effect::Leave(Left::Broken)],
            9 => vec![Effect::Leave(Left::Lapsed)],
            10 => self.greeted(data, now),
            11 => {
                if let Some(beats) = &mut self.beats {
                    beats.open = None;
                }
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn greeted(&mut self, data: &str, now: Instant) -> Vec<Effect> {
        let Ok(hello) = serde_json::from_str::<Hello>(data) else { return vec![Effect::Leave(Left::Broken)] };
        let every = Duration::from_millis(hello.heartbeat_interval).max(BEAT_SHORTEST);
        self.beats = Some(Beats { every, next: now + every.mul_f64(self.chance.clamp(0.0, 1.0)), open: None });
        vec![Effect::Send(match &self.known {
            Some(known) => {
                json!({"op": 6, "d": {"token": self.token, "session_id": known.id, "seq": known.seq}})
            }
            None => json!({"op": 2, "d": {"token": self.token, "intents": self.intents.bits(), "large_threshold": 50,
                "properties": {"os": std::env::consts::OS, "browser": "mosaic", "device": "mosaic"}}}),
        })]
    }

    fn event(&mut self, seq: Option<u64>, kind: String, data: &str) -> Vec<Effect> {
        let Some(seq) = seq else { return Vec::new() };
        self.last = Some(seq);
        let event = |kind| Effect::Event { seq, kind, data: data.to_owned() };
        match kind.as_str() {
            "READY" => match serde_json::from_str::<Ready>(data) {
                Ok(ready) => {
                    self.known = Some(Known { id: ready.session_id, url: ready.resume_gateway_url, seq, tries: 0 });
                    vec![Effect::Begun, event(kind)]
                }
                Err(_) => vec![Effect::Leave(Left::Broken)],
            },
            "RESUMED" => {
                self.resumed = true;
                if let Some(known) = &mut self.known {
                    known.tries = 0;
                }
                vec![Effect::Resumed, event(kind)]
            }
            _ => vec![event(kind)],
        }
    }

    fn beat(&mut self, now: Instant) -> Effect {
        if let Some(beats) = &mut self.beats {
            beats.next = now + beats.every;
            beats.open = beats.open.or(Some((now, now)));
        }
        Effect::Send(json!({"op": 1, "d": self.last}))
    }

    /// When to look again.
    pub(super) fn wake(&self) -> Instant {
        match self.beats {
            None => self.began + HELLO,
            Some(beats) => beats.silent_at().map_or(beats.next, |silent| beats.next.min(silent)),
        }
    }

    /// Does what is due. `listens`: frames are read, so that a missing acknowledgement means something.
    pub(super) fn tick(&mut self, now: Instant, listens: bool) -> Option<Effect> {
        let Some(beats) = &mut self.beats else {
            return (now >= self.began + HELLO).then_some(Effect::Leave(Left::Silent));
        };
        if !listens {
            beats.open = beats.open.map(|_| (now, now));
        }
        if beats.silent_at().is_some_and(|silent| now >= silent) {
            return Some(Effect::Leave(Left::Silent));
        }
        (now >= beats.next).then(|| self.beat(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn link(known: Option<Known>) -> (Link, Instant) {
        let now = Instant::now();
        (Link::new("T", GatewayIntents::GUILD_MESSAGES, known, 0.5, now), now)
    }

    fn known() -> Known {
        Known { id: "s".into(), url: "ws://there".into(), seq: 7, tries: 1 }
    }

    fn hello(link: &mut Link, now: Instant) -> Vec<Effect> {
        link.hear(r#"{"op":10,"d":{"heartbeat_interval":40000}}"#, now)
    }

    fn op(effect: &Effect) -> u64 {
        match effect {
            Effect::Send(frame) => frame["op"].as_u64().expect("a number"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_new_bot_identifies_and_a_known_one_resumes_after_what_is_done_with() {
        let (mut new, now) = link(None);
        let said = hello(&mut new, now);
        assert_eq!(op(&said[0]), 2);
        let (mut old, now) = link(Some(known()));
        let said = hello(&mut old, now);
        assert_eq!(said, [Effect::Send(json!({"op": 6, "d": {"token": "T", "session_id": "s", "seq": 7}}))]);
    }

    #[test]
    fn a_session_begins_goes_on_and_ends() {
        let (mut link, now) = link(None);
        hello(&mut link, now);
        let ready = r#"{"op":0,"s":1,"t":"READY","d":{"session_id":"s","resume_gateway_url":"ws://there","x":1}}"#;
        assert_eq!(link.hear(ready, now)[0], Effect::Begun);
        assert_eq!(link.known(), Some(&Known { id: "s".into(), url: "ws://there".into(), seq: 1, tries: 0 }));
        let said = link.hear(r#"{"op":0,"s":2,"t":"MESSAGE_CREATE","d":{"id":"1"}}"#, now);
        let data = r#"{"id":"1"}"#.to_owned();
        assert_eq!(said, [Effect::Event { seq: 2, kind: "MESSAGE_CREATE".into(), data }]);
        assert_eq!(link.hear(r#"{"op":7,"d":null}"#, now), [Effect::Leave(Left::Asked)]);
        assert_eq!(link.hear(r#"{"op":9,"d":true}"#, now), [Effect::Leave(Left::Broken)]);
        assert_eq!(link.hear(r#"{"op":9,"d":false}"#, now), [Effect::Leave(Left::Lapsed)]);
    }

    #[test]
    fn a_resumed_session_is_good_again_and_one_that_never_is_is_given_up() {
        let (mut link, now) = link(Some(known()));
        hello(&mut link, now);
        assert_eq!(link.hear(r#"{"op":0,"s":8,"t":"RESUMED","d":{}}"#, now)[0], Effect::Resumed);
        assert_eq!(link.known().map(|known| known.tries), Some(0));
        let mut tries = 0;
        let mut session = Some(Known { tries: 0, ..known() });
        while let Some(known) = session.and_then(Known::tried) {
            session = Some(known);
            tries += 1;
        }
        assert_eq!(tries, 3);
    }

    #[test]
    fn heartbeats_keep_their_pace_and_a_missing_answer_is_noticed_within_a_minute() {
        let (mut link, now) = link(None);
        assert_eq!(link.wake(), now + HELLO);
        hello(&mut link, now);
        assert_eq!(link.wake(), now + 20 * SECOND, "the first comes by chance within the first interval");
        assert_eq!(link.tick(now + 19 * SECOND, true), None);
        let first = link.tick(now + 20 * SECOND, true).expect("it is time");
        assert_eq!(op(&first), 1);
        link.hear(r#"{"op":11}"#, now + 21 * SECOND);
        assert_eq!(link.wake(), now + 60 * SECOND);
        assert_eq!(link.tick(now + 60 * SECOND, true).as_ref().map(op), Some(1));
        assert_eq!(link.wake(), now + 80 * SECOND, "the answer is waited for");
        assert_eq!(link.tick(now + 80 * SECOND, true), Some(Effect::Leave(Left::Silent)));
    }

    #[test]
    fn whoever_does_not_read_does_not_miss_an_answer() {
        let (mut link, now) = link(None);
        hello(&mut link, now);
        assert_eq!(link.tick(now + 20 * SECOND, true).as_ref().map(op), Some(1));
        assert_eq!(link.tick(now + 40 * SECOND, false), None);
        assert_eq!(link.tick(now + 59 * SECOND, true), None);
        assert_eq!(link.tick(now + 60 * SECOND, true), Some(Effect::Leave(Left::Silent)));
    }

    #[test]
    fn an_acknowledgement_behind_much_that_is_told_is_waited_for_and_not_for_ever() {
        let (mut link, now) = link(None);
        hello(&mut link, now);
        assert_eq!(link.tick(now + 20 * SECOND, true).as_ref().map(op), Some(1));
        let told = r#"{"op":0,"s":9,"t":"TYPING_START","d":{}}"#;
        for second in 21..=50 {
            link.hear(told, now + second * SECOND);
            assert_eq!(link.tick(now + second * SECOND, true), None, "it speaks");
        }
        let (mut muted, mut busy) = (link, now + 50 * SECOND);
        while busy < now + 64 * SECOND {
            busy += SECOND;
            muted.hear(told, busy);
            assert!(!matches!(muted.tick(busy, true), Some(Effect::Leave(_))), "not yet");
        }
        muted.hear(told, now + 65 * SECOND);
        assert_eq!(muted.tick(now + 65 * SECOND, true), Some(Effect::Leave(Left::Silent)));
    }

    #[test]
    fn a_heartbeat_that_is_asked_for_is_sent_at_once_and_nobody_greets_for_ever() {
        let (mut link, now) = link(None);
        assert_eq!(link.tick(now + HELLO, true), Some(Effect::Leave(Left::Silent)));
        hello(&mut link, now);
        link.hear(r#"{"op":0,"s":9,"t":"TYPING_START","d":{}}"#, now);
        assert_eq!(link.hear(r#"{"op":1,"d":null}"#, now), [Effect::Send(json!({"op": 1, "d": 9}))]);
    }

    #[test]
    fn what_cannot_be_read_is_passed_over() {
        let (mut link, now) = link(None);
        for odd in ["", "[]", "{}", "{\"op\":99}", "{\"op\":0}", "{\"op\":0,\"t\":\"X\"}", "{\"op\":300}", "\u{0}"] {
            assert_eq!(link.hear(odd, now), [], "{odd:?}");
        }
        assert_eq!(link.hear(r#"{"op":10,"d":"soon"}"#, now), [Effect::Leave(Left::Broken)]);
    }
}

//! The socket's decisions and its way out, as plain values.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mosaic_runtime::events::{Ended, Told};
use mosaic_types::{Code, EventBody, Failure, Principal, SessionEvent, SessionId, TurnId, UserId, UserRole};
use serde_json::Value;
use tokio::time::Instant;

use super::asked::SESSIONS;
use super::close::Close;
use super::config::SocketConfig;
use super::effect::{Effect, Effects, Heard};
use super::outbox::{CREDIT, Full, Outbox, Piece, WAITING};
use super::state::State;

fn session() -> SessionId {
    "s".parse().expect("valid")
}

fn turn() -> TurnId {
    TurnId(uuid::Uuid::nil())
}

fn delta(offset: usize, text: &str) -> Arc<SessionEvent> {
    let body = EventBody::TurnDelta { attempt: 1, step: 1, offset, text: text.into() };
    Arc::new(SessionEvent { body, session: session(), turn: Some(turn()), seq: None })
}

fn journaled(seq: i64, text: &str) -> Arc<SessionEvent> {
    let body = EventBody::TurnAccepted { text: text.into(), attachments: Vec::new() };
    Arc::new(SessionEvent { body, session: session(), turn: Some(turn()), seq: Some(seq) })
}

/// What a reader has of pieces: whole texts, and the payloads of pings.
#[derive(Default)]
struct Reader {
    texts: Vec<String>,
    part: Vec<u8>,
    pings: Vec<Bytes>,
    bytes: u64,
}

impl Reader {
    fn read(&mut self, piece: Piece) {
        match piece {
            Piece::Text(text) => {
                assert!(self.part.is_empty(), "a text between the parts of another");
                self.bytes += text.len() as u64;
                self.texts.push(text);
            }
            Piece::First(part) | Piece::More(part) => {
                self.bytes += part.len() as u64;
                self.part.extend_from_slice(&part);
            }
            Piece::Last(part) => {
                self.bytes += part.len() as u64;
                self.part.extend_from_slice(&part);
                self.texts.push(String::from_utf8(std::mem::take(&mut self.part)).expect("UTF-8 again"));
            }
            Piece::Ping(payload) => self.pings.push(payload),
            Piece::Pong(_) => {}
        }
    }

    fn events(&self) -> Vec<Value> {
        self.texts.iter().map(|text| serde_json::from_str(text).expect("JSON")).collect()
    }
}

#[test]
fn no_more_goes_out_than_the_credit_and_a_pong_gives_it_back() {
    let (mut outbox, mut reader, now) = (Outbox::new(1), Reader::default(), Instant::now());
    // One text that is longer than the credit goes out in parts.
    let long = "ä".repeat(300 << 10);
    assert_eq!(outbox.event(journaled(1, &long)), Ok(()));
    assert_eq!(outbox.event(journaled(2, "short")), Ok(()));
    let mut rounds = 0;
    while !outbox.is_empty() {
        let before = reader.bytes;
        outbox.flush(now, |piece| reader.read(piece));
        assert!(reader.bytes - before <= CREDIT + (64 << 10), "{} at once", reader.bytes - before);
        assert!(outbox.unconfirmed() <= CREDIT + (64 << 10));
        let last = reader.pings.last().expect("pings go along").clone();
        outbox.confirm(&last);
        rounds += 1;
    }
    assert!(rounds > 2, "{rounds}");
    let events = reader.events();
    assert_eq!((&events[0]["text"], &events[1]["seq"]), (&Value::from(long), &Value::from(2)));
}

#[test]
fn a_pong_that_answers_no_ping_gives_no_credit() {
    let (mut outbox, mut reader, now) = (Outbox::new(7), Reader::default(), Instant::now());
    outbox.event(journaled(1, &"x".repeat(1 << 20))).expect("it goes out at once");
    outbox.flush(now, |piece| reader.read(piece));
    let stuck = outbox.unconfirmed();
    assert!(stuck >= CREDIT);
    let other = Outbox::new(8).ping();
    let Piece::Ping(foreign) = other else { panic!("a ping") };
    for forged in [&b"262144"[..], b"262144.0000000000000000", b"", b"\xff.\xff", &foreign] {
        outbox.confirm(forged);
        assert_eq!(outbox.unconfirmed(), stuck);
    }
    assert_eq!(outbox.stuck(), Some(now));
    outbox.confirm(&reader.pings[0]);
    assert!(outbox.unconfirmed() < stuck && outbox.stuck().is_none());
    let confirmed = outbox.unconfirmed();
    outbox.confirm(&reader.pings[0]);
    assert_eq!(outbox.unconfirmed(), confirmed, "it counts once");
}

#[test]
fn without_credit_pieces_of_a_text_become_one_until_there_are_too_many() {
    let (mut outbox, mut reader, now) = (Outbox::new(1), Reader::default(), Instant::now());
    outbox.event(journaled(1, &"x".repeat(1 << 20))).expect("it goes out at once");
    outbox.flush(now, |piece| reader.read(piece));
    for offset in 0..1_000 {
        assert_eq!(outbox.event(delta(offset, "ö")), Ok(()));
    }
    // Another step's text, and a gap in this one, are texts of their own.
    assert_eq!(outbox.event(delta(2_000, "later")), Ok(()));
    assert_eq!(outbox.event(journaled(2, "between")), Ok(()));
    let mut offset = 2_005;
    let piece = "y".repeat(1_000);
    let full = (0..2_000).find(|_| {
        offset += 1_000;
        outbox.event(delta(offset - 1_000, &piece)) == Err(Full)
    });
    let full = full.expect("there is a bound");
    assert!((900..1_100).contains(&full), "about {WAITING} bytes wait: {full}");
    while !outbox.is_empty() {
        outbox.flush(now, |piece| reader.read(piece));
        let last = reader.pings.last().expect("pings").clone();
        outbox.confirm(&last);
    }
    let events = reader.events();
    let offsets: Vec<i64> = events.iter().filter_map(|event| event["offset"].as_i64()).collect();
    assert_eq!(offsets, [0, 2_000, 2_005]);
    assert_eq!(events[1]["text"], "ö".repeat(1_000));
}

#[test]
fn of_many_pings_without_credit_one_is_answered() {
    let (mut outbox, now) = (Outbox::new(1), Instant::now());
    let mut bytes = 0;
    for _ in 0..100_000 {
        outbox.pong(Bytes::from_static(&[7; 125]));
        outbox.flush(now, |piece| {
            if let Piece::Pong(payload) = piece {
                bytes += payload.len() as u64
            }
        });
    }
    assert!(bytes <= CREDIT, "{bytes}");
    assert!(!outbox.is_empty(), "the last one waits");
}

struct Socket {
    state: State,
    now: Instant,
    reader: Reader,
    other: Vec<Effect>,
}

impl Socket {
    fn new() -> Self {
        let now = Instant::now();
        let state = State::new(SocketConfig::default(), Some(who(UserRole::Owner)), 1, now);
        Self { state, now, reader: Reader::default(), other: Vec::new() }
    }

    fn ready() -> Self {
        let mut socket = Self::new();
        socket.say(r#"{"type":"connect","protocol":1}"#);
        assert_eq!(socket.other, [Effect::Enter(who(UserRole::Owner))]);
        socket.other.clear();
        socket
    }

    fn run(&mut self, ask: impl FnOnce(&mut State, Instant, &mut Effects)) {
        let mut out = Vec::new();
        ask(&mut self.state, self.now, &mut out);
        for effect in out {
            match effect {
                Effect::Write(piece) => self.reader.read(piece),
                other => self.other.push(other),
            }
        }
    }

    fn say(&mut self, text: &str) {
        self.run(|state, now, out| state.text(text, now, out));
    }

    fn tell(&mut self, told: Told) {
        self.run(|state, now, out| {
            state.heard(&session(), Heard::Told(told), now, out);
            state.flush(now, out);
        });
    }

    fn wait(&mut self, span: Duration) {
        self.now += span;
        self.run(State::tick);
    }

    fn closed(&self) -> Option<u16> {
        self.other.iter().find_map(|effect| match effect {
            Effect::Close(close) => Some(close.code),
            _ => None,
        })
    }
}

fn who(role: UserRole) -> Principal {
    Principal { user: UserId(uuid::Uuid::nil()), role }
}

#[test]
fn one_that_does_not_connect_is_closed_at_its_deadline_and_let_go_if_it_does_not_answer() {
    let mut socket = Socket::new();
    assert_eq!(socket.state.deadline(), Some(socket.now + Duration::from_secs(5)));
    socket.wait(Duration::from_millis(4_999));
    assert_eq!(socket.closed(), None);
    socket.wait(Duration::from_millis(1));
    assert_eq!(socket.closed(), Some(Close::TOO_SLOW));
    assert_eq!(socket.reader.events()[0]["code"], "unauthorized");
    socket.wait(Duration::from_millis(4_999));
    assert!(!socket.other.contains(&Effect::End));
    socket.wait(Duration::from_millis(1));
    assert_eq!(socket.other.last(), Some(&Effect::End));
    assert_eq!(socket.state.deadline(), None);
}

#[test]
fn an_idle_socket_is_asked_every_20_s_and_a_silent_one_is_closed_after_60() {
    let mut socket = Socket::ready();
    for round in 1..=2 {
        socket.wait(Duration::from_secs(20));
        assert_eq!(socket.reader.pings.len(), round);
    }
    let last = socket.reader.pings[1].clone();
    socket.run(|state, now, out| state.pong(&last, now, out));
    socket.wait(Duration::from_secs(20));
    socket.wait(Duration::from_secs(20));
    assert_eq!((socket.reader.pings.len(), socket.closed()), (4, None), "it was heard at 40 s");
    socket.wait(Duration::from_secs(20));
    assert_eq!(socket.closed(), Some(Close::TOO_SLOW));
}

#[test]
fn one_that_takes_nothing_for_30_s_is_cut_with_where_to_read_on() {
    let mut socket = Socket::ready();
    socket.say(r#"{"type":"subscribe","session":"s","after":4}"#);
    socket.tell(Told::Event(journaled(5, "short")));
    for seq in 6..=9 {
        socket.tell(Told::Event(journaled(seq, &"x".repeat(100 << 10))));
    }
    // A ping of the client's own says nothing of what it has read.
    socket.wait(Duration::from_secs(29));
    socket.run(|state, now, out| state.ping(Bytes::new(), now, out));
    assert_eq!(socket.closed(), None);
    socket.wait(Duration::from_secs(1));
    assert_eq!(socket.closed(), Some(Close::TOO_SLOW));
    let told = socket.reader.events().iter().filter_map(|event| event["seq"].as_i64()).max();
    assert_eq!(told, Some(7), "what fits the credit");
    let Some(Effect::Close(close)) = socket.other.iter().find(|effect| matches!(effect, Effect::Close(_))) else {
        panic!("closed")
    };
    assert_eq!(close.reason, "too slow; subscribe to s after 7");
    // What it did not take is not waited for.
    socket.wait(Duration::from_secs(5));
    assert_eq!(socket.other.last(), Some(&Effect::Cut));
}

#[test]
fn a_reader_that_was_cut_by_the_hub_is_told_where_to_read_on() {
    let mut socket = Socket::ready();
    socket.say(r#"{"type":"subscribe","session":"s"}"#);
    socket.tell(Told::Event(journaled(1, "short")));
    socket.run(|state, now, out| state.heard(&session(), Heard::Ended(Ended::Lagged), now, out));
    let error = socket.reader.events().pop().expect("an error");
    assert_eq!((&error["code"], &error["resume"][0]["after"]), (&Value::from("too_slow"), &Value::from(1)));
    assert_eq!(socket.closed(), Some(Close::TOO_SLOW));
    // Nothing is said after goodbye.
    socket.say(r#"{"type":"ping"}"#);
    socket.tell(Told::Event(journaled(2, "late")));
    assert_eq!(socket.reader.events().pop(), Some(error));
}

#[test]
fn the_thousand_and_first_session_is_refused_and_one_that_is_followed_already_is_not() {
    let mut socket = Socket::ready();
    for number in 0..SESSIONS {
        socket.say(&format!(r#"{{"type":"subscribe","session":"s{number}"}}"#));
    }
    let follows = |socket: &Socket| socket.other.iter().filter(|e| matches!(e, Effect::Follow { .. })).count();
    assert_eq!(follows(&socket), SESSIONS);
    socket.say(r#"{"type":"subscribe","session":"more","id":"x"}"#);
    assert_eq!(socket.reader.events().pop().expect("an error")["code"], "busy");
    socket.say(r#"{"type":"subscribe","session":"s1","after":3}"#);
    assert_eq!(follows(&socket), SESSIONS + 1);
    socket.say(r#"{"type":"unsubscribe","session":"s2"}"#);
    socket.say(r#"{"type":"subscribe","session":"more"}"#);
    assert_eq!(follows(&socket), SESSIONS + 2);
}

#[test]
fn the_sixty_fifth_unanswered_request_is_refused_as_busy() {
    let mut socket = Socket::ready();
    for number in 0..65 {
        socket.say(&format!(r#"{{"type":"message.send","id":"{number}","session":"s","text":"x"}}"#));
    }
    let error = socket.reader.events().pop().expect("an error");
    assert_eq!((&error["code"], &error["id"]), (&Value::from("busy"), &Value::from("64")));
    assert_eq!(socket.other.len(), 64);
    let failure = Failure::new(Code::NotFound, "There is no session by that name.");
    socket.run(|state, now, out| state.submitted("0", Err(failure), now, out));
    socket.say(r#"{"type":"message.send","id":"again","session":"s","text":"x"}"#);
    assert_eq!(socket.other.len(), 65);
}

#[test]
fn a_stopping_daemon_closes_when_what_waits_is_out_or_after_two_seconds() {
    let mut socket = Socket::ready();
    socket.say(r#"{"type":"subscribe","session":"s"}"#);
    socket.run(State::draining);
    assert_eq!(socket.reader.events().pop().expect("a notice")["type"], "notice");
    let mut slow = Socket::ready();
    slow.say(r#"{"type":"subscribe","session":"s"}"#);
    slow.tell(Told::Event(journaled(1, &"x".repeat(1 << 20))));
    slow.run(State::draining);
    for socket in [&mut socket, &mut slow] {
        socket.run(|state, now, out| state.heard(&session(), Heard::Ended(Ended::Lagged), now, out));
        socket.run(State::drained);
    }
    assert_eq!((socket.closed(), slow.closed()), (Some(Close::GOING_AWAY), None));
    slow.wait(Duration::from_secs(2));
    assert_eq!(slow.closed(), Some(Close::GOING_AWAY));
}

#[test]
fn one_that_broke_the_protocol_is_let_go_when_no_more_comes_of_it_or_after_five_seconds() {
    let mut socket = Socket::ready();
    socket.run(|state, now, out| state.broken(Close::new(Close::UNSUPPORTED, ""), now, out));
    assert_eq!(socket.closed(), Some(Close::UNSUPPORTED));
    for _ in 0..100 {
        socket.wait(Duration::from_millis(49));
        assert!(!socket.other.contains(&Effect::End), "more comes");
        socket.run(|state, now, _| state.rubbish(now));
    }
    socket.wait(Duration::from_millis(50));
    assert_eq!(socket.other.last(), Some(&Effect::End));
    // One who never ends is not waited for.
    let mut socket = Socket::ready();
    socket.run(|state, now, out| state.broken(Close::new(Close::UNSUPPORTED, ""), now, out));
    let begun = socket.now;
    while !socket.other.contains(&Effect::End) {
        socket.wait(Duration::from_millis(40));
        socket.run(|state, now, _| state.rubbish(now));
    }
    assert_eq!(socket.now - begun, Duration::from_secs(5));
}

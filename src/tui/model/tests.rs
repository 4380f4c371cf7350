mod deeds;
mod drafts;
mod ended;
mod order;

use std::sync::Arc;

use mosaic_types::event::StepKind;
use mosaic_types::{Chance, Clock, Code, EventBody, FinishedTurn, SessionEvent, TurnId, Usage};

use super::*;
use crate::tui::keys::Key;
use crate::tui::session::Kind;

/// Counts instead of throwing dice.
struct Count(std::sync::atomic::AtomicU8);

impl Chance for Count {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    }
}

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(1_795_395_132_000_000)
    }
}

fn outside() -> Outside {
    Outside::new(Arc::new(Still), Arc::new(Count(0.into())))
}

pub(crate) fn offers() -> Vec<Offer> {
    let offer = |name: &str, usage: &str, role| Offer {
        name: name.to_owned(),
        usage: usage.to_owned(),
        help: format!("Does {name}."),
        role,
    };
    vec![
        offer("help", "/help [COMMAND]", UserRole::Viewer),
        offer("history", "/history [N]", UserRole::Viewer),
        offer("stop", "/stop", UserRole::Member),
    ]
}

pub(crate) fn ready(model: &mut Model) -> Vec<Effect> {
    model.hear(News::Said(Said::Ready { role: UserRole::Owner, commands: offers() }))
}

/// A client that is connected and shows a new session.
pub(crate) fn connected() -> Model {
    let mut model = Model::new(outside(), None, None);
    ready(&mut model);
    model
}

fn id(name: &str) -> SessionId {
    name.parse().expect("valid")
}

fn turn(number: u128) -> TurnId {
    TurnId(uuid::Uuid::from_u128(number))
}

pub(crate) fn type_in(model: &mut Model, text: &str) {
    text.chars().for_each(|char| drop(model.hear(News::Key(Key::Char(char)))));
}

fn press(model: &mut Model, key: Key) -> Vec<Effect> {
    model.hear(News::Key(key))
}

fn said(effects: &[Effect]) -> Vec<&Ask> {
    effects
        .iter()
        .filter_map(|effect| if let Effect::Want(Wish::Say(ask)) = effect { Some(ask) } else { None })
        .collect()
}

pub(crate) fn event(session: &str, of: u128, seq: Option<i64>, body: EventBody) -> News {
    News::Said(Said::Event(Box::new(SessionEvent { body, session: id(session), turn: Some(turn(of)), seq })))
}

pub(crate) fn accepted(text: &str) -> EventBody {
    EventBody::TurnAccepted { text: text.to_owned(), attachments: Vec::new() }
}

pub(crate) fn started() -> EventBody {
    EventBody::TurnStarted { agent: "assistant".parse().expect("valid"), route: None }
}

pub(crate) fn delta(attempt: u32, step: u32, offset: usize, text: &str) -> EventBody {
    EventBody::TurnDelta { attempt, step, offset, text: text.to_owned() }
}

pub(crate) fn finished(text: &str) -> EventBody {
    EventBody::TurnFinished(FinishedTurn {
        text: text.to_owned(),
        model: "m-1".into(),
        provider: "lab".parse().expect("valid"),
        route_reason: "first choice".into(),
        stop_reason: "stop".into(),
        usage: Usage::new(12, 34),
        cost_usd: Some(0.000_08),
    })
}

pub(crate) fn ack(id_: &str, session: &str, of: u128) -> News {
    let state = mosaic_types::journal::TurnState::Running;
    News::Said(Said::Ack { id: id_.to_owned(), session: id(session), turn: turn(of), state })
}

/// What stands in the session, in short.
fn shown(model: &Model) -> Vec<String> {
    let session = model.session();
    let entry = |entry: &crate::tui::session::Entry| match &entry.kind {
        Kind::Person(doc) => format!("> {}", doc.text()),
        Kind::Answer(answer) => format!("< {}", answer.doc.text()),
        Kind::Step(name, progress) => format!("{name} {progress:?}"),
        Kind::Note(doc, bad) => format!("{} {}", if *bad { '!' } else { '-' }, doc.text()),
    };
    let pending = session.pending.iter().filter(|pending| pending.is_shown());
    session.entries.iter().map(entry).chain(pending.map(|pending| format!("? {}", pending.text))).collect()
}

/// Sends a text as the first of a session "s"; answers its key.
fn first(model: &mut Model, text: &str) -> String {
    type_in(model, text);
    let effects = press(model, Key::Enter);
    let [Ask::Send { id, session: None, .. }] = said(&effects)[..] else { panic!("{effects:?}") };
    id.clone()
}

#[test]
fn the_first_message_makes_the_session_and_the_second_waits_for_its_name() {
    let mut model = connected();
    let key = first(&mut model, "one");
    type_in(&mut model, "two");
    assert_eq!(said(&press(&mut model, Key::Enter)), [] as [&Ask; 0]);
    assert_eq!(shown(&model), ["? one", "? two"]);
    let effects = model.hear(ack(&key, "s", 1));
    let asks = said(&effects);
    assert_eq!(asks[0], &Ask::Subscribe { session: id("s"), after: 0 });
    assert!(matches!(asks[1], Ask::Send { session: Some(session), text, .. } if *session == id("s") && text == "two"));
    model.hear(event("s", 1, Some(1), accepted("one")));
    model.hear(event("s", 1, Some(2), started()));
    assert_eq!(shown(&model), ["> one", "< ", "? two"]);
}

#[test]
fn what_was_typed_offline_is_sent_once_when_the_daemon_is_back() {
    let mut model = connected();
    let key = first(&mut model, "one");
    model.hear(News::Down("gone".into()));
    type_in(&mut model, "two");
    assert_eq!(press(&mut model, Key::Enter), []);
    // Nobody knows whether the first one was heard: it is sent again, by its key.
    let effects = ready(&mut model);
    assert!(matches!(said(&effects)[..], [Ask::Send { id, session: None, .. }] if *id == key), "{effects:?}");
    let effects = model.hear(ack(&key, "s", 1));
    let two = said(&effects).into_iter().find_map(|ask| match ask {
        Ask::Send { id, text, .. } if text == "two" => Some(id.clone()),
        _ => None,
    });
    let two = two.expect("it follows");
    model.hear(event("s", 1, Some(1), accepted("one")));
    // Its event outruns its acknowledgement, and the connection breaks between them.
    model.hear(event("s", 2, Some(2), accepted("two")));
    assert_eq!(shown(&model), ["> one", "> two"]);
    model.hear(News::Down("gone".into()));
    let effects = ready(&mut model);
    let asks = said(&effects);
    assert_eq!(asks[0], &Ask::Subscribe { session: id("s"), after: 2 });
    assert!(matches!(asks[1], Ask::Send { id, .. } if *id == two));
    model.hear(ack(&two, "s", 2));
    assert_eq!(shown(&model), ["> one", "> two"], "shown once");
    model.hear(News::Down("gone".into()));
    assert_eq!(said(&ready(&mut model)).len(), 1, "nothing is sent again that was acknowledged");
}

#[test]
fn a_text_that_was_cut_off_by_a_break_is_whole_and_not_doubled() {
    let mut model = connected();
    let key = first(&mut model, "hi");
    model.hear(ack(&key, "s", 1));
    model.hear(event("s", 1, Some(1), accepted("hi")));
    model.hear(event("s", 1, Some(2), started()));
    model.hear(event("s", 1, None, delta(1, 1, 0, "one ")));
    model.hear(event("s", 1, None, delta(1, 1, 4, "twö ")));
    model.hear(News::Down("gone".into()));
    assert!(!model.is_moving(), "nobody works as far as is known");
    ready(&mut model);
    // The text so far, as one piece; then it goes on.
    model.hear(event("s", 1, None, delta(1, 1, 0, "one twö three ")));
    model.hear(event("s", 1, None, delta(1, 1, 14, "four")));
    assert_eq!(shown(&model), ["> hi", "< one twö three four"]);
    // The daemon was killed: the turn begins again, and what was shown is void.
    model.hear(event("s", 1, Some(3), EventBody::TurnRestarted { attempt: 2 }));
    model.hear(event("s", 1, None, delta(1, 1, 18, "stale")));
    model.hear(event("s", 1, None, delta(2, 1, 0, "anew")));
    assert_eq!(shown(&model), ["> hi", "< anew"]);
    let ok =
        EventBody::StepFinished { kind: StepKind::Model, name: "lab/m-1".into(), ok: true, part: None, tool: None };
    for _ in 0..2 {
        model.hear(event("s", 1, Some(4), ok.clone()));
        model.hear(event("s", 1, Some(5), finished("anew and whole")));
    }
    assert_eq!(shown(&model), ["> hi", "< anew and whole"]);
    assert!(!model.is_moving());
}

#[test]
fn escape_cancels_and_gives_the_message_back() {
    let mut model = connected();
    let key = first(&mut model, "hi");
    model.hear(ack(&key, "s", 1));
    model.hear(event("s", 1, Some(1), accepted("hi")));
    model.hear(event("s", 1, Some(2), started()));
    assert_eq!(press(&mut model, Key::Esc), [Effect::Want(Wish::Say(Ask::Cancel { session: id("s"), turn: turn(1) }))]);
    assert_eq!(press(&mut model, Key::Esc), [], "once is enough");
    model.hear(event("s", 1, Some(3), EventBody::TurnCancelled { text: None }));
    assert_eq!((shown(&model), model.input.text()), (vec!["> hi".into(), "- Cancelled.".into()], "hi"));
    // What was typed meanwhile is not lost to it.
    model.input.set("");
    model.hear(event("s", 2, Some(4), accepted("again")));
    model.hear(event("s", 2, Some(5), started()));
    press(&mut model, Key::Esc);
    type_in(&mut model, "new");
    model.hear(event("s", 2, Some(6), EventBody::TurnCancelled { text: None }));
    assert_eq!(model.input.text(), "new");
}

#[test]
fn ctrl_c_cancels_first_and_twice_quits() {
    let mut model = connected();
    let key = first(&mut model, "hi");
    model.hear(ack(&key, "s", 1));
    model.hear(event("s", 1, Some(1), accepted("hi")));
    model.hear(event("s", 1, Some(2), started()));
    assert_eq!(
        press(&mut model, Key::Ctrl('c')),
        [Effect::Want(Wish::Say(Ask::Cancel { session: id("s"), turn: turn(1) }))]
    );
    type_in(&mut model, "x");
    assert_eq!(press(&mut model, Key::Ctrl('c')), [], "a key between them begins anew");
    assert_eq!(press(&mut model, Key::Ctrl('c')), [Effect::Quit]);
    assert_eq!(press(&mut connected(), Key::Ctrl('q')), [Effect::Quit]);
}

#[test]
fn a_refused_message_is_given_back_with_the_reason() {
    let mut model = connected();
    let key = first(&mut model, "hi");
    let refusal = |code| Said::Error { id: Some(key.clone()), session: None, code: Some(code), message: "No.".into() };
    // A daemon that stops is sent it again when it is back.
    model.hear(News::Said(refusal(Code::Draining)));
    assert_eq!(shown(&model), ["? hi"]);
    model.hear(News::Down("gone".into()));
    assert_eq!(said(&ready(&mut model)).len(), 1);
    model.hear(News::Said(refusal(Code::Busy)));
    assert_eq!((shown(&model), model.input.text()), (vec!["! Not sent: No.".into()], "hi"));
    // Once it goes well, that is past.
    press(&mut model, Key::Enter);
    let again = model.session().pending[0].id.clone();
    model.hear(ack(&again, "s", 1));
    model.hear(event("s", 1, Some(1), accepted("hi")));
    assert_eq!(shown(&model), ["> hi"]);
}

#[test]
fn a_slash_is_a_command_and_a_path_is_a_message() {
    let mut model = connected();
    let key = first(&mut model, "/etc/passwd is a file");
    model.hear(ack(&key, "s", 1));
    type_in(&mut model, "/hi");
    press(&mut model, Key::Tab);
    assert_eq!(model.input.text(), "/history ");
    type_in(&mut model, "3");
    let effects = press(&mut model, Key::Enter);
    assert!(matches!(said(&effects)[..], [Ask::Execute { line, .. }] if line == "/history 3"), "{effects:?}");
    assert!(model.input.is_empty());
    // Where it goes on is shown.
    let result =
        |asked: &str, to: &str| Said::Result { session: id(to), asked: Some(asked.into()), text: "Done.".into() };
    model.hear(News::Said(result("s:1", "s")));
    assert!(shown(&model).contains(&"- Done.".to_owned()));
    model.hear(News::Said(result("s:2", "t")));
    assert_eq!(model.session().id, Some(id("t")));
}

/// A row of the list of sessions.
pub(crate) fn row(name: &str, at: i64) -> Listed {
    Listed {
        id: id(name),
        agent: "assistant".parse().expect("valid"),
        title: name.to_uppercase(),
        state: mosaic_types::journal::SessionPhase::Idle,
        archived: false,
        updated_at: Timestamp(at),
    }
}

#[test]
fn each_session_keeps_its_draft_and_others_are_marked_unread() {
    let mut model = connected();
    model.hear(News::Sessions(vec![row("a", 2), row("b", 1)]));
    assert!(!model.list.iter().any(|row| model.is_unread(row)), "what was there before is no news");
    type_in(&mut model, "draft");
    press(&mut model, Key::Ctrl('l'));
    type_in(&mut model, "b");
    let effects = press(&mut model, Key::Enter);
    assert_eq!(effects, [Effect::Recall(Some(id("b"))), Effect::Want(Wish::Locate(id("b")))]);
    assert_eq!((model.session().title.as_str(), model.input.text()), ("B", ""));
    let effects = model.hear(News::Located { session: id("b"), after: 40 });
    assert_eq!(said(&effects), [&Ask::Subscribe { session: id("b"), after: 40 }]);
    model.hear(News::Sessions(vec![row("a", 3), row("b", 3), row("c", 3)]));
    let unread: Vec<_> = model.list.iter().filter(|row| model.is_unread(row)).map(|row| row.id.to_string()).collect();
    assert_eq!(unread, ["a", "c"]);
    press(&mut model, Key::Ctrl('n'));
    assert_eq!(model.input.text(), "draft", "the new one that was begun");
    model.hear(News::Show(id("b")));
    assert_eq!(model.input.text(), "");
}

#[test]
fn a_viewer_may_look_and_is_told_so() {
    let mut model = Model::new(outside(), None, None);
    model.hear(News::Said(Said::Ready { role: UserRole::Viewer, commands: offers() }));
    type_in(&mut model, "hi");
    assert_eq!(press(&mut model, Key::Enter), []);
    assert!(model.notice.as_ref().is_some_and(|(notice, bad)| *bad && notice.contains("viewer")));
    assert_eq!(model.input.text(), "hi");
    model.input.set("/s");
    assert!(model.completions().is_empty());
}

#[test]
fn a_session_that_was_removed_says_so_and_takes_nothing() {
    let mut model = Model::new(outside(), Some(id("s")), None);
    assert_eq!(ready(&mut model), [Effect::Want(Wish::Locate(id("s"))), Effect::Want(Wish::List)]);
    let gone = Said::Error { id: None, session: Some(id("s")), code: Some(Code::NotFound), message: "No.".into() };
    model.hear(News::Said(gone));
    type_in(&mut model, "hi");
    assert_eq!(press(&mut model, Key::Enter), []);
    assert!(shown(&model)[0].contains("removed"));
}

#[test]
fn the_palette_narrows_and_carries_out() {
    let mut model = connected();
    press(&mut model, Key::Ctrl('k'));
    type_in(&mut model, "hist");
    press(&mut model, Key::Enter);
    assert_eq!(model.input.text(), "/history ");
    press(&mut model, Key::Ctrl('k'));
    type_in(&mut model, "colours");
    assert_eq!(press(&mut model, Key::Enter), [Effect::Theme]);
    press(&mut model, Key::F1);
    assert!(model.overlay.is_some());
    press(&mut model, Key::Esc);
    assert!(model.overlay.is_none());
}

//! What is done to a session, and who answers in it.

use mosaic_types::attachment::AttachmentRow;

use super::*;

/// A session "s" in which one thing was said and answered.
fn talked() -> Model {
    let mut model = connected();
    let key = first(&mut model, "one");
    model.hear(ack(&key, "s", 1));
    for (seq, body) in [(1, accepted("one")), (2, started()), (3, finished("Said one."))] {
        model.hear(event("s", 1, Some(seq), body));
    }
    model
}

/// Finds something in the palette and does it.
fn palette(model: &mut Model, text: &str) -> Vec<Effect> {
    press(model, Key::Ctrl('k'));
    type_in(model, text);
    press(model, Key::Enter)
}

fn wishes(effects: Vec<Effect>) -> Vec<Wish> {
    let wish = |effect| if let Effect::Want(wish) = effect { Some(wish) } else { None };
    effects.into_iter().filter_map(wish).collect()
}

#[test]
fn the_last_message_is_changed_and_sent_in_its_own_place() {
    let mut model = talked();
    type_in(&mut model, "a draft");
    press(&mut model, Key::Ctrl('g'));
    assert_eq!(model.input.text(), "one");
    press(&mut model, Key::Esc);
    assert_eq!(model.input.text(), "a draft", "it was only put aside");
    press(&mut model, Key::Ctrl('g'));
    type_in(&mut model, " more");
    let effects = press(&mut model, Key::Enter);
    let [Ask::Send { id: key, text, replaces: Some(replaces), .. }] = said(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((text.as_str(), replaces.as_str()), ("one more", "s.1"));
    assert_eq!(model.input.text(), "a draft");
    // Refused, it is changed still.
    let refusal = Said::Error {
        id: Some(key.clone()),
        session: None,
        code: Some(Code::Running),
        message: "Something runs.".into(),
    };
    model.hear(News::Said(refusal));
    assert_eq!(model.input.text(), "one more");
    let effects = press(&mut model, Key::Enter);
    assert!(matches!(said(&effects)[..], [Ask::Send { replaces: Some(_), .. }]), "{effects:?}");
    let Some(Ask::Send { id: key, .. }) = said(&effects).first().copied() else { panic!("{effects:?}") };
    model.hear(ack(key, "s", 2));
    let superseded = EventBody::MessagesSuperseded { from: 1 };
    model.hear(event("s", 2, Some(4), superseded));
    model.hear(event("s", 2, Some(5), accepted("one more")));
    assert_eq!(shown(&model), ["> one more"]);
    assert_eq!(model.input.text(), "a draft");
}

#[test]
fn a_session_is_renamed_forked_put_away_and_deleted_after_a_question() {
    let mut model = talked();
    model.session_mut().title = "Old".into();
    press(&mut model, Key::F2);
    (0..3).for_each(|_| drop(press(&mut model, Key::Backspace)));
    assert_eq!(wishes(press(&mut model, Key::Enter)), [], "a name is missing");
    press(&mut model, Key::F2);
    type_in(&mut model, " and new ");
    assert_eq!(wishes(press(&mut model, Key::Enter)), [Wish::Do(Deed::Rename(id("s"), "Old and new".into()))]);

    assert_eq!(wishes(palette(&mut model, "fork")), [Wish::Do(Deed::Fork(id("s")))]);
    let effects = model.hear(News::Done(Deed::Fork(id("s")), Ok(Some(id("t")))));
    assert!(wishes(effects).contains(&Wish::Locate(id("t"))), "it is shown");
    assert_eq!(model.session().id, Some(id("t")));

    assert_eq!(wishes(palette(&mut model, "archive")), [Wish::Do(Deed::Archive(id("t")))]);
    model.hear(News::Done(Deed::Archive(id("t")), Err("You may not.".into())));
    assert_eq!(
        (model.session().id.clone(), model.notice.clone()),
        (Some(id("t")), Some(("You may not.".into(), true)))
    );
    model.hear(News::Done(Deed::Archive(id("t")), Ok(None)));
    assert_eq!(model.session().id, None, "it is out of sight");

    model.hear(News::Show(id("s")));
    palette(&mut model, "delete");
    assert_eq!(wishes(press(&mut model, Key::Enter)), [], "the first answer is: keep it");
    palette(&mut model, "delete");
    type_in(&mut model, "y");
    press(&mut model, Key::Down);
    assert_eq!(wishes(press(&mut model, Key::Enter)), [Wish::Do(Deed::Delete(id("s")))]);
    type_in(&mut model, "typed meanwhile");
    model.hear(News::Done(Deed::Delete(id("s")), Ok(None)));
    assert!(!model.open.iter().any(|session| session.id == Some(id("s"))));
    assert_eq!(model.input.text(), "typed meanwhile");
    // Nothing of it is asked of nobody.
    model.hear(News::Down("gone".into()));
    assert_eq!(wishes(palette(&mut model, "fork")), []);
    assert!(model.notice.as_ref().is_some_and(|(notice, bad)| *bad && notice.contains("No daemon")));
}

#[test]
fn agent_and_model_are_chosen_from_a_list() {
    let agent = |name: &str, default| Agent {
        name: name.parse().expect("valid"),
        models: vec!["lab/m-1".into()],
        default,
        context_tokens: None,
    };
    let mut model = connected();
    model.hear(News::Agents(vec![agent("assistant", true), agent("poet", false)]));
    // In a session that is yet to be made.
    model.input.set("/agent");
    press(&mut model, Key::Enter);
    type_in(&mut model, "poet");
    press(&mut model, Key::Enter);
    model.input.set("/model");
    assert_eq!(wishes(press(&mut model, Key::Enter)), [Wish::Models]);
    model.hear(News::Models(vec!["lab/m-1".into(), "lab/m-2".into()]));
    type_in(&mut model, "m-2");
    press(&mut model, Key::Enter);
    type_in(&mut model, "hi");
    let effects = press(&mut model, Key::Enter);
    let [Ask::Send { id: key, agent: Some(agent), model: Some(chosen), .. }] = said(&effects)[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((agent.as_str(), chosen.as_str()), ("poet", "lab/m-2"));
    // It stays when the session is made.
    let effects = model.hear(ack(key, "s", 1));
    assert!(said(&effects).iter().any(|ask| matches!(ask, Ask::Execute { line, .. } if line == "/model lab/m-2")));
    // In one that is there the daemon is asked; with a name it is asked at once.
    model.input.set("/agent");
    press(&mut model, Key::Enter);
    let effects = press(&mut model, Key::Enter);
    assert!(matches!(said(&effects)[..], [Ask::Execute { line, .. }] if line == "/agent assistant"), "{effects:?}");
    model.input.set("/model auto");
    let effects = press(&mut model, Key::Enter);
    assert!(matches!(said(&effects)[..], [Ask::Execute { line, .. }] if line == "/model auto"), "{effects:?}");
}

#[test]
fn where_nobody_could_answer_it_is_asked_again_with_each_new_session() {
    let mut model = talked();
    assert_eq!(wishes(press(&mut model, Key::Ctrl('n'))), []);
    let mut model = talked();
    model.hear(News::Advice(Some("Do this.".into())));
    assert_eq!(wishes(press(&mut model, Key::Ctrl('n'))), [Wish::House]);
}

#[test]
fn files_go_with_the_next_message_and_come_back_with_it_when_it_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "milk").expect("it is written");
    let mut model = connected();
    model.input.set(format!("/attach {}", path.display()));
    let effects = press(&mut model, Key::Enter);
    let [Effect::Attach(asked)] = &effects[..] else { panic!("{effects:?}") };
    model.attach(crate::tui::file::File::read(asked));
    model.attach(crate::tui::file::File::read(asked));
    press(&mut model, Key::Backspace);
    assert_eq!(model.session().files.len(), 1, "one was taken away");
    assert_eq!(press(&mut model, Key::Enter), [], "a message has a text");
    type_in(&mut model, "what is missing?");
    let sent = wishes(press(&mut model, Key::Enter));
    let [Wish::Send(parcel)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((parcel.session.clone(), parcel.files.len(), parcel.text.as_str()), (None, 1, "what is missing?"));
    // Nobody knows whether it arrived: it is sent again, by its key.
    model.hear(News::Down("gone".into()));
    let again = wishes(ready(&mut model));
    assert!(again.iter().any(|wish| matches!(wish, Wish::Send(again) if again.key == parcel.key)), "{again:?}");
    let refusal = Said::Error { id: Some(parcel.key.clone()), session: None, code: None, message: "No.".into() };
    model.hear(News::Said(refusal));
    assert_eq!((model.input.text(), model.session().files.len()), ("what is missing?", 1));
    model.attach(Err("It is not there.".into()));
    assert_eq!(model.notice, Some(("It is not there.".into(), true)));
}

#[test]
fn sessions_are_found_by_what_was_said_in_them_too() {
    let mut model = connected();
    model.hear(News::Sessions(vec![row("a", 2), row("b", 1)]));
    press(&mut model, Key::Ctrl('l'));
    type_in(&mut model, "t");
    assert_eq!(wishes(press(&mut model, Key::Char('e'))), [Wish::Search("te".into())]);
    let choices = |model: &Model| model.overlay.as_ref().map(|overlay| overlay.choices(model)).unwrap_or_default();
    model.hear(News::Found("te".into(), vec![Listed { archived: true, ..row("z", 1) }]));
    model.hear(News::Found("t".into(), vec![row("a", 2)]));
    // What was found for another text came late, and is no answer.
    assert_eq!(choices(&model).iter().map(|choice| choice.help.as_str()).collect::<Vec<_>>(), ["put away"]);
    press(&mut model, Key::Enter);
    assert_eq!((model.session().id.clone(), model.session().title.as_str()), (Some(id("z")), "Z"));
}

/// What was journaled at that number, of that turn.
fn journaled(of: u128, seq: i64, body: EventBody) -> SessionEvent {
    SessionEvent { body, session: id("s"), turn: Some(turn(of)), seq: Some(seq) }
}

#[test]
fn the_files_of_a_changed_message_stay_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, name).expect("it is written");
        crate::tui::file::File::read(&path.display().to_string()).expect("a text")
    };
    let row = AttachmentRow {
        id: mosaic_types::AttachmentId(uuid::Uuid::from_u128(7)),
        name: "notes.txt".into(),
        media_type: "text/plain".into(),
        size_bytes: 9,
    };
    let mut model = connected();
    let key = first(&mut model, "one");
    model.hear(ack(&key, "s", 1));
    let body = EventBody::TurnAccepted { text: "one".into(), attachments: vec![row.clone()] };
    for (seq, body) in [(1, body), (2, started()), (3, finished("Said one."))] {
        model.hear(event("s", 1, Some(seq), body));
    }
    model.attach(Ok(file("draft.txt")));
    let files = |model: &Model| model.session().files.iter().map(|file| file.label()).collect::<Vec<_>>();
    let fetch = |model: &mut Model| wishes(press(model, Key::Ctrl('g')));
    assert_eq!(fetch(&mut model), [Wish::Fetch(id("s"), vec![row.clone()])]);
    assert_eq!(files(&model), [""; 0], "the draft's are put aside");
    assert_eq!(press(&mut model, Key::Enter), [], "it is not sent without them");
    model.hear(News::Files(id("s"), Ok(vec![file("notes.txt")])));
    press(&mut model, Key::Esc);
    assert_eq!(files(&model), ["▤ draft.txt 9 B"], "left as it was");
    fetch(&mut model);
    model.hear(News::Files(id("s"), Err("It is gone".into())));
    assert_eq!((files(&model), model.input.text()), (vec!["▤ draft.txt 9 B".to_owned()], ""));
    assert!(model.notice.as_ref().is_some_and(|(notice, bad)| *bad && notice.contains("It is gone")));
    fetch(&mut model);
    model.hear(News::Files(id("s"), Ok(vec![file("notes.txt")])));
    type_in(&mut model, " more");
    let sent = wishes(press(&mut model, Key::Enter));
    let [Wish::Send(parcel)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((parcel.text.as_str(), parcel.replaces.as_deref()), ("one more", Some("s.1")));
    assert_eq!(parcel.files, [file("notes.txt")]);
    assert_eq!(files(&model), ["▤ draft.txt 9 B"]);
    // Refused, it is changed still, with its own file; and the draft keeps its own.
    let refusal = Said::Error { id: Some(parcel.key.clone()), session: None, code: None, message: "No.".into() };
    model.hear(News::Said(refusal));
    assert_eq!((files(&model), model.input.text()), (vec!["▤ notes.txt 9 B".to_owned()], "one more"));
    press(&mut model, Key::Esc);
    assert_eq!(files(&model), ["▤ draft.txt 9 B"]);
}

#[test]
fn scrolling_to_the_top_reads_what_was_said_before_once() {
    let mut model = connected();
    model.hear(News::Show(id("s")));
    model.hear(News::Located { session: id("s"), after: 40 });
    model.hear(event("s", 9, Some(41), accepted("nine")));
    model.hear(event("s", 9, Some(42), finished("Said nine.")));
    assert_eq!(wishes(press(&mut model, Key::PageUp)), [Wish::Older(id("s"), 41)]);
    assert_eq!(wishes(press(&mut model, Key::PageUp)), [], "asked for once");
    model.hear(News::Older { session: id("s"), before: 41, page: None });
    assert_eq!(wishes(press(&mut model, Key::PageUp)), [Wish::Older(id("s"), 41)], "and again where it was in vain");
    model.hear(News::Down("gone".into()));
    ready(&mut model);
    assert_eq!(wishes(press(&mut model, Key::PageUp)), [Wish::Older(id("s"), 41)], "or the connection broke");
    let failed = EventBody::TurnFailed { code: Code::ProviderAuth, message: "No.".into(), text: None };
    let page = vec![
        journaled(7, 31, accepted("seven")),
        journaled(7, 32, failed),
        journaled(8, 33, accepted("eight")),
        journaled(8, 34, started()),
        journaled(8, 35, finished("Said eight.")),
    ];
    model.hear(News::Older { session: id("s"), before: 41, page: Some((page, Some(31))) });
    let all = ["> seven", "! No.", "> eight", "< Said eight.", "> nine", "< Said nine."];
    assert_eq!(shown(&model), all, "failures too");
    let entry = &model.session().entries[3];
    let told = matches!(&entry.kind, crate::tui::session::Kind::Answer(answer) if answer.finished.is_some());
    assert!(told, "and who answered, for how much");
    assert_eq!(wishes(press(&mut model, Key::PageUp)), [Wish::Older(id("s"), 31)]);
    // What left the dialogue later is not shown, and what runs here is not touched.
    model.hear(event("s", 10, Some(43), EventBody::MessagesSuperseded { from: 20 }));
    model.hear(event("s", 10, Some(44), accepted("ten")));
    model.hear(event("s", 10, Some(45), started()));
    let page = vec![journaled(1, 1, accepted("one")), journaled(2, 21, accepted("two")), journaled(2, 22, started())];
    model.hear(News::Older { session: id("s"), before: 31, page: Some((page, None)) });
    assert_eq!(wishes(press(&mut model, Key::PageUp)), [], "that was the beginning");
    assert_eq!(shown(&model)[..2], ["> one", "> ten"]);
    assert!(model.session().running.is_some(), "ten is answered still");
    // Long after, the oldest are dropped, and can be asked for again.
    model.session_mut().scroll = 0;
    for number in 50..2_100 {
        model.hear(event("s", number, Some(i64::try_from(number).expect("small")), accepted("more")));
    }
    assert!(model.session().entries.len() <= 2_000);
    let before = model.session().before;
    assert_eq!(wishes(press(&mut model, Key::PageUp)), [Wish::Older(id("s"), before.expect("some were dropped"))]);
}

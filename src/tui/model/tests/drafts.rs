//! What was typed and not sent, as it is kept beyond the window.

use super::*;
use crate::home::Draft;

fn unsent(model: &Model) -> Vec<(String, String)> {
    let all = model.unsent().into_iter();
    all.map(|(session, draft)| (session.map(|id| id.to_string()).unwrap_or_default(), draft.text)).collect()
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(session, text)| ((*session).to_owned(), (*text).to_owned())).collect()
}

fn left(text: &str) -> Draft {
    Draft { text: text.to_owned(), files: Vec::new() }
}

#[test]
fn what_is_typed_is_unsent_until_the_daemon_has_it() {
    let mut model = connected();
    let key = first(&mut model, "one");
    assert_eq!(unsent(&model), pairs(&[("", "one")]), "nobody has said that it was taken");
    type_in(&mut model, "two");
    assert_eq!(unsent(&model), pairs(&[("", "one\n\ntwo")]));
    model.hear(ack(&key, "s", 1));
    assert_eq!(unsent(&model), pairs(&[("s", "two")]));
    // What is entered while nobody hears it is kept too.
    model.hear(News::Down("gone".into()));
    press(&mut model, Key::Enter);
    type_in(&mut model, " ");
    assert_eq!(unsent(&model), pairs(&[("s", "two")]));
    // What was sent before and is only looked at is no draft; what it was put aside for is one.
    press(&mut model, Key::Ctrl('u'));
    type_in(&mut model, "half");
    press(&mut model, Key::Up);
    assert_eq!((model.input.text(), unsent(&model)), ("two", pairs(&[("s", "two\n\nhalf")])));
}

#[test]
fn a_message_that_is_being_changed_and_the_draft_that_was_put_aside_for_it_are_both_kept() {
    let mut model = connected();
    let key = first(&mut model, "one");
    model.hear(ack(&key, "s", 1));
    for (seq, body) in [(1, accepted("one")), (2, started()), (3, finished("Said one."))] {
        model.hear(event("s", 1, Some(seq), body));
    }
    type_in(&mut model, "a draft");
    press(&mut model, Key::Ctrl('g'));
    assert_eq!(unsent(&model), pairs(&[("s", "a draft")]), "what was not changed was sent");
    type_in(&mut model, " more");
    assert_eq!(unsent(&model), pairs(&[("s", "a draft\n\none more")]));
    press(&mut model, Key::Esc);
    assert_eq!(unsent(&model), pairs(&[("s", "a draft")]));
}

#[test]
fn what_was_left_is_asked_for_where_a_session_is_opened_and_stands_before_what_was_typed_since() {
    let mut model = connected();
    model.hear(News::Sessions(vec![row("a", 2), row("b", 1)]));
    type_in(&mut model, "begun here");
    assert!(model.hear(News::Show(id("b"))).contains(&Effect::Recall(Some(id("b")))));
    model.recall(left("left in b"));
    assert_eq!(model.input.text(), "left in b");
    // The new one is known here already.
    assert_eq!(press(&mut model, Key::Ctrl('n')), []);
    assert_eq!(model.input.text(), "begun here");
    assert_eq!(model.hear(News::Show(id("b"))), [], "and so is this one");
    assert_eq!(unsent(&model), pairs(&[("", "begun here"), ("b", "left in b")]));
    // Typed while a session is put away, it goes along.
    model.hear(News::Done(Deed::Archive(id("b")), Ok(None)));
    assert_eq!(model.input.text(), "begun here\n\nleft in b");

    let mut model = Model::new(outside(), Some(id("b")), None);
    ready(&mut model);
    assert_eq!(press(&mut model, Key::Ctrl('n')), [Effect::Recall(None)]);
    model.recall(left(""));
    assert_eq!(model.input.text(), "");
}

#[test]
fn files_that_were_to_go_along_are_kept_by_their_place_and_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "milk").expect("it is written");
    let mut model = connected();
    model.attach(crate::tui::file::File::open(&path));
    let kept = model.unsent().remove(&None).expect("a file is a draft too");
    assert_eq!((kept.text.as_str(), kept.files.as_slice()), ("", std::slice::from_ref(&path)));
    model.hear(News::Show(id("b")));
    press(&mut model, Key::Ctrl('n'));
    assert_eq!(model.session().files.len(), 1, "it waits where it was named");
    let mut again = connected();
    again.recall(kept.clone());
    assert_eq!(again.session().files.iter().map(|file| file.label()).collect::<Vec<_>>(), ["▤ notes.txt 4 B"]);
    std::fs::remove_file(&path).expect("it was there");
    let mut again = connected();
    again.recall(Draft { text: "about it".into(), ..kept });
    assert_eq!((again.input.text(), again.session().files.len()), ("about it", 0));
    assert!(again.notice.as_ref().is_some_and(|(notice, bad)| *bad && notice.contains("notes.txt cannot be read")));
}

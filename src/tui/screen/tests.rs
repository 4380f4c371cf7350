use std::sync::{Arc, Mutex};

use mosaic_types::EventBody;

use super::*;
use crate::tui::keys::{BINDINGS, DEEDS, Key};
use crate::tui::model::tests::{accepted, connected, delta, event, finished, started, type_in};
use crate::tui::model::{News, Wish};
use crate::tui::text::tests::HOSTILE;

fn drawn(model: &mut Model, columns: usize, rows: usize) -> String {
    let screen = compose(model, columns, rows, 0);
    assert_eq!(screen.rows.len(), rows);
    for row in &screen.rows {
        assert!(row.width() <= columns, "{} columns: {:?}", row.width(), row.text());
    }
    screen.rows.iter().map(|row| row.text().trim_end().to_owned() + "\n").collect()
}

/// A session with a bit of everything.
fn talk() -> Model {
    let mut model = connected();
    type_in(&mut model, "What is a monad?");
    let effects = model.hear(News::Key(Key::Enter));
    let key = match &effects[0] {
        crate::tui::model::Effect::Want(Wish::Say(crate::tui::wire::Ask::Send { id, .. })) => id.clone(),
        other => panic!("{other:?}"),
    };
    model.hear(crate::tui::model::tests::ack(&key, "s", 1));
    for (seq, body) in [
        (Some(1), accepted("What is a monad?")),
        (Some(2), started()),
        (None, EventBody::TurnThinking { text: "The user wants a definition.".into() }),
        (None, delta(1, 1, 0, "A **monad** is a type `M` with:\n\n1. `unit`\n2. `bind`\n\n")),
        (
            None,
            delta(
                1,
                1,
                55,
                "```rust\nfn unit<T>(value: T) -> M<T>;\n```\n\n| law | says |\n|---|---|\n| left | `a` |\n",
            ),
        ),
    ] {
        model.hear(event("s", 1, seq, body));
    }
    model
}

#[test]
fn a_new_session_says_what_to_do_next() {
    let mut model = connected();
    insta::assert_snapshot!("welcome", drawn(&mut model, 80, 16));
    model.hear(News::Advice(Some(mosaic_types::failure::NO_PROVIDER.into())));
    let screen = drawn(&mut model, 80, 16);
    assert!(screen.contains("No model provider"), "{screen}");
}

#[test]
fn a_conversation_is_laid_out_at_either_size() {
    let mut model = talk();
    insta::assert_snapshot!("streaming_80x24", drawn(&mut model, 80, 24));
    let end = "A **monad** is short.";
    model.hear(event("s", 1, Some(3), finished(end)));
    type_in(&mut model, "and\u{fe0f} then?");
    insta::assert_snapshot!("finished_200x60", drawn(&mut model, 200, 60));
}

#[test]
fn the_status_tells_what_matters_at_eighty_columns() {
    let mut model = talk();
    let agent = crate::tui::wire::Agent {
        name: "assistant".parse().expect("valid"),
        models: vec!["lab/m-1".into()],
        default: true,
        context_tokens: Some(1_000),
    };
    model.hear(News::Agents(vec![agent]));
    model.hear(event("s", 1, Some(3), finished("Short.")));
    let status = |model: &mut Model, columns| {
        let screen = drawn(model, columns, 24);
        let words: Vec<_> = screen.lines().last().unwrap_or_default().split_whitespace().collect();
        words.join(" ")
    };
    let whole = "● assistant · lab/m-1 · first choice · 12 in, 34 out · $0.0001 · context 2%";
    assert_eq!(status(&mut model, 80), format!("{} F1 help", whole.replace(" · first choice", "")));
    assert_eq!(status(&mut model, 100), format!("{whole} · connected F1 help"));
    // What is least of all goes first, and nothing is cut in its middle.
    assert_eq!(status(&mut model, 50), "● assistant · lab/m-1 · 12 in, 34 out F1 help");
    assert_eq!(status(&mut model, 30), "● assistant · lab/m-1 F1");
    model.hear(News::Down("the daemon is gone".into()));
    assert_eq!(status(&mut model, 80), "○ offline, trying again: the daemon is gone");
}

#[test]
fn while_the_daemon_is_away_nothing_is_shown_as_at_work() {
    let mut model = talk();
    let begun = EventBody::StepStarted {
        kind: mosaic_types::event::StepKind::Model,
        name: "lab/m-1".into(),
        part: None,
        tool: None,
    };
    model.hear(event("s", 1, None, begun));
    let elsewhere = crate::tui::model::tests::row("elsewhere", 1);
    let running = mosaic_types::journal::SessionPhase::Running;
    model.hear(News::Sessions(vec![crate::tui::wire::Listed { state: running, ..elsewhere }]));
    let at_work = |model: &mut Model| {
        let screen = drawn(model, 200, 30);
        ["⠋ lab/m-1", "Esc cancels", "◐"].map(|sign| screen.contains(sign))
    };
    assert_eq!((at_work(&mut model), model.is_moving()), ([true; 3], true));
    model.hear(News::Down("gone".into()));
    assert_eq!((at_work(&mut model), model.is_moving()), ([false; 3], false));
    assert!(drawn(&mut model, 80, 24).contains("… goes on when the daemon is back"));
    type_in(&mut model, "and");
    assert!(!drawn(&mut model, 80, 24).contains("during the answer"));
    model.hear(News::Key(Key::Ctrl('u')));
    crate::tui::model::tests::ready(&mut model);
    assert_eq!((at_work(&mut model), model.is_moving()), ([true; 3], true), "it goes on");
}

#[test]
fn commands_that_do_not_fit_are_counted() {
    let mut model = crate::tui::model::tests::connected();
    let offer = |number: usize| crate::tui::wire::Offer {
        name: format!("do{number}"),
        usage: format!("/do{number}"),
        help: "Does it.".to_owned(),
        role: mosaic_types::UserRole::Viewer,
    };
    model.offers = (0..11).map(offer).collect();
    type_in(&mut model, "/");
    let screen = drawn(&mut model, 80, 24);
    assert!(screen.contains("/do6") && !screen.contains("/do7"), "{screen}");
    assert!(screen.contains("… 4 more: type on, or Ctrl+K for all"), "{screen}");
    model.offers.truncate(8);
    let screen = drawn(&mut model, 80, 24);
    assert!(screen.contains("/do7") && !screen.contains("more:"), "{screen}");
}

#[test]
fn no_size_of_the_screen_breaks_it() {
    let mut model = talk();
    type_in(&mut model, &"typed 漢字 ".repeat(40));
    for columns in (0..130).step_by(3) {
        for rows in (0..40).step_by(3) {
            drawn(&mut model, columns, rows);
        }
    }
}

#[test]
fn the_help_shows_every_key_of_the_list() {
    let mut model = connected();
    model.hear(News::Key(Key::F1));
    let mut screen = drawn(&mut model, 90, 24);
    // It goes on below.
    model.hear(News::Key(Key::End));
    screen += &drawn(&mut model, 90, 24);
    let keys = BINDINGS.iter().map(|binding| (binding.name, binding.help));
    let deeds = DEEDS.iter().map(|(_, name, help)| (*name, *help));
    let printed = crate::tui::keys::lines();
    for (name, help) in keys.chain(deeds) {
        assert!(screen.contains(name) && screen.contains(help), "{name}: {screen}");
        assert!(printed.contains(name) && printed.contains(help), "{name}: {printed}");
    }
    model.hear(News::Key(Key::Enter));
    assert!(model.overlay.is_none());
}

#[test]
fn what_is_looked_for_is_found_from_the_newest_on() {
    let mut model = connected();
    let lines: Vec<String> = (1..200).map(|number| format!("- line {number}\n")).collect();
    model.hear(News::Show("s".parse().expect("valid")));
    model.hear(event("s", 1, Some(1), accepted("list")));
    model.hear(event("s", 1, Some(2), started()));
    model.hear(event("s", 1, Some(3), finished(&lines.concat())));
    drawn(&mut model, 80, 24);
    model.hear(News::Key(Key::Ctrl('f')));
    type_in(&mut model, "LINE 7");
    let screen = drawn(&mut model, 80, 24);
    assert!(screen.contains("11 of 11") && screen.contains("line 79"), "{screen}");
    model.hear(News::Key(Key::Up));
    let screen = drawn(&mut model, 80, 24);
    assert!(screen.contains("10 of 11") && screen.contains("line 78"), "{screen}");
    model.hear(News::Key(Key::Esc));
    // What is read stays where it is while more is said below.
    let before = drawn(&mut model, 80, 24);
    model.hear(event("s", 2, Some(4), accepted("more")));
    let top = |screen: &str| screen.lines().nth(4).map(str::to_owned);
    assert_eq!(top(&drawn(&mut model, 80, 24)), top(&before));
}

#[test]
fn hostile_text_is_shown_everywhere_and_obeyed_nowhere() {
    let mut model = connected();
    model.hear(News::Show("s".parse().expect("valid")));
    let mut seq = 0;
    for (number, text) in HOSTILE.iter().enumerate() {
        let of = number as u128;
        for body in [
            accepted(text),
            started(),
            EventBody::TurnThinking { text: (*text).into() },
            EventBody::StepStarted {
                kind: mosaic_types::event::StepKind::Tool,
                name: (*text).into(),
                part: None,
                tool: None,
            },
            finished(&format!("{text}\n\n```{text}\n{text}\n```\n| {text} |\n|---|\n| {text} |\n")),
        ] {
            seq += 1;
            model.hear(event("s", of, Some(seq), body));
        }
    }
    model.hear(News::Key(Key::Paste(HOSTILE.concat())));
    model.hear(News::Tell(HOSTILE.concat(), true));
    model.session_mut().title = HOSTILE.concat();
    for scroll in [0, 20, 60, 100, 1_000] {
        model.session_mut().scroll = scroll;
        let screen = drawn(&mut model, 80, 24);
        assert!(!screen.chars().any(|char| char != '\n' && char.is_control()), "{screen:?}");
        assert!(!screen.contains('\u{202e}'), "{screen:?}");
    }
    // And through cursive, which would panic at a cell wider than it knows.
    let backend = cursive::backends::puppet::Backend::init(Some((80, 24).into()));
    let frames = backend.stream();
    let backend = std::cell::RefCell::new(Some(backend));
    let mut canvas = crate::tui::shell::Canvas::new(
        Box::new(move || backend.take().expect("one is enough")),
        crate::tui::theme::Theme::Dark,
        Arc::new(Mutex::new(None)),
        Box::new(|| (80, 24)),
    );
    canvas.show(&mut model, 0);
    assert!(frames.try_iter().last().is_some(), "a picture was drawn");
}

#[test]
fn what_was_said_is_not_laid_out_again_with_each_token() {
    let mut model = connected();
    model.hear(News::Show("s".parse().expect("valid")));
    for body in [accepted("go"), started(), EventBody::TurnThinking { text: "Hm.".into() }, finished("Gone.")] {
        let seq = if matches!(body, EventBody::TurnThinking { .. }) { None } else { Some(model.session().last + 1) };
        model.hear(event("s", 1, seq, body));
    }
    model.hear(event("s", 2, Some(4), accepted("again")));
    model.hear(event("s", 2, Some(5), started()));
    drawn(&mut model, 80, 24);
    let rows = |model: &Model| -> Vec<_> { model.session().entries.iter().map(|entry| entry.laid.places()).collect() };
    let before = rows(&model);
    model.hear(event("s", 2, None, delta(1, 1, 0, "word ")));
    assert!(drawn(&mut model, 80, 24).contains("word"));
    let after = rows(&model);
    assert_eq!(before, after, "the rows are the same ones");
    drawn(&mut model, 60, 24);
    assert_ne!(rows(&model)[1], after[1], "another width has other rows");
}

#[test]
fn a_line_of_a_hundred_kilobytes_costs_no_more_than_its_end() {
    let mut model = connected();
    model.hear(News::Show("s".parse().expect("valid")));
    model.hear(event("s", 1, Some(1), accepted("go")));
    model.hear(event("s", 1, Some(2), started()));
    model.hear(event("s", 1, None, delta(1, 1, 0, &"x".repeat(100 << 10))));
    drawn(&mut model, 80, 24);
    let begun = tokio::time::Instant::now();
    for more in 0..100 {
        model.hear(event("s", 1, None, delta(1, 1, (100 << 10) + more, "y")));
        drawn(&mut model, 80, 24);
    }
    // Without keeping what is done, each picture would break the whole line again.
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
}

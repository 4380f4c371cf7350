//! What stands where in a conversation.

use mosaic_types::ToolState;
use mosaic_types::tool::ToolStep;

use super::*;

#[test]
fn a_turn_of_several_steps_shows_each_and_keeps_the_order_of_the_conversation() {
    let mut model = connected();
    let key = first(&mut model, "hi");
    model.hear(ack(&key, "s", 1));
    let tool = |kind, state, result: Option<&str>| {
        let (call, arguments, result) = ("c".to_owned(), "{\"zone\":\"UTC\"}".to_owned(), result.map(str::to_owned));
        (kind == StepKind::Tool).then(|| Box::new(ToolStep { call, arguments, state, result, ms: 3 }))
    };
    let ok = |name: &str, kind| {
        let tool = tool(kind, Some(ToolState::Done), Some("12:00"));
        EventBody::StepFinished { kind, name: name.into(), ok: true, part: None, tool }
    };
    let begun =
        |name: &str, kind| EventBody::StepStarted { kind, name: name.into(), part: None, tool: tool(kind, None, None) };
    for (seq, body) in [
        (Some(1), accepted("hi")),
        (Some(2), started()),
        (None, begun("lab/m-1", StepKind::Model)),
        (
            None,
            EventBody::StepFinished {
                kind: StepKind::Model,
                name: "lab/m-1".into(),
                ok: false,
                part: None,
                tool: None,
            },
        ),
        (None, begun("lab/m-2", StepKind::Model)),
        (None, delta(1, 1, 0, "let me see")),
        (Some(3), ok("lab/m-2", StepKind::Model)),
        (None, begun("clock", StepKind::Tool)),
        (Some(4), ok("clock", StepKind::Tool)),
        (Some(5), accepted("and quickly")),
        (None, EventBody::TurnThinking { text: "hm".into() }),
        (None, delta(1, 2, 0, "noo")),
        (Some(6), ok("lab/m-2", StepKind::Model)),
        (Some(7), finished("noon")),
    ] {
        model.hear(event("s", 1, seq, body));
    }
    let clock = "clock {\"zone\":\"UTC\"} · 12:00 Good";
    let want = ["> hi", "lab/m-1 Bad", "< let me see", clock, "> and quickly", "< noon"].map(str::to_owned).to_vec();
    assert_eq!(shown(&model), want);
    // One who reads it in the journal sees the same, but for what only was streamed.
    model.session_mut().forget();
    for (seq, body) in [
        (1, accepted("hi")),
        (2, started()),
        (3, ok("lab/m-2", StepKind::Model)),
        (4, ok("clock", StepKind::Tool)),
        (5, accepted("and quickly")),
        (6, ok("lab/m-2", StepKind::Model)),
        (7, finished("noon")),
    ] {
        model.hear(event("s", 1, Some(seq), body));
    }
    assert_eq!(shown(&model), ["> hi", clock, "> and quickly", "< noon"]);
}

#[test]
fn models_that_are_asked_together_each_have_a_line_before_the_answer() {
    let mut model = connected();
    let key = first(&mut model, "hi");
    model.hear(ack(&key, "s", 1));
    let part = |number, code| {
        let usage = Usage::new(1, 2);
        let part = mosaic_types::event::Part {
            number,
            ms: 1_250,
            usage,
            cost_usd: Some(0.01),
            estimated: false,
            text: None,
            code,
            saw: 0,
        };
        Some(Box::new(part))
    };
    let begun = |name: &str, number| EventBody::StepStarted {
        kind: StepKind::Model,
        name: name.into(),
        part: Some(number),
        tool: None,
    };
    let over = |name: &str, ok, part| EventBody::StepFinished {
        kind: StepKind::Model,
        name: name.into(),
        ok,
        part,
        tool: None,
    };
    for (seq, body) in [
        (Some(1), accepted("hi")),
        (Some(2), started()),
        (None, begun("a/1", 1)),
        (None, begun("b/2", 2)),
        (None, begun("c/3", 3)),
        (Some(3), over("b/2", true, part(2, None))),
        (Some(4), over("a/1", false, part(1, Some(Code::Cancelled)))),
        (Some(5), over("c/3", false, part(3, Some(Code::ProviderUnreachable)))),
        (None, delta(1, 1, 0, "yes")),
        (Some(6), finished("yes")),
    ] {
        model.hear(event("s", 1, seq, body));
    }
    assert_eq!(shown(&model), ["> hi", "a/1 Dropped", "b/2 · 1.2 s · $0.0100 Good", "c/3 Bad", "< yes"]);
}

#[test]
fn a_message_that_waits_stands_before_the_answer_to_it() {
    let mut model = connected();
    let key = first(&mut model, "one");
    model.hear(ack(&key, "s", 1));
    for (of, seq, body) in [
        (1, 1, accepted("one")),
        (1, 2, started()),
        (2, 3, accepted("two")),
        (3, 4, accepted("three")),
        (1, 5, finished("1")),
        (2, 6, started()),
        (2, 7, finished("2")),
        (3, 8, started()),
        (3, 9, EventBody::TurnFailed { code: Code::Crashed, message: "It broke.".into(), text: None }),
    ] {
        model.hear(event("s", of, Some(seq), body));
    }
    assert_eq!(shown(&model), ["> one", "< 1", "> two", "< 2", "> three", "! It broke."]);
}

#[test]
fn what_was_superseded_is_not_shown_any_more() {
    let mut model = connected();
    let key = first(&mut model, "one");
    model.hear(ack(&key, "s", 1));
    for (of, seq, body) in [
        (1, 1, accepted("one")),
        (1, 2, started()),
        (2, 3, accepted("two")),
        (1, 4, finished("1")),
        (2, 5, started()),
        (2, 6, finished("2")),
        (3, 7, accepted("three")),
        (3, 8, started()),
        (3, 9, finished("3")),
        (4, 10, EventBody::MessagesSuperseded { from: 3 }),
        (4, 11, accepted("two, better")),
        (4, 12, started()),
        (4, 13, finished("2!")),
    ] {
        model.hear(event("s", of, Some(seq), body));
    }
    assert_eq!(shown(&model), ["> one", "< 1", "> two, better", "< 2!"]);
}

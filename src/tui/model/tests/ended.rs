//! What is left of an answer that was cut short.

use super::*;

fn cancelled(text: Option<&str>) -> EventBody {
    EventBody::TurnCancelled { text: text.map(str::to_owned) }
}

fn failed(text: Option<&str>) -> EventBody {
    EventBody::TurnFailed {
        code: Code::ProviderStalled,
        message: "Nothing came.".into(),
        text: text.map(str::to_owned),
    }
}

/// The events of a turn, as one who was there heard them and as one reads them in the journal.
fn told_both_ways(events: Vec<(Option<i64>, EventBody)>) -> Vec<String> {
    let (mut live, mut later) = (connected(), connected());
    for model in [&mut live, &mut later] {
        let key = first(model, "hi");
        model.hear(ack(&key, "s", 1));
    }
    for (seq, body) in events {
        if seq.is_some() {
            later.hear(event("s", 1, seq, body.clone()));
        }
        live.hear(event("s", 1, seq, body));
    }
    assert_eq!(shown(&live), shown(&later), "live, and read again");
    shown(&live)
}

#[test]
fn what_was_read_of_an_answer_that_was_cut_short_stays_live_and_when_it_is_read_again() {
    for (end, told) in [(cancelled(Some("one tw")), "- Stopped."), (failed(Some("one tw")), "! Nothing came.")] {
        let events = vec![
            (Some(1), accepted("hi")),
            (Some(2), started()),
            (None, delta(1, 1, 0, "one ")),
            (None, delta(1, 1, 4, "tw")),
            (Some(3), end),
        ];
        assert_eq!(told_both_ways(events), ["> hi", "< one tw", told]);
    }
}

#[test]
fn an_answer_that_was_cut_short_stands_behind_the_tools_that_were_asked_for_before_it() {
    let tool = || mosaic_types::tool::ToolStep {
        call: "c".to_owned(),
        arguments: "{}".to_owned(),
        state: Some(mosaic_types::ToolState::Done),
        result: Some("12:00".to_owned()),
        ms: 3,
    };
    let over = |name: &str, kind, tool| EventBody::StepFinished { kind, name: name.into(), ok: true, part: None, tool };
    let events = vec![
        (Some(1), accepted("hi")),
        (Some(2), started()),
        (Some(3), over("lab/m-1", StepKind::Model, None)),
        (Some(4), over("clock", StepKind::Tool, Some(Box::new(tool())))),
        (None, delta(1, 2, 0, "It is ")),
        (Some(5), cancelled(Some("It is "))),
    ];
    assert_eq!(told_both_ways(events), ["> hi", "clock · 12:00 Good", "< It is ", "- Stopped."]);
}

#[test]
fn what_no_journal_holds_is_not_shown_once_the_turn_is_over() {
    let events =
        vec![(Some(1), accepted("hi")), (Some(2), started()), (None, delta(1, 1, 0, "half")), (Some(3), failed(None))];
    assert_eq!(told_both_ways(events), ["> hi", "! Nothing came."]);
}

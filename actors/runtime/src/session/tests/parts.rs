//! Steps of several parts: what is known of them, and what was spent beside the answer.

use mosaic_types::event::{Part, StepKind};
use mosaic_types::journal::Outcome;
use mosaic_types::ledger::{Beside, Known};
use mosaic_types::{EventBody, Spent};

use super::*;
use crate::session::job::Then;
use crate::session::parts::Ran;
use crate::till::Till;

/// The part of a panel that `number` is, with what it cost.
fn part(number: u32) -> (EventBody, Beside) {
    let (usage, cost_usd) = (Usage::new(10, 1), Some(0.25));
    let (ms, estimated, text, code, saw) = (1, false, Some("so".to_owned()), None, 0);
    let part = Part { number, ms, usage, cost_usd, estimated, text, code, saw };
    let name = "p/m".to_owned();
    let event =
        EventBody::StepFinished { kind: StepKind::Model, name, ok: true, part: Some(Box::new(part)), tool: None };
    let beside = Beside {
        id: uuid::Uuid::from_u128(u128::from(number)),
        user: empty().row.user,
        agent: "assistant".parse().expect("valid"),
        of: None,
        model: "p/m".parse().expect("valid"),
        calls: 1,
        spent: Spent { usage, cost_usd },
        known: Known::Said,
        at: AT,
    };
    (event, beside)
}

#[test]
fn parts_of_a_step_are_kept_over_a_crash_and_void_when_the_dialogue_is_another() {
    let mut state = empty();
    submit(&mut state, 1);
    accept(&mut state, 1);
    let (event, beside) = part(1);
    assert!(state.part_ended(turn(1), 2, event.clone(), beside.clone(), AT).is_none(), "of another attempt");
    let Some(stored) = state.part_ended(turn(1), 1, event, beside, AT) else { panic!("it is stored") };
    assert!(matches!(&stored.event, EventBody::StepFinished { part: Some(part), .. } if part.saw == 1));

    // The run dies: the next one is told.
    assert!(matches!(state.run_died(turn(1), 1, AT), Some(Write::Restart(_))));
    let begin = state.started(turn(1), AT).begin.expect("it begins again");
    assert_eq!(begin.parts, std::slice::from_ref(&stored.event));

    // A person interrupts: there is more to answer now.
    submit_as(&mut state, 2, QueueMode::Interrupt);
    accept(&mut state, 2);
    let begin = state.started(turn(1), AT).begin.expect("it begins again");
    assert!(begin.parts.is_empty(), "they answer something else");

    let answer = FinishedTurn { usage: Usage::new(5, 2), cost_usd: Some(0.5), ..finished() };
    let lost = Spent { usage: Usage::new(7, 0), cost_usd: Some(0.125) };
    let (told, _) = part(2);
    let ran =
        Ran { result: Ok(answer), asked: Vec::new(), parts: vec![told], beside: lost, dues: Vec::new(), called: false };
    let Some(Write::End(end)) = state.run_ended(turn(1), 3, ran, AT) else { panic!("it ends") };
    assert_eq!(end.own, Spent { usage: Usage::new(5, 2), cost_usd: Some(0.5) });
    assert_eq!(end.steps.len(), 2, "the part that was not told before, and the step itself");
    let TurnEnd::Finished(finished) = end.end else { panic!("it is answered") };
    assert_eq!((finished.usage.input_tokens, finished.cost_usd), (22, Some(0.875)), "all that it cost is shown");
}

#[test]
fn a_part_that_could_not_be_stored_is_paid_for_all_the_same() {
    let (till, (event, beside)) = (Till::default(), part(1));
    Then::Noted { turn: turn(1), event, beside: beside.clone() }.refuse(&Ok(Outcome::Stale), &till);
    assert_eq!(till.take(), [beside]);
}

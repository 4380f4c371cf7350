//! Writes and their outcomes as lines to read.

use mosaic_store::StoreError;
use mosaic_types::journal::{Outcome, Write};

pub(super) fn named(write: &Write) -> String {
    match write {
        Write::CreateSession(new) => format!("create {}", new.id),
        Write::Claim { session } => format!("claim {session}"),
        Write::Accept(accept) => {
            format!("accept {}@{} {} in {} {:?}", accept.session, accept.epoch, accept.text, accept.turn, accept.entry)
        }
        Write::Step(step) => format!("step {}@{} {} {}", step.session, step.epoch, step.turn, step.step),
        Write::Tools(tools) => {
            let calls: Vec<_> = tools.results.iter().map(|result| result.call.id.as_str()).collect();
            format!("tools {}@{} {} {calls:?}", tools.session, tools.epoch, tools.turn)
        }
        Write::End(end) => format!("end {}@{} {} {:?}", end.session, end.epoch, end.turn, end.end.state()),
        Write::Start { session, epoch, next, .. } => format!("start {session}@{epoch} {}", next.turn),
        Write::Restart(again) => {
            format!("restart {}@{} {} {}/{}", again.session, again.epoch, again.turn, again.attempt, again.charged)
        }
        Write::Change(change) => format!("change {}", change.session),
        Write::Delete { session } => format!("delete {session}"),
        _ => "another write".to_owned(),
    }
}

pub(super) fn became(result: &Result<Outcome, StoreError>) -> String {
    match result {
        Ok(Outcome::Written(events)) => {
            format!("{:?}", events.iter().filter_map(|event| event.seq).collect::<Vec<_>>())
        }
        Ok(Outcome::Duplicate { turn, .. }) => format!("duplicate of {turn}"),
        Ok(other) => format!("{other:?}"),
        Err(error) => error.to_string(),
    }
}

//! What the journal must say when all is over.

use std::collections::{HashMap, HashSet};

use mosaic_types::{Code, EventBody, TurnId};

use super::World;
use super::store::lock;
use super::table::Table;

/// Counts what became of turns that took in more than one input.
fn count(world: &World, table: &Table, removed: bool) {
    for turn in &table.turns {
        if turn.inputs() > 1 {
            world.count("turns: of several inputs");
        }
        if turn.steps() > 0 {
            world.count("turns: of several steps");
        }
        if turn.inputs() > 1 && removed && turn.is_open() {
            world.count("turns: removed while they had several inputs");
        }
    }
}

/// Checks every journal: I1 to I4.
pub(crate) fn journals(world: &World) {
    {
        let disk = lock(&world.tables);
        disk.sessions.values().for_each(|table| count(world, table, false));
        disk.removed.tables.iter().for_each(|table| count(world, table, true));
    }
    let wrong: Vec<String> = {
        let disk = lock(&world.tables);
        let mut keys = HashMap::<TurnId, usize>::new();
        disk.inbox.values().for_each(|input| *keys.entry(input.turn).or_default() += 1);
        let turns: HashMap<_, _> =
            disk.sessions.values().flat_map(|table| &table.turns).map(|turn| (turn.id, turn.inputs())).collect();
        let differ = (keys != turns).then(|| "I1: the keys of the inbox are not those of the stored inputs".to_owned());
        let kept = disk.sessions.values().filter_map(|table| journal(table, false).err());
        // One that was removed may have been in the middle of anything.
        let removed = disk.removed.tables.iter().filter_map(|table| journal(table, true).err());
        kept.chain(removed).chain(differ).collect()
    };
    for wrong in wrong {
        world.broken(&wrong);
    }
}

/// I6: whatever died, each call that a model heard and that cost something is in the ledger. There may be more: of a call
/// that the process died of, nobody knows whether it was made.
pub(crate) fn ledger(world: &World) {
    let (disk, heard) = (lock(&world.tables), world.heard.lock().expect("nothing panics while it is held"));
    let entered = |turn: TurnId| {
        let of = disk.ledger.values().filter(|entry| entry.of.as_ref().is_some_and(|(_, of)| *of == turn));
        usize::try_from(of.map(|entry| entry.calls).sum::<u64>()).expect("few calls")
    };
    let mut wrong = Vec::new();
    // One that was removed may have been told the same before.
    for table in disk.sessions.values().filter(|table| disk.removed.times(&table.row.id) == 0) {
        for turn in &table.turns {
            let asked: usize = turn.asked().filter_map(|input| heard.get(input)).sum();
            let answers = turn.steps() + usize::from(table.answer_of(turn).is_some());
            let entered = entered(turn.id);
            if entered + answers < asked {
                let session = &table.row.id;
                wrong.push(format!(
                    "I6: {session}: {} asked {asked} times, {answers} answers and {entered} entries",
                    turn.id
                ));
            }
        }
    }
    let entries = u64::try_from(disk.ledger.len()).expect("few entries");
    drop((disk, heard));
    world.tally.lock().expect("nothing panics while it is held").add("ledger: entries beside answers", entries);
    wrong.iter().for_each(|wrong| world.broken(wrong));
}

/// One session: numbers without a gap; each turn accepted, then active alone, then ended once; ends in the order of
/// acceptance; a turn takes in what comes while it is the first of those that have not ended, or the newest, and what is answered is all of that, each
/// input once.
fn journal(table: &Table, removed: bool) -> Result<(), String> {
    let session = &table.row.id;
    let (mut accepted, mut ended, mut known) = (Vec::new(), Vec::new(), HashSet::new());
    let (mut active, mut attempts) = (None::<TurnId>, HashMap::new());
    for (index, event) in table.events.iter().enumerate() {
        if event.seq.and_then(|seq| usize::try_from(seq).ok()) != Some(index + 1) {
            return Err(format!("{session}: event {} has the number {:?}", index + 1, event.seq));
        }
        let Some(turn) = event.turn else { continue };
        match &event.body {
            EventBody::TurnAccepted { .. } if known.insert(turn) => accepted.push(turn),
            EventBody::TurnAccepted { .. } => {
                let (first, newest) = (accepted.get(ended.len()), accepted.last());
                if first != Some(&turn) && newest.filter(|_| first.is_some()) != Some(&turn) {
                    return Err(format!("I3: {session}: {turn} takes in what others were before"));
                }
            }
            EventBody::TurnStarted { .. } => {
                if let Some(active) = active.replace(turn) {
                    return Err(format!("I4: {session}: {turn} starts while {active} runs"));
                }
                attempts.insert(turn, 1);
            }
            EventBody::TurnRestarted { attempt } => {
                let next = attempts.insert(turn, *attempt).map(|before| before + 1);
                if active != Some(turn) || next != Some(*attempt) {
                    return Err(format!("I4: {session}: {turn} restarts as attempt {attempt} while {active:?} runs"));
                }
            }
            body if body.is_end() => {
                // One that collects may be cancelled before it starts; and one may fail because its start is refused.
                let unstarted = match body {
                    EventBody::TurnCancelled { .. } => true,
                    EventBody::TurnFailed { code, .. } => *code == Code::StorageDefect,
                    _ => false,
                };
                let waited = active.is_none() && unstarted;
                if active.take() != Some(turn) && !waited {
                    return Err(format!("I2: {session}: {turn} ends and does not run"));
                }
                ended.push(turn);
            }
            _ => {}
        }
    }
    if let Some((asked, answered)) = accepted.iter().zip(&ended).find(|(asked, answered)| asked != answered) {
        return Err(format!("I3: {session}: {answered} ended in the place of {asked}"));
    }
    if let Some(lost) = accepted.get(ended.len()).filter(|_| !removed) {
        return Err(format!("I1: {session}: {lost} was accepted and has no end"));
    }
    if let Some((turn, call)) = table.turns.iter().find_map(|turn| Some((turn, turn.unanswered()?))) {
        return Err(format!("I5: {session}: {call} of {} has no result", turn.id));
    }
    if let Some(turn) = table.turns.iter().find(|turn| !turn.is_cut_rightly()) {
        return Err(format!("{session}: {} was not said so before it was cut short: {:?}", turn.id, turn.cut));
    }
    if let Some(turn) = table.turns.iter().find(|turn| !turn.is_answered(table.answer_of(turn))) {
        return Err(format!("I1: {session}: not all that {} was asked is answered, once and in order", turn.id));
    }
    Ok(())
}

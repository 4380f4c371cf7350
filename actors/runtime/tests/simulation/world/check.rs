//! What the journal must say when all is over.

use std::collections::{HashMap, HashSet};

use mosaic_types::{EventBody, TurnId};

use super::World;
use super::disk::{Table, Turn};
use super::store::lock;

/// Checks every journal: I1 to I4.
pub(crate) fn journals(world: &World) {
    let wrong: Vec<String> = {
        let disk = lock(&world.tables);
        let inbox = disk.inbox.values().map(|input| input.turn).collect::<HashSet<_>>();
        let turns: usize = disk.sessions.values().map(|table| table.turns.len()).sum();
        let inputs: usize = disk.sessions.values().flat_map(|table| &table.turns).map(Turn::inputs).sum();
        let keys = (disk.inbox.len() != inputs || inbox.len() != turns)
            .then(|| format!("I1: {} keys of {inputs} inputs name {} of {turns} turns", disk.inbox.len(), inbox.len()));
        disk.sessions.values().filter_map(|table| journal(table).err()).chain(keys).collect()
    };
    for wrong in wrong {
        world.broken(&wrong);
    }
}

/// One session: numbers without a gap; each turn accepted, then active alone, then ended once; ends in the order of
/// acceptance.
fn journal(table: &Table) -> Result<(), String> {
    let session = &table.row.id;
    let (mut accepted, mut ended) = (Vec::new(), Vec::new());
    let (mut active, mut attempts) = (None::<TurnId>, HashMap::new());
    for (index, event) in table.events.iter().enumerate() {
        if event.seq.and_then(|seq| usize::try_from(seq).ok()) != Some(index + 1) {
            return Err(format!("{session}: event {} has the number {:?}", index + 1, event.seq));
        }
        let Some(turn) = event.turn else { continue };
        match &event.body {
            EventBody::TurnAccepted { .. } => accepted.push(turn),
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
                if active.take() != Some(turn) {
                    return Err(format!("I2: {session}: {turn} ends and does not run"));
                }
                ended.push(turn);
            }
            _ => {}
        }
    }
    if let Some(lost) = accepted.iter().find(|turn| !ended.contains(turn)) {
        return Err(format!("I1: {session}: {lost} was accepted and has no end"));
    }
    if let Some((asked, answered)) = accepted.iter().zip(&ended).find(|(asked, answered)| asked != answered) {
        return Err(format!("I3: {session}: {answered} ended in the place of {asked}"));
    }
    Ok(())
}

//! A session of a store in memory, with the journal of its turns.

use mosaic_store::StoreError;
use mosaic_types::journal::{Said, SessionRow, TurnState};
use mosaic_types::routing::Route;
use mosaic_types::{AgentName, Epoch, EventBody, Role, Seq, SessionEvent, ToolResult, TurnId};

use super::turn::Turn;

/// A session with all that hangs on it.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) row: SessionRow,
    pub(super) last_input: Option<(TurnId, [u8; 32])>,
    pub(super) epoch: Epoch,
    /// In the order of acceptance.
    pub(crate) turns: Vec<Turn>,
    /// Those of `turns` that have not ended.
    pub(super) open: Vec<usize>,
    /// `events[seq - 1]`.
    pub(crate) events: Vec<SessionEvent>,
}

impl Table {
    pub(super) fn seq(&self) -> Seq {
        Seq::try_from(self.events.len()).expect("few events")
    }

    pub(super) fn running(&self) -> Option<usize> {
        self.open.iter().copied().find(|index| self.turns[*index].state == TurnState::Running)
    }

    pub(super) fn waits(&self, turn: TurnId) -> Option<usize> {
        let waits = |turn: &Turn| turn.state == TurnState::Queued;
        self.open_turn(turn).filter(|index| waits(&self.turns[*index]))
    }

    pub(super) fn open_turn(&self, turn: TurnId) -> Option<usize> {
        self.open.iter().copied().find(|index| self.turns[*index].id == turn)
    }

    /// The final answer of a turn that is finished.
    pub(crate) fn answer_of(&self, turn: &Turn) -> Option<&str> {
        match &self.events.get(usize::try_from(turn.end? - 1).ok()?)?.body {
            EventBody::TurnFinished(finished) => Some(&finished.text),
            _ => None,
        }
    }

    pub(super) fn journal(&mut self, turn: Option<TurnId>, body: EventBody) -> SessionEvent {
        let event = SessionEvent { body, session: self.row.id.clone(), turn, seq: Some(self.seq() + 1) };
        self.events.push(event.clone());
        event
    }

    /// Stores what a tool said.
    pub(super) fn answer(&mut self, index: usize, result: &ToolResult) -> Result<SessionEvent, StoreError> {
        let seq = self.seq() + 1;
        let turn = &mut self.turns[index];
        let id = turn.id;
        let asked = turn.calls.iter_mut().find(|asked| asked.call.id == result.call.id && asked.result.is_none());
        let asked = asked.ok_or_else(|| StoreError::Corrupt("a call has one result (I5)".to_owned()))?;
        (asked.state, asked.result) = (result.state, Some(seq));
        let saw = asked.place.0;
        let answers = Some(result.call.id.clone());
        turn.said.push((Some(saw), Said { answers, ..Said::new(seq, Role::Tool, result.text.as_str()) }));
        Ok(self.journal(Some(id), result.event()))
    }

    pub(super) fn begin(&mut self, index: usize, agent: &AgentName, route: Option<&Route>) -> SessionEvent {
        let turn = &mut self.turns[index];
        turn.state = TurnState::Running;
        turn.agent = agent.clone();
        turn.route = route.cloned().map(Box::new);
        let (id, route) = (turn.id, turn.route.clone());
        self.journal(Some(id), EventBody::TurnStarted { agent: agent.clone(), route })
    }
}

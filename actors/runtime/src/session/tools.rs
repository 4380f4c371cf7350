//! The tools that a step asked for: run after the step is stored, each result stored as it comes, and the next model call
//! made when all are there. Of a call that was cut off, its tool says whether it may run again.

use actix::prelude::*;
use mosaic_messages::ToolEnded;
use mosaic_tools::Tools;
use mosaic_types::journal::{OpenTurn, ToolsTurn, Write};
use mosaic_types::{EventBody, Role, Timestamp, ToolCall, ToolResult, ToolState, TurnId};
use tracing::Span;

use super::actor::SessionActor;
use super::job::Then;
use super::parts::{Active, Follow, Phase, Turn};
use super::state::SessionState;

/// A call of the step before, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Asked {
    pub(super) call: ToolCall,
    pub(super) result: Option<ToolResult>,
    /// The result is stored, or goes with a write that the turn waits for.
    pub(super) stored: bool,
}

impl Asked {
    fn new(call: ToolCall) -> Self {
        Self { call, result: None, stored: false }
    }
}

impl Turn {
    /// The calls of its last step, where some have no result yet. They are taken out of what was said, and what came in
    /// after them is answered too: both belong behind the last result.
    pub(super) fn unfinished(open: &mut OpenTurn) -> (Vec<Asked>, Vec<mosaic_types::ChatMessage>) {
        let Some(step) = open.said.iter().rposition(|said| said.role == Role::Assistant) else {
            return Default::default();
        };
        let told = |call: &ToolCall| {
            let result = open.said[step..].iter().find(|said| said.answers.as_deref() == Some(call.id.as_str()))?;
            // What became of it is stored; from here on only its text matters.
            let (call, text) = (call.clone(), result.text.as_ref().to_owned());
            Some(ToolResult { call, state: ToolState::Done, text, ms: 0 })
        };
        let asked: Vec<_> = open.said[step].asked.iter().map(|call| (call.clone(), told(call))).collect();
        if asked.iter().all(|(_, result)| result.is_some()) {
            return Default::default();
        }
        let after = open.said.split_off(step + 1);
        let unseen = after.into_iter().filter(|said| said.role == Role::User).map(|said| said.message()).collect();
        let asked = asked.into_iter().map(|(call, result)| Asked { stored: result.is_some(), result, call });
        (asked.collect(), unseen)
    }
}

impl Active {
    /// How often it has asked for tools.
    pub(super) fn rounds(&self) -> u32 {
        let rounds = self.turn.said.iter().filter(|said| !said.tool_calls.is_empty()).count();
        u32::try_from(rounds).unwrap_or(u32::MAX)
    }

    /// Its last step asked for these.
    pub(super) fn ask(&mut self, calls: &[ToolCall]) {
        self.tools = calls.iter().cloned().map(Asked::new).collect();
    }

    /// The calls that are to run, each with its place.
    pub(super) fn to_run(&self) -> Vec<(usize, ToolCall)> {
        let open = self.tools.iter().enumerate().filter(|(_, asked)| asked.result.is_none());
        open.map(|(place, asked)| (place, asked.call.clone())).collect()
    }

    /// Where every result is stored, they are part of what was said. Answers whether nothing of its tools is open.
    pub(super) fn hear_tools(&mut self) -> bool {
        if !self.tools.iter().all(|asked| asked.stored) {
            return false;
        }
        for asked in self.tools.drain(..) {
            self.turn.said.extend(asked.result.map(|result| result.message()));
        }
        true
    }

    /// The calls that were cut off and must not run again get the result that says so.
    pub(super) fn doubt(&mut self, tools: &Tools) -> Vec<ToolResult> {
        let cut = self.tools.iter_mut().filter(|asked| asked.result.is_none());
        cut.filter(|asked| !tools.may_run_again(&asked.call))
            .map(|asked| {
                let result = ToolResult::cut_off(asked.call.clone());
                (asked.result, asked.stored) = (Some(result.clone()), true);
                result
            })
            .collect()
    }

    /// What is told of calls without a result where the turn ends.
    pub(super) fn cut_tools(&self) -> Vec<EventBody> {
        self.to_run().into_iter().map(|(_, call)| ToolResult::turn_ended(call).event()).collect()
    }
}

impl SessionState {
    /// A tool answered. `None`: nobody wants to know any more.
    pub(super) fn tool_ended(
        &mut self,
        turn: TurnId,
        attempt: u32,
        result: ToolResult,
        at: Timestamp,
    ) -> Option<Box<ToolsTurn>> {
        if !self.runs(turn, attempt) {
            return None;
        }
        let (session, epoch) = (self.row.id.clone(), self.epoch);
        let active = self.active.as_mut()?;
        let asked = active.tools.iter_mut().find(|asked| asked.call.id == result.call.id && asked.result.is_none())?;
        asked.result = Some(result.clone());
        let (agent, results) = (active.agent.clone(), vec![result]);
        Some(Box::new(ToolsTurn { session, epoch, turn, agent, results, at }))
    }

    /// What tools said is stored. With the last of it the turn goes on.
    pub(super) fn tools_stored(&mut self, turn: TurnId, calls: &[String], at: Timestamp) -> Follow {
        let Some(active) = self.active.as_mut().filter(|active| active.turn.id == turn) else {
            return Follow::default();
        };
        active.tools.iter_mut().filter(|asked| calls.contains(&asked.call.id)).for_each(|asked| asked.stored = true);
        let all = active.tools.iter().all(|asked| asked.stored);
        if all && active.phase == Phase::Running { self.go(at) } else { Follow::default() }
    }
}

impl SessionActor {
    pub(super) fn tool_ended(&mut self, end: ToolEnded, ctx: &mut Context<Self>) {
        let at = self.doors.outside.now();
        let ToolEnded { turn, attempt, result } = end;
        let write = self.state.as_mut().and_then(|state| state.tool_ended(turn, attempt, result, at));
        if let Some(write) = write {
            let calls = write.results.iter().map(|result| result.call.id.clone()).collect();
            let parent = self.watched.get(&turn).map_or_else(Span::none, |watched| watched.span.clone());
            let span = tracing::debug_span!(parent: &parent, "session.tool", session.id = %self.id);
            self.write(Write::Tools(write), Then::Answered { turn, calls }, span, ctx);
        }
    }
}

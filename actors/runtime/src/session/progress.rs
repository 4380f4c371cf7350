//! What a session decides of the turn that is active: begun, taken a step further, begun again, ended.

use mosaic_types::event::{EventBody, FinishedTurn};
use mosaic_types::journal::{EndTurn, PartTurn, RestartTurn, StartTurn, StepTurn, TurnEnd, Write};
use mosaic_types::ledger::Beside;
use mosaic_types::{ChatMessage, Code, Role, Timestamp, ToolCall, TurnId};

use super::parts::{Active, Begin, Cancel, Follow, Phase, Ran, Turn};
use super::state::{Said, SessionState};
use crate::agent::run::{Chosen, CutOff};
use crate::routing::{attached, needs_of};

/// Deaths of its own run, or of its session while handling it, after which a turn is given up.
const DEATHS: u32 = 3;

impl SessionState {
    /// What must be written first in a new life: the turn that was cut off begins again, or the next one starts.
    /// `refused`: the turn whose end the life before could not store.
    pub(super) fn resume(&mut self, refused: Option<TurnId>, at: Timestamp) -> Follow {
        if let Some(write) = refused.and_then(|turn| self.resume_refused(turn, at)) {
            return Follow { begin: None, write: Some(write), settle: self.settling_newest() };
        }
        let write = match &self.active {
            Some(active) if active.charged >= DEATHS => Some(self.give_up(at)),
            Some(_) => Some(self.restart(at)),
            None => self.start_next(at),
        };
        Follow { begin: None, write, settle: self.settling_newest() }
    }

    /// The start, restart or last step of the active turn is stored.
    pub(super) fn started(&mut self, turn: TurnId, at: Timestamp) -> Follow {
        let ours = self.active.as_ref().is_some_and(|active| active.turn.id == turn);
        if ours { self.go(at) } else { Follow::default() }
    }

    /// The run reported its end; `None` where that run is no longer wanted.
    pub(super) fn run_ended(
        &mut self,
        turn: TurnId,
        attempt: u32,
        ran: impl Into<Ran>,
        at: Timestamp,
    ) -> Option<Write> {
        if !self.runs(turn, attempt) {
            return None;
        }
        let Ran { result, asked, mut parts, beside, dues, called } = ran.into();
        let active = self.active.as_mut()?;
        active.dues = dues;
        active.beside = active.beside.and(beside);
        for part in &mut parts {
            sees(part, active.saw);
        }
        parts.splice(..0, std::mem::take(&mut active.late));
        match result {
            Ok(mut said) => {
                active.calls += u32::from(called);
                let step = said.step();
                let own = active.spent.plus(said.usage, said.cost_usd);
                let all = own.and(active.beside);
                (said.usage, said.cost_usd) = (all.usage, all.cost_usd);
                active.answer = (own, parts);
                if asked.is_empty() && active.unseen.is_empty() {
                    let steps = active.answer.1.iter().cloned().chain([step]).collect();
                    self.end(TurnEnd::Finished(said), steps, at).map(Write::End)
                } else {
                    self.go_on(said, asked, at)
                }
            }
            Err(failure) => {
                let end = TurnEnd::failed(failure.code, failure.message);
                self.end(end, parts, at).map(Write::End)
            }
        }
    }

    /// A part of the running step is known. `None`: that run is no longer wanted.
    pub(super) fn part_ended(
        &mut self,
        turn: TurnId,
        attempt: u32,
        mut event: EventBody,
        beside: Beside,
        at: Timestamp,
    ) -> Option<Box<PartTurn>> {
        if !self.runs(turn, attempt) {
            return None;
        }
        let (session, epoch) = (self.row.id.clone(), self.epoch);
        let active = self.active.as_mut()?;
        sees(&mut event, active.saw);
        active.beside = active.beside.and(beside.spent);
        active.parts.push(event.clone());
        Some(Box::new(PartTurn { session, epoch, turn, event, beside, at }))
    }

    /// The answer was not stored as the turn's last: an input reached the store before it. `None`: no input is known
    /// here, so that this memory is not what was stored.
    pub(super) fn unseen(&mut self, answer: TurnEnd, at: Timestamp) -> Option<Write> {
        let unseen = self.active.as_ref().is_some_and(|active| !active.unseen.is_empty());
        match answer {
            TurnEnd::Finished(said) if unseen => self.go_on(said, Vec::new(), at),
            _ => None,
        }
    }

    /// The run died: its turn begins again, or is given up. `None` where that run is no longer wanted.
    pub(super) fn run_died(&mut self, turn: TurnId, attempt: u32, at: Timestamp) -> Option<Write> {
        if !self.runs(turn, attempt) {
            return None;
        }
        let active = self.active.as_mut()?;
        active.charged += 1;
        if active.charged >= DEATHS { Some(self.give_up(at)) } else { Some(self.restart(at)) }
    }

    /// Cancels the active turn, or the one that would be if it did not collect; where one is meant, that one and no other.
    pub(super) fn cancel(&mut self, meant: Option<TurnId>, at: Timestamp) -> Cancel {
        let other = |turn: TurnId| meant.is_some_and(|meant| meant != turn);
        match &mut self.active {
            Some(active) if other(active.turn.id) => Cancel::Nothing,
            Some(active) if active.phase == Phase::Starting => {
                active.unwanted = true;
                Cancel::Soon
            }
            Some(active) if active.phase == Phase::Ending => Cancel::Nothing,
            Some(active) => {
                active.cut = true;
                self.end(TurnEnd::cancelled(), Vec::new(), at).map_or(Cancel::Nothing, Cancel::Now)
            }
            None => {
                if !self.queue.front().is_some_and(|turn| turn.is_stored() && !other(turn.id)) {
                    return Cancel::Nothing;
                }
                let Some(turn) = self.queue.pop_front() else { return Cancel::Nothing };
                self.active = Some(Active::new(turn, self.row.agent.clone()));
                self.end(TurnEnd::cancelled(), Vec::new(), at).map_or(Cancel::Nothing, Cancel::Now)
            }
        }
    }

    /// From now on nothing begins any more: neither what waits, nor what is about to begin with an end that is being
    /// written.
    pub(super) fn leave(&mut self) {
        self.leaving = true;
    }

    /// The end of the active turn is stored, and with it the start of `next`.
    pub(super) fn ended(&mut self, end: &TurnEnd, next: Option<StartTurn>, at: Timestamp) -> Follow {
        self.row.updated_at = at;
        // One that ended before it said anything leaves the dialogue with all its inputs: every question has its answer.
        if let (Some(mut active), Some(text)) = (self.active.take(), end.said()) {
            active.see_all();
            let mut said = active.turn.said;
            said.push(ChatMessage::new(Role::Assistant, text));
            self.history.add(said);
        }
        if let Some(next) = next {
            let position = self.queue.iter().position(|waiting| waiting.id == next.turn);
            if let Some(turn) = position.and_then(|index| self.queue.remove(index)) {
                let unwanted = self.leaving;
                self.active = Some(Active { route: next.route, unwanted, ..Active::new(turn, next.agent) });
                return self.go(at);
            }
        }
        Follow::write(self.start_next(at))
    }

    pub(super) fn runs(&self, turn: TurnId, attempt: u32) -> bool {
        self.active
            .as_ref()
            .is_some_and(|active| active.turn.id == turn && active.attempt == attempt && active.phase == Phase::Running)
    }

    /// The intent of the active turn's next call is stored: its run begins, unless nobody wants it any more.
    pub(super) fn go(&mut self, at: Timestamp) -> Follow {
        if self.active.as_ref().is_some_and(|active| active.unwanted) {
            return Follow::write(self.end(TurnEnd::cancelled(), Vec::new(), at).map(Write::End));
        }
        Follow { begin: self.begin(), ..Follow::default() }
    }

    /// The model that the active turn is answered by in place of its agent's, and who wants it so.
    fn chosen(&self, turn: &Turn) -> Option<Chosen> {
        turn.model.clone().map(Chosen::by_input).or_else(|| self.row.model.clone().map(Chosen::by_session))
    }

    /// The attempt of the active turn whose run was at work when its end was decided on; told once.
    pub(super) fn take_cut_attempt(&mut self) -> Option<u32> {
        let active = self.active.as_mut()?;
        std::mem::take(&mut active.cut).then_some(active.attempt)
    }

    /// The step of the active turn that an attempt was at.
    pub(super) fn cut_off(&self, attempt: u32) -> Option<CutOff> {
        // Where it was its tools that were cut off, no model had been called.
        let active = self.active.as_ref().filter(|active| active.tools.is_empty())?;
        Some(CutOff {
            user: self.row.user,
            session: self.row.id.clone(),
            turn: active.turn.id,
            attempt,
            step: active.step,
            agent: active.agent.clone(),
            chosen: self.chosen(&active.turn),
            route: active.route.clone(),
            parts: active.parts.clone(),
            dialogue: self.history.iter().chain(&active.turn.said).cloned().collect(),
        })
    }

    /// An attempt that was cut off may have spent so much.
    pub(super) fn may_have_spent(&mut self, lost: &[Beside]) {
        if let Some(active) = &mut self.active {
            active.beside = lost.iter().fold(active.beside, |sum, entry| sum.and(entry.spent));
        }
    }

    fn begin(&mut self) -> Option<Begin> {
        let chosen = self.active.as_ref().and_then(|active| self.chosen(&active.turn));
        let active = self.active.as_mut()?;
        active.phase = Phase::Running;
        // What came in while tools ran joins behind what they said: a call is never parted from its result.
        if active.hear_tools() {
            active.see_all();
            active.saw = active.turn.newest;
            active.keep_parts();
        }
        let tools = active.to_run();
        if !active.tools.is_empty() && tools.is_empty() {
            // The last results are on their way to the store.
            return None;
        }
        let rounds = active.rounds();
        let said = if tools.is_empty() { Some(self.history.iter().chain(&active.turn.said)) } else { None };
        Some(Begin {
            tools,
            rounds,
            parts: active.parts.clone(),
            turn: active.turn.id,
            attempt: active.attempt,
            deaths: (active.attempt - 1).saturating_sub(active.charged),
            step: active.step,
            agent: active.agent.clone(),
            route: active.route.clone(),
            model: chosen,
            dialogue: said.into_iter().flatten().cloned().collect(),
        })
    }

    /// What was said becomes a step of the turn, and the tools that it asks for or another step follow. `said`: with the
    /// sums of all steps so far.
    fn go_on(&mut self, said: FinishedTurn, asked: Vec<ToolCall>, at: Timestamp) -> Option<Write> {
        let active = self.active.as_mut()?;
        active.phase = Phase::Starting;
        active.ask(&asked);
        let message = ChatMessage::new(Role::Assistant, said.text.as_str());
        active.turn.said.push(ChatMessage { tool_calls: asked.clone(), ..message });
        let (own, parts) = std::mem::take(&mut active.answer);
        active.spent = own;
        active.parts.clear();
        let step = StepTurn {
            asked,
            parts,
            own,
            calls: active.calls,
            beside: std::mem::take(&mut active.dues),
            session: self.row.id.clone(),
            epoch: self.epoch,
            turn: active.turn.id,
            agent: active.agent.clone(),
            step: active.step,
            saw: active.saw,
            said,
            at,
        };
        active.step += 1;
        Some(Write::Step(Box::new(step)))
    }

    /// Begins the active turn again, after its finished steps.
    pub(super) fn restart(&mut self, at: Timestamp) -> Write {
        let active = self.active.as_mut().expect("only an active turn begins again");
        active.attempt += 1;
        active.phase = Phase::Starting;
        let unknown = active.doubt(&self.tools);
        Write::Restart(RestartTurn {
            session: self.row.id.clone(),
            epoch: self.epoch,
            turn: active.turn.id,
            attempt: active.attempt,
            charged: active.charged,
            lost: Vec::new(),
            agent: active.agent.clone(),
            unknown,
            at,
        })
    }

    fn give_up(&mut self, at: Timestamp) -> Write {
        let message = format!(
            "Answering this message crashed {DEATHS} times, so it is not tried again. The session goes on; the log has \
             the cause."
        );
        if let Some(active) = &mut self.active {
            active.cut = true;
        }
        let end = self.end(TurnEnd::failed(Code::Crashed, message), Vec::new(), at);
        Write::End(end.expect("only an active turn crashes"))
    }

    pub(super) fn end(&mut self, end: TurnEnd, mut steps: Vec<EventBody>, at: Timestamp) -> Option<Box<EndTurn>> {
        let next = self.next().map(|turn| self.starts(turn, at));
        let active = self.active.as_mut()?;
        active.phase = Phase::Ending;
        steps.splice(..0, active.cut_tools());
        Some(Box::new(EndTurn {
            cuts_tools: !active.tools.is_empty(),
            session: self.row.id.clone(),
            epoch: self.epoch,
            turn: active.turn.id,
            agent: active.agent.clone(),
            end,
            step: active.step,
            saw: active.saw,
            steps,
            delivers: active.turn.delivers,
            own: active.answer.0,
            calls: active.calls,
            // Kept: an answer that outran an input becomes a step.
            beside: active.dues.clone(),
            next,
            at,
        }))
    }

    /// The start of a turn that waited, with what rules say of it now.
    fn starts(&self, turn: &Turn, at: Timestamp) -> StartTurn {
        let inputs = turn.said.iter().filter(|message| message.role == Role::User);
        let texts: Vec<&str> = inputs.map(|message| &*message.text).collect();
        let files = turn.said.iter().flat_map(|message| message.files.iter());
        let said = Said { texts: &texts, attached: attached(files), needs: &needs_of(&turn.said) };
        let route = self.route(turn, said, at);
        StartTurn { turn: turn.id, agent: self.row.agent.clone(), route }
    }

    /// Starts the first that waits, where nothing is active. What waits usually starts in the write that ends the turn
    /// before it; this is for what was accepted while that write was under way, and for what collected.
    pub(super) fn start_next(&mut self, at: Timestamp) -> Option<Write> {
        if self.active.is_some() {
            return None;
        }
        let next = self.starts(self.next()?, at);
        let turn = self.queue.pop_front()?;
        self.active = Some(Active { route: next.route.clone(), ..Active::new(turn, next.agent.clone()) });
        Some(Write::Start { session: self.row.id.clone(), epoch: self.epoch, next, at })
    }
}

/// Says of a part which dialogue it answers.
fn sees(event: &mut EventBody, saw: mosaic_types::Seq) {
    if let EventBody::StepFinished { part: Some(part), .. } = event {
        part.saw = saw;
    }
}

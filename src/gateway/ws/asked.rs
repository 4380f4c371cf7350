//! What a client asks for, frame by frame.

use std::time::Duration;

use mosaic_messages::{Accepted, CommandDone};
use mosaic_types::command::{COMMANDS, Line};
use mosaic_types::{Code, Failure, Principal, Secret, SessionId, TurnId};
use tokio::time::Instant;

use super::close::Close;
use super::effect::{Effect, Effects};
use super::frames::{ClientFrame, PROTOCOL, ServerFrame};
use super::state::{Phase, State};
use crate::gateway::input::Input;
use crate::telemetry::context::Caller;

/// Sessions that one socket may follow.
pub(super) const SESSIONS: usize = 1_000;

/// Requests of one socket that may be unanswered.
const ASKING: usize = 64;

impl State {
    pub(super) fn connect(&mut self, token: Option<Secret>, protocol: u32, now: Instant, out: &mut Effects) {
        if protocol != PROTOCOL {
            let sentence = format!("This daemon speaks protocol {PROTOCOL}, not {protocol}.");
            let failure = Failure::new(Code::BadRequest, sentence);
            return self.fail(None, &failure, Close::BAD_CONNECT, "another protocol", now, out);
        }
        match (token, self.known) {
            (Some(token), _) => out.push(Effect::Identify(token)),
            (None, Some(who)) => self.identified(Ok(who), now, out),
            (None, None) => {
                let sentence = "A token is needed: {\"type\":\"connect\",\"protocol\":1,\"token\":\"…\"}.";
                self.identified(Err(Failure::new(Code::Unauthorized, sentence)), now, out);
            }
        }
    }

    /// It is known whose token it is, or that it is nobody's.
    pub(super) fn identified(&mut self, who: Result<Principal, Failure>, now: Instant, out: &mut Effects) {
        if !matches!(self.phase, Phase::Waiting { .. }) {
            return;
        }
        match who {
            Err(failure) => self.fail(None, &failure, Close::UNAUTHORIZED, "no good token", now, out),
            Ok(who) => {
                self.phase = Phase::Ready(who);
                out.push(Effect::Enter(who));
                let ready = ServerFrame::Ready {
                    user: who.user,
                    role: who.role,
                    version: env!("CARGO_PKG_VERSION"),
                    protocol: PROTOCOL,
                    commands: COMMANDS,
                };
                self.say(&ready, now, out);
                if self.draining {
                    self.notice(now, out);
                }
                self.flush(now, out);
            }
        }
    }

    pub(super) fn frame(&mut self, frame: ClientFrame, who: Principal, now: Instant, out: &mut Effects) {
        if let Err(failure) = frame.access().check(who.role) {
            return self.error(frame.id(), None, &failure, now, out);
        }
        match frame {
            ClientFrame::Connect { id, .. } => {
                let failure = Failure::new(Code::BadRequest, "This socket is connected already.");
                self.error(id.as_deref(), None, &failure, now, out);
            }
            ClientFrame::Ping { id } => self.say(&ServerFrame::Pong { id: id.as_deref() }, now, out),
            ClientFrame::Subscribe { id, session, after } => {
                if !self.follows.contains(&session) && self.follows.len() >= SESSIONS {
                    let sentence = format!("A socket follows at most {SESSIONS} sessions; unsubscribe from one first.");
                    let failure = Failure::new(Code::Busy, sentence);
                    return self.error(id.as_deref(), None, &failure, now, out);
                }
                self.follows.insert(session.clone());
                self.outbox.follow(session.clone(), after);
                out.push(Effect::Follow { id, session, after });
            }
            ClientFrame::Unsubscribe { id, session } => {
                self.forget(&session);
                out.push(Effect::Unfollow(session.clone()));
                self.say(&ServerFrame::Unsubscribed { id: id.as_deref(), session: &session }, now, out);
            }
            ClientFrame::MessageSend { id: None, .. } => {
                let sentence = "message.send needs an id: it is the key by which a repeat finds its turn.";
                self.error(None, None, &Failure::new(Code::BadRequest, sentence), now, out);
            }
            ClientFrame::MessageSend {
                id: Some(id),
                session,
                agent,
                text,
                mode,
                model,
                replaces,
                attachments,
                traceparent,
                tracestate,
            } => {
                if self.may_ask(Some(&id), now, out) {
                    let caller = Caller::new(traceparent, tracestate).or_else(|| self.caller.clone());
                    let input = Input { text, mode, model, replaces, attachments };
                    out.push(Effect::Submit { id, session, agent, input: Box::new(input), caller });
                }
            }
            ClientFrame::CommandExecute { id, session, line } => match line.parse::<Line>() {
                Ok(line) if self.may_ask(id.as_deref(), now, out) => out.push(Effect::Execute { id, session, line }),
                Ok(_) => {}
                Err(failure) => self.error(id.as_deref(), None, &failure, now, out),
            },
            ClientFrame::TurnCancel { id, session, turn } => {
                if self.may_ask(id.as_deref(), now, out) {
                    out.push(Effect::Cancel { id, session, turn });
                }
            }
        }
    }

    fn may_ask(&mut self, id: Option<&str>, now: Instant, out: &mut Effects) -> bool {
        if self.asking < ASKING {
            self.asking += 1;
            return true;
        }
        let sentence = format!("{ASKING} requests of this socket are unanswered already. Wait for one of them.");
        let failure = Failure::new(Code::Busy, sentence).after(Duration::from_secs(1));
        self.error(id, None, &failure, now, out);
        false
    }

    /// What became of an input.
    pub(super) fn submitted(
        &mut self,
        id: &str,
        result: Result<(SessionId, Accepted), Failure>,
        now: Instant,
        out: &mut Effects,
    ) {
        self.asking = self.asking.saturating_sub(1);
        match result {
            Ok((session, Accepted { turn, state, .. })) => {
                self.say(&ServerFrame::Ack { id, session: &session, turn, state }, now, out);
            }
            Err(failure) => self.error(Some(id), None, &failure, now, out),
        }
        self.flush(now, out);
    }

    /// What became of a wish to cancel.
    pub(super) fn cancelled(
        &mut self,
        id: Option<&str>,
        session: &SessionId,
        result: Result<Option<TurnId>, Failure>,
        now: Instant,
        out: &mut Effects,
    ) {
        self.asking = self.asking.saturating_sub(1);
        match result {
            Ok(turn) => self.say(&ServerFrame::Cancelled { id, session, turn }, now, out),
            Err(failure) => self.error(id, None, &failure, now, out),
        }
        self.flush(now, out);
    }

    /// What became of a command.
    pub(super) fn executed(
        &mut self,
        id: Option<&str>,
        result: Result<CommandDone, Failure>,
        now: Instant,
        out: &mut Effects,
    ) {
        self.asking = self.asking.saturating_sub(1);
        match result {
            Ok(CommandDone { session, text }) => {
                self.say(&ServerFrame::CommandResult { id, session: &session, text: &text }, now, out);
            }
            Err(failure) => self.error(id, None, &failure, now, out),
        }
        self.flush(now, out);
    }
}

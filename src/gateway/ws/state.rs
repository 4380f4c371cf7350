//! What a socket decides, without doing any of it: frames and events in, effects out.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use mosaic_runtime::events::{Ended, Told};
use mosaic_types::{Code, Failure, Principal, SessionId};
use tokio::time::Instant;

use super::close::Close;
use super::config::SocketConfig;
use super::effect::{Effect, Effects, Heard};
use super::frames::{ClientFrame, ServerFrame, Unread, read};
use super::outbox::{Full, Outbox, Piece};
use crate::gateway::principals::End;
use crate::telemetry::context::Caller;

/// After a close frame the other side has so long to answer it; then the connection is cut.
const GOODBYE: Duration = Duration::from_secs(5);

/// A client that broke the protocol has said all when it was quiet for so long: its goodbye is not made out any more.
const QUIET: Duration = Duration::from_millis(50);

/// Bytes that any connection takes, also of one who reads nothing.
const FEW: u64 = 16 << 10;

/// A stopping daemon gives a socket so long to take what waits for it.
const FAREWELL: Duration = Duration::from_secs(2);

/// Where a socket stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Phase {
    /// Nobody knows yet who this is.
    Waiting {
        until: Instant,
    },
    Ready(Principal),
    /// The daemon stops: what waits goes out, then a close frame.
    Leaving(Principal, Instant),
    /// A close frame is out.
    Closing {
        until: Instant,
    },
    Over,
}

/// One socket.
pub(super) struct State {
    config: SocketConfig,
    pub(super) phase: Phase,
    /// Who the upgrade's header said this is.
    pub(super) known: Option<Principal>,
    /// The span in which its client connected.
    pub(super) caller: Option<Caller>,
    pub(super) outbox: Outbox,
    pub(super) follows: HashSet<SessionId>,
    pub(super) asking: usize,
    /// When something was heard last.
    heard: Instant,
    /// When the last ping for an idle socket went out.
    asked: Instant,
    pub(super) draining: bool,
    /// After a close frame: when the connection ends at the latest.
    latest: Instant,
}

impl State {
    /// A socket that was just opened. `known`: who a header of the upgrade says it is; `seed`: drawn at random.
    pub(super) fn new(config: SocketConfig, known: Option<Principal>, seed: u64, now: Instant) -> Self {
        Self {
            phase: Phase::Waiting { until: now + config.connect },
            config,
            known,
            caller: None,
            outbox: Outbox::new(seed),
            follows: HashSet::new(),
            asking: 0,
            heard: now,
            asked: now,
            draining: false,
            latest: now,
        }
    }

    /// A piece of something long came.
    pub(super) fn part(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Ready(_) | Phase::Leaving(..)) {
            self.heard = now;
        }
    }

    /// A whole text came.
    pub(super) fn text(&mut self, text: &str, now: Instant, out: &mut Effects) {
        self.read(read(text), now, out);
    }

    /// A whole text came, and was read.
    pub(super) fn read(&mut self, read: Result<ClientFrame, Box<Unread>>, now: Instant, out: &mut Effects) {
        self.heard = now;
        match self.phase {
            Phase::Closing { .. } | Phase::Over => {}
            Phase::Waiting { .. } => match read {
                Ok(ClientFrame::Connect { token, protocol, traceparent, tracestate, .. }) => {
                    self.caller = Caller::new(traceparent, tracestate);
                    self.connect(token, protocol, now, out);
                }
                Ok(frame) => {
                    let sentence = format!("Say connect first, then {}.", frame.name());
                    let failure = Failure::new(Code::Unauthorized, sentence);
                    self.fail(frame.id(), &failure, Close::UNAUTHORIZED, "connect comes first", now, out);
                }
                Err(unread) => {
                    let Unread { id, failure } = *unread;
                    self.fail(id.as_deref(), &failure, Close::BAD_CONNECT, "connect was not understood", now, out);
                }
            },
            Phase::Ready(who) | Phase::Leaving(who, _) => {
                match read {
                    Ok(frame) => self.frame(frame, who, now, out),
                    Err(unread) => self.error(unread.id.as_deref(), None, &unread.failure, now, out),
                }
                self.flush(now, out);
            }
        }
    }

    /// A session that is followed has something to say. Call [`State::flush`] after the last of several.
    pub(super) fn heard(&mut self, session: &SessionId, heard: Heard, now: Instant, out: &mut Effects) {
        if !self.is_open() || !self.follows.contains(session) {
            return;
        }
        match heard {
            Heard::Told(Told::Event(event)) => {
                if self.outbox.event(event) == Err(Full) {
                    self.too_slow(now, out);
                }
            }
            Heard::Told(Told::CaughtUp(after)) => self.say(&ServerFrame::Subscribed { session, after }, now, out),
            // A stopping daemon ends what is followed; that is told by the code that the socket is closed with.
            Heard::Ended(Ended::Lagged) if self.draining => self.forget(session),
            Heard::Ended(Ended::Lagged) => self.too_slow(now, out),
            Heard::Ended(Ended::Removed) => {
                self.forget(session);
                self.error(None, Some(session), &Failure::not_found("session"), now, out);
            }
            Heard::Ended(Ended::Failed(failure)) => {
                self.forget(session);
                self.error(None, Some(session), &failure, now, out);
            }
            Heard::Refused { id, failure } => {
                self.forget(session);
                self.error(id.as_deref(), Some(session), &failure, now, out);
            }
        }
    }

    pub(super) fn forget(&mut self, session: &SessionId) {
        self.follows.remove(session);
        self.outbox.unfollow(session);
    }

    /// A ping came.
    pub(super) fn ping(&mut self, payload: Bytes, now: Instant, out: &mut Effects) {
        self.heard = now;
        if !matches!(self.phase, Phase::Closing { .. } | Phase::Over) {
            self.outbox.pong(payload);
            self.flush(now, out);
        }
    }

    /// A pong came.
    pub(super) fn pong(&mut self, payload: &[u8], now: Instant, out: &mut Effects) {
        self.heard = now;
        self.outbox.confirm(payload);
        self.flush(now, out);
    }

    /// The other side said goodbye, or answered ours.
    pub(super) fn goodbye(&mut self, code: Option<u16>, out: &mut Effects) {
        if self.phase != Phase::Over {
            if !matches!(self.phase, Phase::Closing { .. }) {
                out.push(Effect::Close(Close::new(code.unwrap_or(Close::NORMAL), "")));
            }
            self.phase = Phase::Over;
            out.push(Effect::End);
        }
    }

    /// The other side broke the protocol, or a limit: nothing that it says from here on is heard.
    pub(super) fn broken(&mut self, close: Close, now: Instant, out: &mut Effects) {
        if !matches!(self.phase, Phase::Closing { .. } | Phase::Over) {
            self.close(close, now, out);
        }
        self.rubbish(now);
    }

    /// Something came that means nothing, or what broke the protocol: the connection ends once no more of it comes.
    pub(super) fn rubbish(&mut self, now: Instant) {
        // What is still to be read by the other side takes longer.
        if let Phase::Closing { until } = &mut self.phase
            && self.outbox.unconfirmed() <= FEW
        {
            *until = self.latest.min(now + QUIET);
        }
    }

    /// What it was known by is good no more.
    pub(super) fn revoked(&mut self, end: End, now: Instant, out: &mut Effects) {
        if self.is_open() {
            let out_of = (Code::Unauthorized, Close::UNAUTHORIZED);
            let ((code, close), sentence, reason) = match end {
                End::Revoked => (out_of, "The token of this socket was revoked.", "the token was revoked"),
                End::Expired => (out_of, "The token of this socket has expired.", "the token has expired"),
                End::Changed => (
                    (Code::Forbidden, Close::CHANGED),
                    "What you may do here has changed. Connect again.",
                    "the role has changed; connect again",
                ),
            };
            self.fail(None, &Failure::new(code, sentence), close, reason, now, out);
        }
    }

    /// The daemon takes no new work.
    pub(super) fn draining(&mut self, now: Instant, out: &mut Effects) {
        self.draining = true;
        if self.is_open() {
            self.notice(now, out);
            self.flush(now, out);
        }
    }

    pub(super) fn notice(&mut self, now: Instant, out: &mut Effects) {
        let text = "Mosaic is stopping. Running turns go on to their end; new messages are refused.";
        self.say(&ServerFrame::Notice { text }, now, out);
    }

    /// Nothing runs in the stopping daemon any more.
    pub(super) fn drained(&mut self, now: Instant, out: &mut Effects) {
        match self.phase {
            Phase::Waiting { .. } => self.close(Close::new(Close::GOING_AWAY, GOING), now, out),
            Phase::Ready(who) => {
                self.phase = Phase::Leaving(who, now + FAREWELL);
                self.flush(now, out);
            }
            _ => {}
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Instant, out: &mut Effects) {
        match self.phase {
            Phase::Waiting { until } if now >= until => {
                let sentence = format!("No connect came within {:?}.", self.config.connect);
                let failure = Failure::new(Code::Unauthorized, sentence);
                self.fail(None, &failure, Close::TOO_SLOW, "no connect in time", now, out);
            }
            Phase::Leaving(_, until) if now >= until => self.close(Close::new(Close::GOING_AWAY, GOING), now, out),
            Phase::Ready(_) | Phase::Leaving(..) => {
                if self.outbox.stuck().is_some_and(|since| now >= since + self.config.slow) {
                    self.too_slow(now, out);
                } else if now >= self.heard + self.config.silence {
                    let reason = format!("nothing was heard for {:?}", self.config.silence);
                    self.close(Close::new(Close::TOO_SLOW, reason), now, out);
                } else if now >= self.heard.max(self.asked) + self.config.ping {
                    self.asked = now;
                    out.push(Effect::Write(self.outbox.ping()));
                }
            }
            Phase::Closing { until } if now >= until => {
                self.phase = Phase::Over;
                // A few bytes are in the system's hands already; more would keep the connection as long as nobody reads.
                out.push(if self.outbox.unconfirmed() > FEW { Effect::Cut } else { Effect::End });
            }
            _ => {}
        }
    }

    /// When [`State::tick`] is due, if nothing else happens before; `None`: never.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Waiting { until } | Phase::Closing { until } => Some(until),
            Phase::Ready(_) | Phase::Leaving(..) => {
                let stuck = self.outbox.stuck().map(|since| since + self.config.slow);
                let leaving = if let Phase::Leaving(_, until) = self.phase { Some(until) } else { None };
                let idle = self.heard.max(self.asked) + self.config.ping;
                let silent = self.heard + self.config.silence;
                [stuck, leaving, Some(idle), Some(silent)].into_iter().flatten().min()
            }
            Phase::Over => None,
        }
    }

    /// Writes what may go out, and what follows from that.
    pub(super) fn flush(&mut self, now: Instant, out: &mut Effects) {
        if matches!(self.phase, Phase::Closing { .. } | Phase::Over) {
            return;
        }
        self.outbox.flush(now, |piece| out.push(Effect::Write(piece)));
        if matches!(self.phase, Phase::Leaving(..)) && self.outbox.is_empty() {
            self.close(Close::new(Close::GOING_AWAY, GOING), now, out);
        }
    }

    /// Whether a replay may go on.
    pub(super) fn has_room(&self) -> bool {
        self.outbox.has_room()
    }

    fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Ready(_) | Phase::Leaving(..))
    }

    pub(super) fn say(&mut self, frame: &ServerFrame<'_>, now: Instant, out: &mut Effects) {
        if self.is_open() && self.outbox.frame(frame.text()) == Err(Full) {
            self.too_slow(now, out);
        }
    }

    pub(super) fn error(
        &mut self,
        id: Option<&str>,
        session: Option<&SessionId>,
        failure: &Failure,
        now: Instant,
        out: &mut Effects,
    ) {
        self.say(&ServerFrame::Error { id, session, failure, resume: &[] }, now, out);
    }

    /// Tells a failure, and closes for it.
    pub(super) fn fail(
        &mut self,
        id: Option<&str>,
        failure: &Failure,
        code: u16,
        reason: &'static str,
        now: Instant,
        out: &mut Effects,
    ) {
        if self.outbox.clear() {
            let text = ServerFrame::Error { id, session: None, failure, resume: &[] }.text();
            out.push(Effect::Write(Piece::Text(text)));
        }
        self.close(Close::new(code, reason), now, out);
    }

    /// Cuts one who reads too slowly, and says where to read on.
    fn too_slow(&mut self, now: Instant, out: &mut Effects) {
        let positions = self.outbox.positions();
        let reason = match &positions[..] {
            [only] => format!("too slow; subscribe to {} after {}", only.session, only.after),
            _ => "too slow; subscribe after the last seq that you have of each session".to_owned(),
        };
        if self.outbox.clear() {
            let sentence = "You read more slowly than is said. Connect again and subscribe after what you have.";
            let failure = Failure::new(Code::TooSlow, sentence);
            let text = ServerFrame::Error { id: None, session: None, failure: &failure, resume: &positions }.text();
            out.push(Effect::Write(Piece::Text(text)));
        }
        self.close(Close::new(Close::TOO_SLOW, reason), now, out);
    }

    fn close(&mut self, close: Close, now: Instant, out: &mut Effects) {
        self.latest = now + GOODBYE;
        self.phase = Phase::Closing { until: self.latest };
        self.outbox.clear();
        self.follows.clear();
        out.push(Effect::Close(close));
    }
}

/// Said with [`Close::GOING_AWAY`].
const GOING: &str = "Mosaic stops; connect again in a moment";

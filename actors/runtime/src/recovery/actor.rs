//! Looks now and then for sessions that are not awake and have something to do: open turns, or a last write that nobody
//! heard the answer of.
//!
//! A session with an open turn stays awake, so there are none as long as all goes well. But where the family of sessions
//! itself died, or a session was stopped in the middle of a turn, the turn would wait for the next message to its
//! session, and whoever waits for it with it. And where a session ended while the end of a turn was being written, that
//! end is stored and announced to nobody until the session is read anew.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use mosaic_supervise::{Mailbox, Tether, supervised};
use mosaic_types::SessionId;

use crate::doors::Doors;
use crate::session::Sessions;

/// Between two looks. A person who waits for an answer still waits; the look itself is one read of an index that holds
/// open turns only.
const EVERY: Duration = Duration::from_secs(3);

/// Finds turns that nobody holds.
pub struct RecoveryActor {
    doors: Arc<Doors>,
    sessions: Sessions,
    _tether: Tether,
}

impl RecoveryActor {
    /// It is told nothing but to stop.
    pub const MAILBOX: Mailbox = Mailbox { capacity: 1, patience: Duration::ZERO };

    /// Looks after the sessions of this store, of which this process is the only one to take turns.
    pub fn new(doors: Arc<Doors>, sessions: Sessions, tether: Tether) -> Self {
        Self { doors, sessions, _tether: tether }
    }

    fn look_later(ctx: &mut Context<Self>) {
        ctx.run_later(EVERY, |actor, ctx| actor.look(ctx));
    }

    fn look(&self, ctx: &mut Context<Self>) {
        let doors = self.doors.clone();
        let look = async move { doors.store.unfinished().await }.into_actor(self);
        ctx.spawn(look.map(|found, actor, ctx| {
            match found {
                Ok(mut sessions) => {
                    sessions.extend(actor.doors.hub.doubted());
                    actor.wake(sessions);
                }
                Err(error) => tracing::warn!(%error, "open turns could not be looked for"),
            }
            Self::look_later(ctx);
        }));
    }

    fn wake(&self, sessions: Vec<SessionId>) {
        for session in left(sessions, self.doors.work.is_draining(), |session| self.sessions.find(session).is_some()) {
            tracing::warn!(session.id = %session, "a session had left in the middle of its work, and is woken");
            self.sessions.open(&session);
        }
    }
}

/// Which of the sessions with something to do are to be woken: those that are not awake. One that restarts or is down counts
/// as awake, since it comes back by itself. While the house drains it is none: they go on after the next start.
fn left(open: Vec<SessionId>, draining: bool, awake: impl Fn(&SessionId) -> bool) -> Vec<SessionId> {
    if draining { Vec::new() } else { open.into_iter().filter(|session| !awake(session)).collect() }
}

impl Actor for RecoveryActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        Self::look_later(ctx);
    }
}
supervised!(RecoveryActor);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_that_left_are_woken_but_not_while_the_house_drains() {
        let id = |name: &str| name.parse::<SessionId>().expect("a good id");
        let open = || vec![id("here"), id("gone")];
        let awake = |session: &SessionId| *session == id("here");
        assert_eq!(left(open(), false, awake), [id("gone")]);
        assert_eq!(left(open(), true, awake), []);
    }
}

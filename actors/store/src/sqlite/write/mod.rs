//! What each write does to the tables.

mod access;
mod journal;
mod session;
mod turn;

use diesel::SqliteConnection;
use mosaic_types::journal::{Outcome, Write};

use crate::StoreError;

/// Carries out one write inside the transaction that is open.
///
/// A conflict is an outcome and has changed nothing; after an error the transaction must be rolled back.
pub(super) fn apply(conn: &mut SqliteConnection, write: &Write) -> Result<Outcome, StoreError> {
    match write {
        Write::CreateSession(new) => session::create(conn, new),
        Write::Claim { session } => session::claim(conn, session),
        Write::Accept(accept) => turn::accept(conn, accept),
        Write::End(end) => turn::end(conn, end),
        Write::Start { session, epoch, next, at } => turn::start(conn, session, *epoch, next, *at),
        Write::Restart(restart) => turn::restart(conn, restart),
        Write::Change(change) => session::change(conn, change),
        Write::Delete { session } => session::delete(conn, session),
        Write::CreateUser(new) => access::create_user(conn, new),
        Write::CreateToken(new) => access::create_token(conn, new),
        Write::RevokeToken { token, at } => access::revoke_token(conn, *token, *at),
    }
}

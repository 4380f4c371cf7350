//! What each write does to the tables, in any database.

mod access;
mod binding;
mod fork;
mod input;
mod journal;
mod ledger;
mod outbox;
mod pairing;
mod rules;
mod session;
mod signin;
mod supersede;
mod tools;
mod turn;

use mosaic_types::journal::{Outcome, Write};

use super::{Conn, RunQueryDsl};
use crate::StoreError;

/// Carries out one write inside the transaction that is open.
///
/// A conflict is an outcome and has changed nothing; after an error the transaction must be rolled back.
pub(super) async fn apply(conn: &mut Conn<'_>, write: &Write) -> Result<Outcome, StoreError> {
    let Write::Audited { deed, write } = write else { return change(conn, write).await };
    let outcome = change(conn, write).await?;
    if matches!(outcome, Outcome::Written(_) | Outcome::Paired(_) | Outcome::UserRemoved(_)) {
        access::note(conn, deed).await?;
    }
    Ok(outcome)
}

async fn change(conn: &mut Conn<'_>, write: &Write) -> Result<Outcome, StoreError> {
    #[cfg(test)]
    crate::planted::panic_at(write);
    match write {
        // Said at the write: what is audited is not audited itself.
        Write::Audited { .. } => Ok(Outcome::Closed),
        Write::CreateSession(new) => session::create(conn, new).await,
        Write::Claim { session } => session::claim(conn, session).await,
        Write::Accept(accept) => input::accept(conn, accept).await,
        Write::Step(step) => turn::step(conn, step).await,
        Write::Part(part) => turn::part(conn, part).await,
        Write::Tools(tools) => tools::tools(conn, tools).await,
        Write::End(end) => turn::end(conn, end).await,
        Write::Start { session, epoch, next, at } => turn::start(conn, session, *epoch, next, *at).await,
        Write::Restart(restart) => turn::restart(conn, restart).await,
        Write::Change(change) => session::change(conn, change).await,
        Write::Fork(fork) => fork::fork(conn, fork).await,
        Write::Delete { session } => session::delete(conn, session).await,
        Write::CreateUser(new) => access::create_user(conn, new).await,
        Write::RemoveUser { user, heir } => access::remove_user(conn, *user, *heir).await,
        Write::SetRole { user, role } => access::set_role(conn, *user, *role).await,
        Write::CreateToken(new) => access::create_token(conn, new).await,
        Write::RevokeToken { token, at } => access::revoke_token(conn, *token, *at).await,
        Write::CreateLink(new) => signin::create_link(conn, new).await,
        Write::SignIn { browser, link } => signin::sign_in(conn, browser, link.as_ref()).await,
        Write::SeeBrowser { browser, at } => signin::see(conn, *browser, *at).await,
        Write::SignOut { browser } => signin::sign_out(conn, *browser).await,
        Write::TakeItems(take) => outbox::take(conn, take).await,
        Write::SettleItem(settle) => outbox::settle(conn, settle).await,
        Write::KeepPreview { turn, conversation, platform_id, at } => {
            outbox::keep_preview(conn, *turn, conversation, platform_id, *at).await
        }
        Write::PruneItems { sent_before, lost_before, limit } => {
            outbox::prune(conn, *sent_before, *lost_before, *limit).await
        }
        Write::Bind { conversation, new } => binding::bind(conn, conversation, new).await,
        Write::Rebind { conversation, session, at } => binding::rebind(conn, conversation, session, *at).await,
        Write::OfferPairing(new) => pairing::offer(conn, new).await,
        Write::Pair { hash, user, at } => pairing::pair(conn, *hash, *user, *at).await,
        Write::LinkSender(link) => pairing::link(conn, link).await,
        Write::Unpair { channel, sender } => pairing::unpair(conn, channel, sender).await,
        Write::KeepCursor { channel, scope, value, at } => pairing::keep(conn, channel, scope, value, *at).await,
        Write::Spend(entries) => ledger::spend(conn, entries).await,
        Write::SetRules { user, rules } => rules::set(conn, *user, rules).await,
    }
}

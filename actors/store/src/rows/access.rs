//! Who may come in, as rows: people, tokens, browsers, links, pairings; people's own rules, and what was done.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sqlite::Sqlite;
use mosaic_types::UserId;
use mosaic_types::journal::{AuditRow, TokenRow, UserRow};
use mosaic_types::pairing::{PairingRow, Speaker};
use mosaic_types::routing::OwnRule;
use mosaic_types::signin::{Browser, LinkRow};

use super::role;
use crate::StoreError;
use crate::schema::{audit, browsers, links, pairings, routing_rules, tokens, users};
use crate::sql_types::{Digest, Id, Json, Ts};

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = tokens, check_for_backend(Pg, Sqlite))]
pub(crate) struct TokenRecord {
    id: Id,
    user_id: Id,
    name: String,
    role: String,
    hash: Digest,
    created_at: Ts,
    revoked_at: Option<Ts>,
    expires_at: Option<Ts>,
}

impl TokenRecord {
    pub(crate) fn of(self, user_name: String) -> Result<TokenRow, StoreError> {
        Ok(TokenRow {
            id: self.id.into(),
            user: self.user_id.into(),
            user_name,
            name: self.name,
            role: role(&self.role)?,
            hash: self.hash.0,
            created_at: self.created_at.into(),
            expires_at: self.expires_at.map(Into::into),
            revoked: self.revoked_at.is_some(),
        })
    }
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = browsers, check_for_backend(Pg, Sqlite))]
pub(crate) struct BrowserRecord {
    hash: Digest,
    user_id: Id,
    role: String,
    token_id: Option<Id>,
    created_at: Ts,
    seen_at: Ts,
    expires_at: Ts,
}

impl TryFrom<BrowserRecord> for Browser {
    type Error = StoreError;
    fn try_from(record: BrowserRecord) -> Result<Self, StoreError> {
        Ok(Self {
            hash: record.hash.0,
            user: record.user_id.into(),
            role: role(&record.role)?,
            token: record.token_id.map(Into::into),
            created_at: record.created_at.into(),
            seen_at: record.seen_at.into(),
            expires_at: record.expires_at.into(),
        })
    }
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = links, check_for_backend(Pg, Sqlite))]
pub(crate) struct LinkRecord {
    hash: Digest,
    user_id: Id,
    role: String,
    expires_at: Ts,
    spent_at: Option<Ts>,
}

impl TryFrom<LinkRecord> for LinkRow {
    type Error = StoreError;
    fn try_from(record: LinkRecord) -> Result<Self, StoreError> {
        Ok(Self {
            hash: record.hash.0,
            user: record.user_id.into(),
            role: role(&record.role)?,
            expires_at: record.expires_at.into(),
            spent: record.spent_at.is_some(),
        })
    }
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = pairings, check_for_backend(Pg, Sqlite))]
pub(crate) struct PairingRecord {
    channel: String,
    account: String,
    sender: String,
    name: String,
    created_at: Ts,
    expires_at: Ts,
}

/// The user as whom somebody speaks.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(Pg, Sqlite))]
pub(crate) struct SpeakerRecord {
    id: Id,
    name: String,
    role: String,
}

impl PairingRecord {
    pub(crate) fn of(self, speaker: Option<SpeakerRecord>) -> Result<PairingRow, StoreError> {
        let user = speaker
            .map(|user| Ok::<_, StoreError>(Speaker { id: user.id.into(), name: user.name, role: role(&user.role)? }));
        Ok(PairingRow {
            channel: self.channel,
            account: self.account,
            sender: self.sender,
            name: self.name,
            user: user.transpose()?,
            created_at: self.created_at.into(),
            expires_at: self.expires_at.into(),
        })
    }
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(Pg, Sqlite))]
pub(crate) struct UserRecord {
    id: Id,
    name: String,
    role: String,
    created_at: Ts,
}

impl TryFrom<UserRecord> for UserRow {
    type Error = StoreError;
    fn try_from(record: UserRecord) -> Result<Self, StoreError> {
        Ok(Self {
            id: record.id.into(),
            name: record.name,
            role: role(&record.role)?,
            created_at: record.created_at.into(),
        })
    }
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = audit, check_for_backend(Pg, Sqlite))]
pub(crate) struct AuditRecord {
    at: Ts,
    user_id: Option<Id>,
    action: String,
    subject: String,
}

impl From<AuditRecord> for AuditRow {
    fn from(record: AuditRecord) -> Self {
        let by = record.user_id.map(Into::into);
        Self { at: record.at.into(), by, action: record.action, subject: record.subject }
    }
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = routing_rules, check_for_backend(Pg, Sqlite))]
pub(crate) struct RuleRecord {
    id: Id,
    user_id: Id,
    rule: Json,
    created_at: Ts,
    updated_at: Ts,
}

impl RuleRecord {
    pub(crate) fn read(self) -> Result<(UserId, OwnRule), StoreError> {
        let rule = serde_json::from_str(&self.rule.0)?;
        let (created_at, updated_at) = (self.created_at.into(), self.updated_at.into());
        Ok((self.user_id.into(), OwnRule { id: self.id.into(), rule, created_at, updated_at }))
    }
}

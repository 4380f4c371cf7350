//! SQL types that mean the same in every database, and the values that go with them.
//!
//! A type says what a column is (`Uid`, `Doc`, `Instant`), not how a database spells it, so that one `table!` and one
//! query serve SQLite and PostgreSQL. Each has one newtype with an encoding for either.

use std::io::Write;

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::QueryId;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{BigInt, Binary, SqlType, Text};
use diesel::sqlite::Sqlite;
use mosaic_types::{AttachmentId, RuleId, Timestamp, TokenId, TurnId, UserId};
use uuid::Uuid;

/// A UUID: `uuid` there, 16 bytes here.
#[derive(Debug, Clone, Copy, Default, SqlType, QueryId)]
#[diesel(postgres_type(oid = 2950, array_oid = 2951), sqlite_type(name = "Binary"))]
pub struct Uid;

/// A JSON document: `jsonb` there, text here.
#[derive(Debug, Clone, Copy, Default, SqlType, QueryId)]
#[diesel(postgres_type(oid = 3802, array_oid = 3807), sqlite_type(name = "Text"))]
pub struct Doc;

/// A moment: `timestamptz` there, microseconds since 1970 here.
#[derive(Debug, Clone, Copy, Default, SqlType, QueryId)]
#[diesel(postgres_type(oid = 1184, array_oid = 1185), sqlite_type(name = "Long"))]
pub struct Instant;

/// Value of a [`Uid`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = Uid)]
pub struct Id(pub Uuid);

impl ToSql<Uid, Sqlite> for Id {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.as_bytes().as_slice());
        Ok(IsNull::No)
    }
}

impl ToSql<Uid, Pg> for Id {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(self.0.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<Uid, Sqlite> for Id {
    fn from_sql(mut value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(Uuid::from_slice(value.read_blob())?))
    }
}

impl FromSql<Uid, Pg> for Id {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(Uuid::from_slice(value.as_bytes())?))
    }
}

macro_rules! id {
    ($($name:ident),+) => {
        $(impl From<$name> for Id {
            fn from(id: $name) -> Self {
                Self(id.0)
            }
        }

        impl From<Id> for $name {
            fn from(id: Id) -> Self {
                Self(id.0)
            }
        })+
    };
}

id!(AttachmentId, TurnId, UserId, RuleId, TokenId);

/// Value of a [`Doc`], as text.
#[derive(Debug, Clone, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Doc)]
pub struct Json(pub String);

impl ToSql<Doc, Sqlite> for Json {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.as_str());
        Ok(IsNull::No)
    }
}

impl ToSql<Doc, Pg> for Json {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&[JSONB])?;
        out.write_all(self.0.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<Doc, Sqlite> for Json {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        <String as FromSql<Text, Sqlite>>::from_sql(value).map(Self)
    }
}

impl FromSql<Doc, Pg> for Json {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        match value.as_bytes() {
            [JSONB, text @ ..] => Ok(Self(std::str::from_utf8(text)?.to_owned())),
            _ => Err("a jsonb of an unknown version".into()),
        }
    }
}

/// First byte of a `jsonb` on the wire (PostgreSQL, `jsonb_recv`).
const JSONB: u8 = 1;

/// Value of an [`Instant`]: microseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Instant)]
pub struct Ts(pub i64);

impl From<Timestamp> for Ts {
    fn from(at: Timestamp) -> Self {
        Self(at.0)
    }
}

impl From<Ts> for Timestamp {
    fn from(at: Ts) -> Self {
        Self(at.0)
    }
}

/// 1970 to 2000 in microseconds: PostgreSQL counts from 2000.
const PG_EPOCH: i64 = 946_684_800_000_000;

/// The first and the last moment that PostgreSQL knows (`MIN_TIMESTAMP`, `END_TIMESTAMP` in its `timestamp.h`). A cursor
/// that somebody made up may name any other.
const PG_FIRST: i64 = -211_813_488_000_000_000;
const PG_LAST: i64 = 9_223_371_331_199_999_999;

impl ToSql<Instant, Sqlite> for Ts {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0);
        Ok(IsNull::No)
    }
}

impl ToSql<Instant, Pg> for Ts {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let since = self.0.saturating_sub(PG_EPOCH).clamp(PG_FIRST, PG_LAST);
        out.write_all(&since.to_be_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<Instant, Sqlite> for Ts {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        <i64 as FromSql<BigInt, Sqlite>>::from_sql(value).map(Self)
    }
}

impl FromSql<Instant, Pg> for Ts {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        <i64 as FromSql<BigInt, Pg>>::from_sql(value).map(|since| Self(since.saturating_add(PG_EPOCH)))
    }
}

/// A SHA-256, in a binary column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Binary)]
pub struct Digest(pub [u8; 32]);

impl<DB: Backend> ToSql<Binary, DB> for Digest
where
    [u8]: ToSql<Binary, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.0.as_slice().to_sql(out)
    }
}

impl<DB: Backend> FromSql<Binary, DB> for Digest
where
    Vec<u8>: FromSql<Binary, DB>,
{
    fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
        let bytes = Vec::<u8>::from_sql(value)?;
        let digest = bytes.try_into().map_err(|_| "a hash that is not 32 bytes long")?;
        Ok(Self(digest))
    }
}

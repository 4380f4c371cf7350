//! Conditions that stay prepared.
//!
//! diesel prepares a query with a list in it anew each time, and SQLite one that compares a value of today with what a
//! partial index holds. These say the same in words that never vary.

use diesel::expression::{AppearsOnTable, Expression, ValidGrouping, is_aggregate};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Array, Bool, Text};
use diesel::sqlite::Sqlite;
use mosaic_types::SessionId;

use crate::schema::turns;

/// Names of sessions that are asked for all at once, as either database takes them.
#[derive(Debug, Clone)]
pub(crate) struct Names<'a> {
    list: Vec<&'a str>,
    json: String,
}

impl<'a> Names<'a> {
    pub(crate) fn of(ids: &'a [SessionId]) -> Self {
        let list: Vec<&str> = ids.iter().map(SessionId::as_str).collect();
        let json = serde_json::to_string(&list).expect("a list of texts serialises");
        Self { list, json }
    }
}

/// Whether a column is one of some names; see [`among`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Among<'a, C> {
    column: C,
    names: &'a Names<'a>,
}

/// Whether `column` is one of `names`.
pub(crate) fn among<'a, C>(column: C, names: &'a Names<'a>) -> Among<'a, C> {
    Among { column, names }
}

impl<C: QueryId> QueryId for Among<'_, C> {
    type QueryId = Among<'static, C::QueryId>;
    const HAS_STATIC_QUERY_ID: bool = C::HAS_STATIC_QUERY_ID;
}

impl<C: Expression<SqlType = Text>> Expression for Among<'_, C> {
    type SqlType = Bool;
}

impl<C, From> AppearsOnTable<From> for Among<'_, C> where C: AppearsOnTable<From> + Expression<SqlType = Text> {}

impl<C> ValidGrouping<()> for Among<'_, C> {
    type IsAggregate = is_aggregate::No;
}

impl<C: QueryFragment<Sqlite>> QueryFragment<Sqlite> for Among<'_, C> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        self.column.walk_ast(out.reborrow())?;
        out.push_sql(" IN (SELECT value FROM json_each(");
        out.push_bind_param::<Text, _>(&self.names.json)?;
        out.push_sql("))");
        Ok(())
    }
}

impl<C: QueryFragment<Pg>> QueryFragment<Pg> for Among<'_, C> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.column.walk_ast(out.reborrow())?;
        out.push_sql(" = ANY(");
        out.push_bind_param::<Array<Text>, _>(&self.names.list)?;
        out.push_sql(")");
        Ok(())
    }
}

/// Whether a turn has ended with words: with its answer, or with what was said of it before it was cut short.
///
/// `state = ?` would have SQLite look at the value each time, since one of the indexes holds turns of one state only,
/// and prepare the query anew for it.
#[derive(Debug, Clone, Copy, QueryId)]
pub(crate) struct HasLastWords;

impl Expression for HasLastWords {
    type SqlType = Bool;
}

impl<From> AppearsOnTable<From> for HasLastWords where turns::state: AppearsOnTable<From> {}

impl ValidGrouping<()> for HasLastWords {
    type IsAggregate = is_aggregate::No;
}

impl<DB: diesel::backend::Backend> QueryFragment<DB> for HasLastWords
where
    turns::state: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("(");
        turns::state.walk_ast(out.reborrow())?;
        out.push_sql(
            " = 'finished' OR EXISTS (SELECT 1 FROM messages AS last_words WHERE last_words.session_id = \
             turns.session_id AND last_words.seq = turns.end_seq))",
        );
        Ok(())
    }
}

//! What must hold in the database itself, read when nothing runs any more.

use std::collections::HashSet;

use anyhow::{Context, Result, ensure};
use diesel::connection::Connection;
use diesel::sql_types::Text;
use diesel::{QueryableByName, RunQueryDsl, SqliteConnection, sql_query};

use super::World;
use super::store::Kept;

#[derive(QueryableByName)]
struct Cell {
    #[diesel(sql_type = Text)]
    cell: String,
}

/// The first column of what `sql` finds in the world's database, as text.
async fn ask(world: &World, sql: &str) -> Result<Vec<String>> {
    match &world.kept {
        Kept::File => {
            let path = world.home.path().join("mosaic.db");
            let url = format!("file:{}?mode=ro", path.display());
            let mut conn = SqliteConnection::establish(&url).with_context(|| url.clone())?;
            let rows: Vec<Cell> = sql_query(sql).load(&mut conn).with_context(|| sql.to_owned())?;
            Ok(rows.into_iter().map(|row| row.cell).collect())
        }
        Kept::Server(database) => {
            Ok(database.ask(sql).await.into_iter().filter_map(|row| row.into_iter().next()).collect())
        }
    }
}

async fn count(world: &World, what: &str) -> Result<u64> {
    let rows = ask(world, &format!("SELECT CAST(COUNT(*) AS TEXT) AS cell FROM {what}")).await?;
    Ok(rows.first().context("a count is one row")?.parse()?)
}

/// I1, I4, I5, I6 and I8 in the tables. `messages`: how many were acknowledged.
pub(crate) async fn whole(world: &World, messages: u64) -> Result<()> {
    if matches!(world.kept, Kept::File) {
        let found = ask(world, "SELECT integrity_check AS cell FROM pragma_integrity_check").await?;
        ensure!(found == ["ok"], "the integrity check says {found:?}");
        let loose = ask(world, "SELECT \"table\" AS cell FROM pragma_foreign_key_check").await?;
        ensure!(loose.is_empty(), "rows without what they refer to in {loose:?}");
    }
    let inputs = "(SELECT COUNT(*) FROM messages m WHERE m.turn_id = t.id AND m.role = 'user')";
    let finals =
        "(SELECT COUNT(*) FROM messages m WHERE m.turn_id = t.id AND m.role = 'assistant' AND m.seq = t.end_seq)";
    // What a model said to its end: a call that was cut short has an entry beside answers.
    let whole = "messages m JOIN turns t ON m.turn_id = t.id WHERE m.role = 'assistant' AND (t.state = 'finished' OR \
                 m.seq <> t.end_seq)";
    let none = [
        ("turns are open", "turns WHERE end_seq IS NULL".to_owned()),
        ("sessions are not idle", "sessions WHERE state <> 'idle'".to_owned()),
        ("turns have no input", format!("turns t WHERE {inputs} = 0")),
        (
            "turns have not one inbox row for each input",
            format!("turns t WHERE (SELECT COUNT(*) FROM inbox i WHERE i.turn_id = t.id) <> {inputs}"),
        ),
        ("finished turns have not one answer", format!("turns t WHERE t.state = 'finished' AND {finals} <> 1")),
        (
            "unfinished turns have not the words that their end tells of",
            format!(
                "turns t JOIN events e ON e.session_id = t.session_id AND e.seq = t.end_seq WHERE t.state <> 'finished' \
                 AND {finals} <> CASE WHEN CAST(e.body AS TEXT) LIKE '%\"text\":%' THEN 1 ELSE 0 END"
            ),
        ),
        (
            "answers that are no final are no step either, or saw nothing",
            "messages m JOIN turns t ON m.turn_id = t.id WHERE m.role = 'assistant' AND m.seq <> t.end_seq \
             AND (m.saw_seq IS NULL OR m.saw_seq >= m.seq)"
                .to_owned(),
        ),
        (
            "finished turns hold an input that came after their answer",
            "turns t JOIN messages m ON m.turn_id = t.id WHERE t.state = 'finished' AND m.role = 'user' AND m.seq > t.end_seq"
                .to_owned(),
        ),
        (
            "turns were answered and are not in the ledger",
            format!("{whole} AND NOT EXISTS (SELECT 1 FROM usage u WHERE u.turn_id = m.turn_id)"),
        ),
        ("calls of tools have no result", "tool_calls WHERE state = 'intended'".to_owned()),
        (
            "calls of finished turns were not answered",
            "tool_calls c JOIN turns t ON t.id = c.turn_id WHERE t.state = 'finished' AND c.result_seq IS NULL".to_owned(),
        ),
        (
            "results of tools answer not one call",
            "messages m WHERE m.role = 'tool' AND (SELECT COUNT(*) FROM tool_calls c WHERE c.session_id = m.session_id \
             AND c.result_seq = m.seq) <> 1"
                .to_owned(),
        ),
        ("probes of health were left behind", "cursors".to_owned()),
        ("items wait in the outbox", "outbox WHERE state IN ('pending', 'sending')".to_owned()),
    ];
    for (what, rows) in none {
        let found = count(world, &rows).await?;
        ensure!(found == 0, "{found} {what}");
    }
    let turns = world.tally.borrow().turns();
    let answered = count(world, &format!("(SELECT DISTINCT m.turn_id FROM {whole}) a")).await?;
    for (what, rows, expected) in [
        ("inbox rows", "inbox", messages),
        ("turns", "turns", turns),
        ("answers in the ledger", "usage WHERE turns = 1", answered),
    ] {
        let found = count(world, rows).await?;
        ensure!(found == expected, "{found} {what}, and {expected} were expected");
    }
    // Each answer that was stored was paid for once; calls that were cut off come on top.
    let (answers, calls) = (count(world, "messages WHERE role = 'assistant'").await?, world.tally.borrow().calls);
    ensure!(answers <= calls, "{answers} answers of {calls} model calls");
    effects(world).await?;
    let unknown = count(world, "outbox WHERE state = 'unknown'").await?;
    world.tally.borrow_mut().unknown = unknown;
    Ok(())
}

/// What tools did: whatever died, each call had its effect once at the most, and each that is done had it (C4).
async fn effects(world: &World) -> Result<()> {
    let kept = std::fs::read_to_string(world.home.path().join("tool-effects")).unwrap_or_default();
    let lines: HashSet<&str> = kept.lines().collect();
    ensure!(lines.len() == kept.lines().count(), "a tool had its effect twice: {kept}");
    let key = "name || ' ' || {turn} || '.' || call_id";
    let turn = match &world.kept {
        Kept::File => {
            "lower(substr(hex(turn_id), 1, 8) || '-' || substr(hex(turn_id), 9, 4) || '-' || substr(hex(turn_id), 13, 4) \
                       || '-' || substr(hex(turn_id), 17, 4) || '-' || substr(hex(turn_id), 21))"
        }
        Kept::Server(_) => "CAST(turn_id AS TEXT)",
    };
    let key = key.replace("{turn}", turn);
    let done = ask(world, &format!("SELECT {key} AS cell FROM tool_calls WHERE name LIKE 'plant%' AND state = 'done'"))
        .await?;
    let lost: Vec<_> = done.iter().filter(|call| !lines.contains(call.as_str())).collect();
    ensure!(lost.is_empty(), "these calls are done and had no effect: {lost:?}");
    let all: HashSet<_> = ask(world, &format!("SELECT {key} AS cell FROM tool_calls")).await?.into_iter().collect();
    let stray: Vec<_> = lines.iter().filter(|line| !all.contains(**line)).collect();
    ensure!(stray.is_empty(), "these had an effect and were never asked for: {stray:?}");
    let cut = count(world, "tool_calls WHERE state = 'unknown'").await?;
    let mut tally = world.tally.borrow_mut();
    (tally.tools, tally.cut_tools) = (all.len() as u64, cut);
    Ok(())
}

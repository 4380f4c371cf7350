//! Migrations, and the schema they lead to.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Integer, Text};
use diesel::{QueryableByName, sql_query};
use mosaic_types::TurnId;
use mosaic_types::journal::InboxKey;
use tempfile::{TempDir, tempdir};
use uuid::Uuid;

use crate::sqlite::migrate;
use crate::sqlite::place::{PATIENCE, Place};
use crate::{StoreError, schema};

const URL: &str = "sqlite://mosaic.db";

/// Every table of the design, in the alphabet's order.
const TABLES: [&str; 19] = [
    "attachments",
    "audit",
    "bindings",
    "browsers",
    "cursors",
    "events",
    "inbox",
    "links",
    "messages",
    "outbox",
    "pairings",
    "previews",
    "routing_rules",
    "sessions",
    "tokens",
    "tool_calls",
    "turns",
    "usage",
    "users",
];

fn connect(home: &TempDir) -> SqliteConnection {
    Place::parse(URL, home.path()).expect("valid").writer(PATIENCE).expect("opens")
}

#[derive(Debug, QueryableByName)]
struct Named {
    #[diesel(sql_type = Text)]
    name: String,
}

fn tables(conn: &mut SqliteConnection) -> Vec<String> {
    let query = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_\\_%' ESCAPE '\\' AND name NOT LIKE \
                 'sqlite%' ORDER BY name";
    sql_query(query).load::<Named>(conn).expect("reads").into_iter().map(|table| table.name).collect()
}

#[tokio::test]
async fn every_table_of_the_design_is_there_after_a_migration_and_a_second_one_changes_nothing() {
    let home = tempdir().expect("a folder");
    let migrations = [
        "2026-11-23-000001_journal",
        "2026-11-23-000002_access",
        "2026-11-23-000003_modes",
        "2026-11-23-000004_outbox",
        "2026-11-23-000005_sessions",
        "2026-11-23-000007_beside",
        "2026-11-23-000008_routing",
        "2026-11-23-000010_search",
        "2026-11-23-000011_pairings",
        "2026-11-23-000012_tools",
        "2026-11-23-000015_called",
        "2026-11-23-000016_people",
    ];
    assert_eq!(crate::migrate(URL, home.path()).await.expect("migrates"), migrations);
    assert!(crate::migrate(URL, home.path()).await.expect("has nothing to do").is_empty());
    assert_eq!(tables(&mut connect(&home)), TABLES);
}

#[tokio::test]
async fn a_database_of_the_first_version_is_brought_up_to_date_with_what_it_holds() {
    let home = tempdir().expect("a folder");
    let first = include_str!("../../../../../migrations/sqlite/2026-11-23-000001_journal/up.sql");
    connect(&home)
        .batch_execute(&format!(
            "{first}
             CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL,
                 run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);
             INSERT INTO __diesel_schema_migrations (version) VALUES ('20261123000001');
             INSERT INTO users VALUES (x'01010101010101010101010101010101', 'ada', 'owner', 1);
             INSERT INTO tokens VALUES (x'02020202020202020202020202020202', x'01010101010101010101010101010101',
                 'laptop', 'member', zeroblob(32), 2, NULL);
             INSERT INTO sessions VALUES ('s1', x'01010101010101010101010101010101', 'api', 'assistant', '', 'queued', 1, 3,
                 0, 0);
             INSERT INTO turns VALUES (x'03030303030303030303030303030303', 's1', 'queued', 'assistant', NULL, 1, 0, 3,
                 NULL, zeroblob(32), 0, NULL, NULL);
             INSERT INTO messages VALUES ('s1', 3, x'03030303030303030303030303030303', 'user', NULL, 'hello', 0);
             INSERT INTO inbox VALUES ('api', 'ada', 's1', 'k-1', x'03030303030303030303030303030303', 0);"
        ))
        .expect("is written");
    let missing = [
        "2026-11-23-000002_access",
        "2026-11-23-000003_modes",
        "2026-11-23-000004_outbox",
        "2026-11-23-000005_sessions",
        "2026-11-23-000007_beside",
        "2026-11-23-000008_routing",
        "2026-11-23-000010_search",
        "2026-11-23-000011_pairings",
        "2026-11-23-000012_tools",
        "2026-11-23-000015_called",
        "2026-11-23-000016_people",
    ];
    assert_eq!(crate::migrate(URL, home.path()).await.expect("migrates"), missing);
    let store = crate::open(URL, home.path()).await.expect("opens");
    let tokens = store.tokens().await.expect("reads");
    let kept: Vec<_> = tokens.iter().map(|token| (token.name.as_str(), token.revoked, token.expires_at)).collect();
    assert_eq!(kept, [("laptop", false, None)], "a token without an end stays good");
    assert!(store.browsers().await.expect("reads").is_empty() && store.links().await.expect("reads").is_empty());
    // The hash of a body stands with its input now.
    let key = InboxKey { channel: "api".into(), account: "ada".into(), conversation: "s1".into(), event: "k-1".into() };
    let input = Some((TurnId(Uuid::from_bytes([3; 16])), [0; 32]));
    assert_eq!(store.known(&key).await.expect("reads"), input);
    let snapshot = store.snapshot(&"s1".parse().expect("valid"), 100).await.expect("reads").expect("is there");
    assert_eq!((snapshot.last_input, &*snapshot.open[0].said[0].text), (input, "hello"));
}

#[test]
fn two_that_open_an_empty_database_at_once_both_end_well() {
    for _ in 0..10 {
        let home = tempdir().expect("a folder");
        let open = || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(crate::open(URL, home.path())).map(drop)
        };
        std::thread::scope(|scope| {
            let both = [scope.spawn(open), scope.spawn(open)];
            for one in both {
                one.join().expect("no panic").expect("opens");
            }
        });
        assert_eq!(tables(&mut connect(&home)), TABLES);
    }
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_and_left_alone() {
    let home = tempdir().expect("a folder");
    crate::migrate(URL, home.path()).await.expect("migrates");
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000001')";
    connect(&home).batch_execute(newer).expect("is written");
    let error = crate::open(URL, home.path()).await.map(drop).expect_err("refused");
    assert!(matches!(&error, StoreError::NewerSchema { found, .. } if found == "29990101000001"), "{error:?}");
    let sentence = mosaic_types::Failure::from(error).message;
    assert!(sentence.contains("newer Mosaic") && sentence.contains("29990101000001"), "{sentence}");
}

#[test]
fn a_migration_that_fails_leaves_the_old_state() {
    let home = tempdir().expect("a folder");
    let mut conn = connect(&home);
    // In the way of a table in the middle of the migration.
    conn.batch_execute("CREATE TABLE inbox (id INTEGER)").expect("is written");
    let error = migrate::run(&mut conn).expect_err("fails");
    assert!(matches!(&error, StoreError::Migration(why) if why.contains("inbox")), "{error:?}");
    assert_eq!(tables(&mut conn), ["inbox"]);
    conn.batch_execute("DROP TABLE inbox").expect("is written");
    let all = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/sqlite")).expect("it is there");
    assert_eq!(migrate::run(&mut conn).expect("migrates").len(), all.count());
}

#[test]
fn what_goes_up_comes_down() {
    let home = tempdir().expect("a folder");
    let mut conn = connect(&home);
    migrate::run(&mut conn).expect("migrates");
    migrate::revert(&mut conn).expect("reverts");
    assert!(tables(&mut conn).is_empty(), "{:?}", tables(&mut conn));
}

#[test]
fn the_schema_in_the_code_is_the_schema_in_the_database() {
    #[derive(QueryableByName)]
    struct Column {
        #[diesel(sql_type = Text)]
        name: String,
        #[diesel(sql_type = Text)]
        kind: String,
        #[diesel(sql_type = Integer)]
        required: i32,
    }

    let home = tempdir().expect("a folder");
    let mut conn = connect(&home);
    migrate::run(&mut conn).expect("migrates");
    for (table, columns) in schema::ALL {
        let query = "SELECT name, type AS kind, \"notnull\" AS required FROM pragma_table_info(?)";
        let live = sql_query(query).bind::<Text, _>(table).load::<Column>(&mut conn).expect("reads");
        let live: Vec<_> = live.into_iter().map(|column| (column.name, column.kind, column.required == 1)).collect();
        let written: Vec<_> = columns
            .iter()
            .map(|(name, sql_type)| {
                let inner = sql_type.strip_prefix("Nullable<").and_then(|rest| rest.strip_suffix('>'));
                let kind = match inner.unwrap_or(sql_type) {
                    "Uid" | "Binary" => "BLOB",
                    "Text" | "Doc" => "TEXT",
                    "BigInt" | "Instant" => "INTEGER",
                    "Double" => "REAL",
                    other => panic!("{other} is new here"),
                };
                ((*name).to_owned(), kind.to_owned(), inner.is_none())
            })
            .collect();
        assert_eq!(written, live, "{table}");
    }
}

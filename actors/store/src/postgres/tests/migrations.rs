//! Migrations, and the schema they lead to.

use std::path::Path;

use mosaic_testkit::postgres::Database;

use crate::postgres::migrate::revert;
use crate::postgres::{Jobs, Place};
use crate::{StoreError, schema};

const TABLES: &str = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_name NOT \
                      LIKE '\\_\\_%' ORDER BY table_name COLLATE \"C\"";

async fn tables(database: &Database) -> Vec<String> {
    database.ask(TABLES).await.concat()
}

fn tables_of_sqlite(home: &Path) -> Vec<String> {
    use diesel::prelude::*;
    #[derive(QueryableByName)]
    struct Named {
        #[diesel(sql_type = diesel::sql_types::Text)]
        name: String,
    }
    let mut conn = SqliteConnection::establish(home.join("mosaic.db").to_str().expect("UTF-8")).expect("opens");
    let query = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_\\_%' ESCAPE '\\' AND name NOT LIKE \
                 'sqlite%' ORDER BY 1";
    let named = diesel::sql_query(query).load::<Named>(&mut conn).expect("reads");
    named.into_iter().map(|table| table.name).collect()
}

async fn migrate(database: &Database) -> Result<Vec<String>, StoreError> {
    crate::migrate(&database.url(), Path::new("")).await
}

#[tokio::test]
async fn the_tables_are_those_of_sqlite_and_a_second_migration_changes_nothing() {
    let database = Database::create().await;
    let folders = |name| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(name);
        let entries = std::fs::read_dir(path).expect("is there");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("is read").file_name().into_string()).collect();
        names.sort();
        names.into_iter().map(|name| name.expect("UTF-8")).collect::<Vec<_>>()
    };
    assert_eq!(folders("postgres"), folders("sqlite"), "the same numbers and names");
    assert_eq!(migrate(&database).await.expect("migrates"), folders("postgres"));
    assert!(migrate(&database).await.expect("has nothing to do").is_empty());
    let home = tempfile::tempdir().expect("a folder");
    crate::migrate("sqlite://mosaic.db", home.path()).await.expect("migrates");
    assert_eq!(tables(&database).await, tables_of_sqlite(home.path()));
}

#[test]
fn two_that_open_an_empty_database_at_once_both_end_well() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for _ in 0..5 {
        let database = runtime.block_on(Database::create());
        let url = database.url();
        let open = || {
            // As an actor's thread is: a runtime that has one thread.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(crate::open(&url, Path::new(""))).map(drop)
        };
        std::thread::scope(|scope| {
            let all = [scope.spawn(open), scope.spawn(open), scope.spawn(open)];
            for one in all {
                one.join().expect("no panic").expect("opens");
            }
        });
        assert!(runtime.block_on(tables(&database)).len() >= 14);
        runtime.block_on(async { drop(database) });
    }
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_and_left_alone() {
    let database = Database::create().await;
    migrate(&database).await.expect("migrates");
    database.ask("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000001')").await;
    let error = crate::open(&database.url(), Path::new("")).await.map(drop).expect_err("refused");
    assert!(matches!(&error, StoreError::NewerSchema { found, .. } if found == "29990101000001"), "{error:?}");
}

#[tokio::test]
async fn a_migration_that_fails_leaves_the_old_state() {
    let database = Database::create().await;
    // In the way of a table in the middle of the migration.
    database.ask("CREATE TABLE inbox (id INTEGER)").await;
    let error = migrate(&database).await.expect_err("fails");
    assert!(matches!(&error, StoreError::Migration(why) if why.contains("inbox")), "{error:?}");
    assert_eq!(tables(&database).await, ["inbox"]);
    database.ask("DROP TABLE inbox").await;
    assert!(!migrate(&database).await.expect("migrates").is_empty());
}

#[tokio::test]
async fn a_migration_that_is_cut_off_leaves_the_old_state() {
    let database = Database::create().await;
    let proxy = mosaic_testkit::Proxy::before(database.address()).await;
    proxy.trap(mosaic_testkit::proxy::Way::There, "CREATE TABLE usage", mosaic_testkit::proxy::Fate::Cut);
    crate::migrate(&database.url_at(proxy.address()), Path::new("")).await.expect_err("fails");
    proxy.sprung(1).await;
    assert!(tables(&database).await.is_empty());
    assert!(!migrate(&database).await.expect("migrates").is_empty());
}

#[tokio::test]
async fn what_goes_up_comes_down() {
    let database = Database::create().await;
    migrate(&database).await.expect("migrates");
    let place = Place::parse(&database.url(), Path::new("")).expect("valid");
    revert(&std::sync::Arc::new(Jobs::start().expect("starts")), &place).await.expect("reverts");
    assert!(tables(&database).await.is_empty(), "{:?}", tables(&database).await);
}

#[tokio::test]
async fn the_schema_in_the_code_is_the_schema_in_the_database() {
    let database = Database::create().await;
    migrate(&database).await.expect("migrates");
    for (table, columns) in schema::ALL {
        let live = database
            .ask(&format!(
                "SELECT column_name, data_type, is_nullable FROM information_schema.columns WHERE table_schema = \
                 'public' AND table_name = '{table}' ORDER BY ordinal_position"
            ))
            .await;
        let written: Vec<_> = columns
            .iter()
            .map(|(name, sql_type)| {
                let inner = sql_type.strip_prefix("Nullable<").and_then(|rest| rest.strip_suffix('>'));
                let kind = match inner.unwrap_or(sql_type) {
                    "Uid" => "uuid",
                    "Binary" => "bytea",
                    "Text" => "text",
                    "Doc" => "jsonb",
                    "BigInt" => "bigint",
                    "Instant" => "timestamp with time zone",
                    "Double" => "double precision",
                    other => panic!("{other} is new here"),
                };
                vec![(*name).to_owned(), kind.to_owned(), if inner.is_some() { "YES" } else { "NO" }.to_owned()]
            })
            .collect();
        assert_eq!(written, live, "{table}");
    }
}

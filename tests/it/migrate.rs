//! Migrations that are cut off: the database is at its old schema or at its new one, never between, and the next start
//! brings it up to date.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mosaic_testkit::StandIn;

use crate::testbed::{Testbed, eventually, on_postgres, run};

/// The statements of every migration, oldest first, with its version.
fn migrations(database: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(database);
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("it can be read").path()).collect();
    folders.sort();
    let read = |folder: &PathBuf| {
        let name = folder.file_name().expect("a name").to_str().expect("UTF-8");
        let version = name.split('_').next().expect("a version").replace('-', "");
        (version, std::fs::read_to_string(folder.join("up.sql")).expect("it can be read"))
    };
    folders.iter().map(read).collect()
}

async fn works(bed: &mut Testbed) {
    bed.restart().await;
    bed.api().ask(&bed.api().session().await, "hello").await;
}

#[cfg(target_os = "linux")]
mod on_sqlite {
    use std::os::unix::process::ExitStatusExt;

    use diesel::connection::{Connection, SimpleConnection};
    use diesel::sql_types::Text;
    use diesel::{QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
    use mosaic_testkit::disk::{Calls, Disk, Fault};

    use super::{BTreeSet, StandIn, Testbed, migrations, run, works};

    fn open(bed: &Testbed) -> SqliteConnection {
        SqliteConnection::establish(bed.database().to_str().expect("a path in UTF-8")).expect("it opens")
    }

    /// All that the database is made of, and that it is whole.
    fn schema(bed: &Testbed) -> BTreeSet<String> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            text: String,
        }
        let mut conn = open(bed);
        let mut ask = |sql: &str| -> Vec<String> {
            let rows: Vec<Row> = sql_query(sql).load(&mut conn).expect("it answers");
            rows.into_iter().map(|row| row.text).collect()
        };
        assert_eq!(ask("SELECT integrity_check AS text FROM pragma_integrity_check"), ["ok"]);
        ask("SELECT name || COALESCE(sql, '') AS text FROM sqlite_master").into_iter().collect()
    }

    /// A database as the first migration left it, with something in it.
    fn make_old(bed: &Testbed) {
        let (version, statements) = migrations("sqlite").remove(0);
        let sql = format!(
            "{statements}
             CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, \
                 run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);
             INSERT INTO __diesel_schema_migrations (version) VALUES ('{version}');
             INSERT INTO audit (id, at, action, subject) VALUES (x'01', 1, 'was', 'here');"
        );
        open(bed).batch_execute(&sql).expect("the first migration is good");
    }

    /// Migrates once and again, each time with one more write or sync that goes well before the fault; answers how
    /// often it did not come to its end.
    async fn cut_off_everywhere(old: bool, fault: Fault) -> usize {
        for after in 0..2_000 {
            let disk = Disk::sound();
            let mut bed = Testbed::asleep(StandIn::builder());
            if old {
                make_old(&bed);
            }
            let before = schema(&bed);
            for (name, value) in disk.env() {
                bed.set_env(name, value);
            }
            disk.fails_once(Calls::WriteOrSync, fault, after);
            let ended = bed.command(&["migrate"]).output().await.expect("the binary can be started");
            disk.heals();
            if disk.failures() == 0 {
                assert!(ended.status.success(), "{ended:?}");
                return usize::try_from(after).expect("a small number");
            }
            let died = (ended.status.signal(), ended.status.code());
            assert!(matches!((fault, died), (Fault::Kill, (Some(9), None)) | (_, (None, _))), "{ended:?}");
            let left = schema(&bed);
            let again = run(bed.command(&["migrate"]), "").await.good();
            let complete = schema(&bed);
            assert!(left == before || left == complete, "{fault:?} after {after}: {left:#?}");
            assert_eq!(again.contains("nothing to do"), left == complete, "{again}");
            // Once in a while all the way; it is the same database each time.
            if after % 16 == 0 {
                works(&mut bed).await;
            }
        }
        panic!("a migration of more than 2,000 writes");
    }

    #[tokio::test]
    async fn a_process_that_dies_in_any_write_of_a_migration_leaves_the_old_state_or_the_new() {
        for old in [false, true] {
            let deaths = cut_off_everywhere(old, Fault::Kill).await;
            assert!(deaths > 10, "it died {deaths} times");
        }
    }

    #[tokio::test]
    async fn a_disk_that_is_full_in_a_migration_leaves_the_old_state_or_the_new() {
        let refused = cut_off_everywhere(false, Fault::Full).await;
        assert!(refused > 10, "it was refused {refused} times");
    }
}

/// The tables and indices that migrations make, in order.
fn made() -> Vec<String> {
    let name = |statement: &str| {
        let mut words = statement.split_whitespace().skip_while(|word| *word != "CREATE").skip(1);
        let mut kind = words.next()?;
        if kind == "UNIQUE" {
            kind = words.next()?;
        }
        (["TABLE", "INDEX"].contains(&kind)).then(|| words.next().map(str::to_owned))?
    };
    let migrations = migrations("postgres");
    migrations.iter().flat_map(|(_, sql)| sql.split(';')).filter_map(name).collect()
}

#[test]
fn a_process_that_dies_between_any_two_statements_of_a_migration_leaves_a_server_as_it_was() {
    on_postgres(killed_between_statements);
}

#[tokio::main(flavor = "current_thread")]
async fn killed_between_statements() {
    let mut bed = Testbed::asleep(StandIn::builder());
    let made = made();
    assert!(made.len() > 20, "{made:?}");
    for name in &made {
        // Whoever makes something of a name that another transaction is about to use waits for its end.
        let other = bed.server().connect().await;
        other.batch_execute(&format!("BEGIN; CREATE TABLE {name} ()")).await.expect("it can be made");
        let mut migrating = bed.command(&["migrate"]).spawn().expect("the binary can be started");
        let beside = async |more: &str| {
            let sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
            bed.server().ask(&format!("{sql} {more}")).await.len()
        };
        eventually(&format!("it waits at {name}"), || async {
            (beside("AND wait_event_type = 'Lock'").await == 1).then_some(())
        })
        .await;
        migrating.start_kill().expect("it runs");
        migrating.wait().await.expect("it ends");
        drop(other);
        eventually("the server has noticed", || async { (beside("").await == 0).then_some(()) }).await;
        let tables = bed.server().ask("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace").await;
        assert_eq!(tables, Vec::<Vec<String>>::new(), "killed at {name}");
    }
    run(bed.command(&["migrate"]), "").await.good();
    works(&mut bed).await;
}

//! Where a test's daemon keeps everything: in its home, unless the test is run on PostgreSQL.

use std::cell::Cell;

use mosaic_testkit::postgres::Database;

thread_local! {
    static POSTGRES: Cell<bool> = const { Cell::new(false) };
}

/// Runs a test as it is, on PostgreSQL. It brings its own runtime, of one thread: this one.
pub(crate) fn on_postgres(test: fn()) {
    POSTGRES.set(true);
    test();
}

/// A database for a home that is made now; `None`: it keeps its own.
pub(super) fn database() -> Option<Database> {
    if !POSTGRES.get() {
        return None;
    }
    // The test's own runtime cannot wait here.
    let making = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(Database::create())
    });
    Some(making.join().expect("a database can be made"))
}

//! A disk that fails when a test says so: full, torn, read-only, unable to sync. For one process and its database.
//!
//! A small library stands before libc in the process under test and fails those calls on files named `mosaic.db…`
//! that it is told to. So it works for everyone, also where nothing may be mounted, and the disk heals at a word.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calls {
    /// Writes, and changes of a file's length.
    Write,
    /// Orders to bring everything to the disk.
    Sync,
    /// Either of these.
    WriteOrSync,
    /// Writes, and opening a file to write to it: all that a read-only file system refuses.
    WriteOrOpen,
}

/// How it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No space is left (ENOSPC).
    Full,
    /// The device failed (EIO).
    Broken,
    /// The file system became read-only (EROFS).
    ReadOnly,
    /// The process is killed, with half of a write done.
    Kill,
}

impl Calls {
    /// The bits of `shim.c`.
    fn bits(self) -> i64 {
        match self {
            Self::Write => 1,
            Self::Sync => 2,
            Self::WriteOrSync => 3,
            Self::WriteOrOpen => 5,
        }
    }
}

impl Fault {
    /// The numbers of Linux, and that of `shim.c`.
    fn number(self) -> i64 {
        match self {
            Self::Full => 28,
            Self::Broken => 5,
            Self::ReadOnly => 30,
            Self::Kill => -1,
        }
    }
}

/// Longer than any test counts.
const ENDLESS: i64 = i64::MAX / 2;

/// Where each order stands in the shared page, in bytes.
mod at {
    pub(super) const CALLS: u64 = 0;
    pub(super) const ERROR: u64 = 8;
    pub(super) const SPARED: u64 = 16;
    pub(super) const TIMES: u64 = 24;
    pub(super) const FAILED: u64 = 32;
    pub(super) const END: u64 = 40;
}

/// The disk of one process: sound until it is told otherwise.
#[derive(Debug)]
pub struct Disk {
    orders: File,
    folder: TempDir,
}

impl Disk {
    /// Makes one; a process is put on it by [`Disk::env`].
    ///
    /// # Panics
    /// Where there is no C compiler, which building the workspace needs as well.
    pub fn sound() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/disk/shim.c");
        let mut compile = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
        compile.args(["-shared", "-fPIC", "-O1", "-Wall", "-o"]);
        compile.arg(folder.path().join("disk.so")).arg(source).arg("-ldl");
        let done = compile.status().expect("there is a C compiler");
        assert!(done.success(), "{compile:?}");
        let orders = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(folder.path().join("orders"))
            .and_then(|file| file.set_len(at::END).map(|()| file))
            .expect("a file of a few bytes");
        Self { orders, folder }
    }

    /// The variables of a process that is to live on it.
    pub fn env(&self) -> [(&'static str, String); 2] {
        let text = |name: &str| self.folder.path().join(name).to_str().expect("a path in UTF-8").to_owned();
        [("LD_PRELOAD", text("disk.so")), ("MOSAIC_TEST_DISK", text("orders"))]
    }

    /// From now on these calls fail, until it is healed.
    pub fn fails(&self, calls: Calls, fault: Fault) {
        self.order(calls, fault, 0, ENDLESS);
    }

    /// After so many more such calls that go well, one fails.
    pub fn fails_once(&self, calls: Calls, fault: Fault, after: u32) {
        self.order(calls, fault, after.into(), 1);
    }

    /// Everything works again.
    pub fn heals(&self) {
        self.set(at::CALLS, 0);
    }

    /// How many calls have failed so far.
    pub fn failures(&self) -> i64 {
        self.get(at::FAILED)
    }

    fn order(&self, calls: Calls, fault: Fault, spared: i64, times: i64) {
        self.heals();
        self.set(at::ERROR, fault.number());
        self.set(at::SPARED, spared);
        self.set(at::TIMES, times);
        // Last, since it makes the others count.
        self.set(at::CALLS, calls.bits());
    }

    fn set(&self, at: u64, value: i64) {
        self.orders.write_all_at(&value.to_ne_bytes(), at).expect("a file of a few bytes");
    }

    fn get(&self, at: u64) -> i64 {
        let mut bytes = [0; 8];
        self.orders.read_exact_at(&mut bytes, at).expect("a file of a few bytes");
        i64::from_ne_bytes(bytes)
    }
}

//! What is known of calls that are not in the ledger yet, in a file: so that a death of the process loses none.
//!
//! A line is written before a call is sent and one when it has ended, into the system's memory and no further: that
//! outlives the process, and costs a call some millionths of a second. A machine that loses its power may lose the newest lines.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use mosaic_types::ledger::{Beside, Known};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::key;

/// Bytes after which the file is written anew, with what is still needed. A call takes about 700.
const ANEW: u64 = 4 << 20;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Slip<'a> {
    /// A call is about to be made, and may cost this.
    #[serde(rename = "b")]
    Begun(u64, std::borrow::Cow<'a, Beside>),
    /// It came to this, which is part of that entry; or to nothing.
    #[serde(rename = "e")]
    Ended(u64, Option<(Uuid, std::borrow::Cow<'a, Beside>)>),
    /// An entry as it stands.
    #[serde(rename = "s")]
    Sum(std::borrow::Cow<'a, Beside>),
}

/// The file.
#[derive(Debug)]
pub(super) struct Slips {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// Of what was still needed when it was written anew.
    needed: u64,
    line: Vec<u8>,
    /// It was told that it cannot be written.
    told: bool,
}

impl Slips {
    /// Opens the file (0600), made where there is none, and reads what a life before has left in it: entries, and the
    /// highest number of a call.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Vec<Beside>, u64)> {
        let (left, last) = match fs::read(path) {
            Ok(bytes) => read(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (Vec::new(), 0),
            Err(error) => return Err(error),
        };
        let file = options().append(true).create(true).open(path)?;
        let bytes = file.metadata()?.len();
        Ok((Self { path: path.to_owned(), file, bytes, needed: 0, line: Vec::new(), told: false }, left, last))
    }

    /// Writes a line. A call is worth more than its slip: where it cannot be written, that is told once.
    pub(super) fn write(&mut self, slip: &Slip<'_>) {
        self.line.clear();
        serialize(&mut self.line, slip);
        // In one piece, so that a death leaves no half of it.
        match self.file.write_all(&self.line) {
            Ok(()) => self.bytes += self.line.len() as u64,
            Err(error) => self.tell(&error),
        }
    }

    fn tell(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.told, true) {
            let path = self.path.display();
            tracing::warn!(%error, %path, "calls cannot be noted: a death of the process may lose what they cost");
        }
    }

    /// Whether so much is in it, beside what was needed last, that it is to be written anew.
    pub(super) fn is_long(&self) -> bool {
        self.bytes > self.needed + ANEW
    }

    /// Nothing in it is needed any more.
    pub(super) fn clear(&mut self) {
        if self.bytes == 0 {
            return;
        }
        match self.file.set_len(0) {
            Ok(()) => (self.bytes, self.needed) = (0, 0),
            Err(error) => self.tell(&error),
        }
    }

    /// Nothing but this is needed any more.
    pub(super) fn anew<'a>(&mut self, slips: impl Iterator<Item = Slip<'a>>) {
        let mut bytes = Vec::new();
        slips.for_each(|slip| serialize(&mut bytes, &slip));
        let beside = self.path.with_extension("new");
        let written = (|| {
            let mut file = options().append(true).create_new(true).open(&beside)?;
            file.write_all(&bytes)?;
            fs::rename(&beside, &self.path)?;
            Ok::<_, io::Error>(file)
        })();
        match written {
            Ok(file) => {
                self.file = file;
                (self.bytes, self.needed) = (bytes.len() as u64, bytes.len() as u64);
            }
            Err(error) => {
                let _ = fs::remove_file(&beside);
                // Not before it has grown by as much again.
                self.bytes = 1;
                self.tell(&error);
            }
        }
    }
}

fn serialize(out: &mut Vec<u8>, slip: &Slip<'_>) {
    serde_json::to_writer(&mut *out, slip).expect("names and numbers are JSON, and memory takes them");
    out.push(b'\n');
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// What the lines come to: entries with the ids that they had or would have had, so that what is in the ledger already is
/// not entered twice. Calls that did not end are taken for what they were to be sent, those of one kind together.
fn read(bytes: &[u8]) -> (Vec<Beside>, u64) {
    let mut last = 0;
    let (mut open, mut sums) = (BTreeMap::new(), BTreeMap::<Uuid, Beside>::new());
    let mut add = |id: Uuid, entry: Beside| match sums.get_mut(&id) {
        Some(sum) => sum.join(&entry),
        None => drop(sums.insert(id, Beside { id, ..entry })),
    };
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice::<Slip<'_>>(line) {
            Ok(Slip::Begun(call, entry)) => {
                last = call.max(last);
                open.insert(call, entry.into_owned());
            }
            Ok(Slip::Ended(call, ended)) => {
                open.remove(&call);
                ended.into_iter().for_each(|(id, entry)| add(id, entry.into_owned()));
            }
            Ok(Slip::Sum(entry)) => add(entry.id, entry.into_owned()),
            // The last line of a machine that lost its power.
            Err(error) => tracing::warn!(%error, "a note of a call cannot be read"),
        }
    }
    let mut unsure = BTreeMap::<_, Uuid>::new();
    for entry in open.into_values() {
        let entry = Beside { known: Known::Foreseen, ..entry };
        let id = *unsure.entry(key(&entry)).or_insert(entry.id);
        add(id, entry);
    }
    (sums.into_values().collect(), last)
}

//! What a run has spent, on its way into the ledger.

use std::fmt;
use std::sync::Arc;

use mosaic_types::ledger::Beside;

/// Enters by itself what nobody else will.
pub type Late = Arc<dyn Fn(Beside) + Send + Sync>;

/// Entries that are written with the end of their turn or step. Dropped before, however it came to that, they are entered
/// by themselves, so that no call is forgotten.
pub struct Dues {
    entries: Vec<Beside>,
    /// Of the call that answered; the turn itself has one for it where its answer is stored.
    answer: Option<Beside>,
    /// Of calls that used nothing, to strike out what was foreseen of them.
    void: Vec<Beside>,
    taken: bool,
    late: Late,
}

impl Dues {
    /// What a run has spent; `late` hears of what did not go into the ledger with its turn.
    pub fn new(entries: Vec<Beside>, answer: Option<Beside>, void: Vec<Beside>, late: Late) -> Self {
        Self { entries, answer, void, taken: false, late }
    }

    /// The entries to be written, beside the answer's.
    pub fn entries(&self) -> &[Beside] {
        &self.entries
    }

    /// Whether a call of its own is the answer, and not those of others.
    pub fn has_answer(&self) -> bool {
        self.answer.is_some()
    }

    /// The end that they go with is being written. Whatever comes of that, the turn knows of the answer: if the end is not
    /// stored, what was foreseen of it stands.
    pub fn taken(&mut self) {
        self.taken = true;
        self.void.clear();
    }

    /// The store refused that end for good, and the turn ends without its answer: all of it is owed, and answered here to
    /// be written in another way.
    pub fn refused(&mut self) -> Vec<Beside> {
        self.taken = false;
        // What its answer was to strike out stands now.
        let answer = self.answer.as_ref().map(|answer| answer.id);
        let others = self.entries.iter().filter(|entry| Some(entry.id) != answer);
        others.chain(&self.answer).cloned().collect()
    }

    /// All of it is in the ledger.
    pub fn entered(mut self) {
        self.taken();
        self.entries.clear();
    }
}

impl Drop for Dues {
    fn drop(&mut self) {
        let taken = self.taken;
        let entries = self.entries.drain(..).filter(|entry| !taken || entry.calls > 0);
        let answer = self.answer.take().filter(|_| !taken);
        let all = entries.chain(answer).chain(self.void.drain(..));
        all.for_each(|entry| (self.late)(entry));
    }
}

impl fmt::Debug for Dues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dues").field("entries", &self.entries).field("answer", &self.answer).finish_non_exhaustive()
    }
}

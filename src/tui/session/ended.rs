//! The end of a turn.

use mosaic_types::TurnId;

use super::{Entry, Kind, Progress, Session};

impl Session {
    /// The turn ended without a whole answer. What it had said of one stays, as it is stored; `note` says how it ended.
    pub(super) fn cut_short(&mut self, turn: TurnId, said: Option<&str>, note: Kind) {
        match said {
            Some(said) => {
                let step = self.step_of(turn, true);
                let answer = self.answer(turn, step);
                answer.doc.set(said);
                answer.open = false;
            }
            // What is stored nowhere would be gone when the session is read again.
            None => self.void_text(turn),
        }
        self.insert(turn, note);
        self.end(turn);
    }

    /// Nothing of the turn runs any more.
    pub(super) fn end(&mut self, turn: TurnId) {
        if self.running.as_ref().is_some_and(|running| running.turn == turn) {
            self.running = None;
        }
        for entry in self.entries.iter_mut().filter(|entry| entry.turn == Some(turn)) {
            match &mut entry.kind {
                Kind::Answer(answer) => answer.open = false,
                Kind::Step(_, progress @ Progress::Running) => *progress = Progress::Bad,
                _ => {}
            }
        }
        let silent = |entry: &Entry| {
            let empty = |answer: &super::Answer| {
                answer.doc.is_empty() && answer.thinking.is_empty() && answer.finished.is_none()
            };
            entry.turn == Some(turn) && matches!(&entry.kind, Kind::Answer(answer) if empty(answer))
        };
        self.entries.retain(|entry| !silent(entry));
    }

    /// What the step under way has said is void.
    fn void_text(&mut self, turn: TurnId) {
        if let Some(at) = self.open_answer(turn)
            && let Kind::Answer(answer) = &mut self.entries[at].kind
            && !answer.whole
        {
            answer.doc.set("");
        }
    }
}

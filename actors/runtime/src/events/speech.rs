//! What a step has said so far, shared with readers that are late: however much it says before they are heard again,
//! each of them holds one place for it in its buffer, and there is one copy for all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mosaic_types::{EventBody, SessionEvent, SessionId, TurnId};

/// A step that speaks, with its text so far.
pub(super) struct Speech {
    turn: TurnId,
    attempt: u32,
    step: u32,
    said: Mutex<Said>,
}

#[derive(Default)]
pub(super) struct Said {
    text: String,
    chars: usize,
}

/// Where a reader stopped being told each piece. While it is there, the reader is told none: it takes what was said
/// from here on when it comes to it.
#[derive(Clone)]
pub(super) struct Rest {
    speech: Arc<Speech>,
    from_bytes: usize,
    offset: usize,
}

impl Speech {
    pub(super) fn new(turn: TurnId, attempt: u32, step: u32) -> Self {
        Self { turn, attempt, step, said: Mutex::default() }
    }

    pub(super) fn is(&self, turn: TurnId, attempt: u32, step: u32) -> bool {
        (self.turn, self.attempt, self.step) == (turn, attempt, step)
    }

    pub(super) fn is_of(&self, turn: TurnId) -> bool {
        self.turn == turn
    }

    /// All that was said, if anything was.
    pub(super) fn all(&self) -> Option<String> {
        let said = self.said();
        (!said.text.is_empty()).then(|| said.text.clone())
    }

    /// Locks the text. Who adds to it keeps the lock until all readers were told, so that none misses it or hears it
    /// twice.
    pub(super) fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same as one piece.
    pub(super) fn so_far(&self, session: &SessionId) -> Option<SessionEvent> {
        self.all().map(|text| self.delta(session, 0, text))
    }

    /// A piece of the text, which begins after `offset` characters.
    pub(super) fn delta(&self, session: &SessionId, offset: usize, text: String) -> SessionEvent {
        let body = EventBody::TurnDelta { attempt: self.attempt, step: self.step, offset, text };
        SessionEvent { body, session: session.clone(), turn: Some(self.turn), seq: None }
    }
}

impl Said {
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.chars += text.chars().count();
    }

    /// What follows from here on.
    pub(super) fn rest_of(&self, speech: &Arc<Speech>) -> Rest {
        Rest { speech: speech.clone(), from_bytes: self.text.len(), offset: self.chars }
    }
}

impl Rest {
    /// Characters before it.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    pub(super) fn is_of(&self, speech: &Arc<Speech>) -> bool {
        Arc::ptr_eq(&self.speech, speech)
    }

    /// Takes it, as one piece. From then on its reader is told each piece again.
    pub(super) fn take(self: Arc<Self>, session: &SessionId) -> SessionEvent {
        let speech = self.speech.clone();
        let said = speech.said();
        let event = speech.delta(session, self.offset, said.text[self.from_bytes..].to_owned());
        // Under the lock: the hub asks there whether this is still to be taken.
        drop(self);
        event
    }
}

//! What a person sees and does in one life of the process: says things, hears or looks up what became of them.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mosaic_messages::{CancelTurn, SubmitTurn};
use mosaic_runtime::Reader;
use mosaic_runtime::doors::unreached;
use mosaic_runtime::events::{Interest, Missed};
use mosaic_types::{Code, EventBody, Failure, QueueMode, SessionEvent, TurnId};
use tokio::time::{Instant, timeout};

use super::house::House;
use super::person::{ANSWERED_WITHIN, Person, passes};
use super::store::lock;
use super::{World, held};

/// One who hears nothing for this long looks into the journal.
const LOOKS_AFTER: Duration = Duration::from_secs(20);

/// An end that is in the journal is announced within this long: a session that died before it could say so and is down
/// says so after its rest.
const TOLD_WITHIN: Duration = Duration::from_secs(90);

/// What the journal says of a turn.
enum Look {
    Open,
    Ended(Box<SessionEvent>),
    /// Its session was removed.
    Removed,
}

/// A person in one life of the process.
pub(super) struct View<'a> {
    pub(super) person: &'a Rc<Person>,
    pub(super) house: &'a Rc<House>,
    pub(super) world: &'a Arc<World>,
}

impl View<'_> {
    /// Says it and waits for the answer.
    pub(super) async fn take(&self, index: usize) {
        let mut reader = self.house.doors.hub.subscribe(&self.person.session, Interest::Journaled);
        let turn = self.say(index).await;
        let (cancels, after, trusts) = {
            let mut dice = self.person.dice.borrow_mut();
            (dice.happens(self.world.plan.cancels), dice.millis(0..=2_000), dice.happens(900))
        };
        if cancels && !self.world.is_calm() {
            tokio::time::sleep(after).await;
            self.cancel().await;
        }
        let known = self.person.said.borrow()[index].end.clone();
        let end = match known {
            Some(end) => Look::Ended(Box::new(end)),
            None if trusts => self.hear(turn, &mut reader).await,
            None => {
                drop(reader); // hangs up and asks later
                self.look_until(turn).await
            }
        };
        match end {
            Look::Ended(end) => self.ended(index, turn, *end),
            _ => self.person.said.borrow_mut()[index].removed = true,
        }
    }

    /// Says an old message again, once: it must be the turn that it was.
    pub(super) async fn echo(&self, index: usize, mode: Option<QueueMode>) {
        let text = self.person.said.borrow()[index].text.clone();
        let ask = self.submission(&text, [1; 32], mode);
        self.world.count("people: old messages said again");
        match self.answered(self.house.router.ask(ask)).await {
            Ok(accepted) => self.same(&text, self.person.said.borrow()[index].turn, accepted.turn),
            Err(failure) if self.passes(&failure) => {}
            Err(failure) => self.world.broken(&format_args!("I9: a repeat of {text} is refused: {failure:?}")),
        }
    }

    /// Says it until it is acknowledged.
    async fn say(&self, index: usize) -> TurnId {
        let (text, mode) = {
            let message = &self.person.said.borrow()[index];
            (message.text.clone(), message.mode)
        };
        let mut tried = 0_u64;
        loop {
            let ask = self.submission(&text, [1; 32], mode);
            if tried > 0 {
                self.world.count("people: messages said again");
            }
            tried += 1;
            let answer = self.answered(self.house.router.ask(ask)).await;
            match answer {
                Ok(accepted) => {
                    let (lost, again) = {
                        let mut dice = self.person.dice.borrow_mut();
                        (dice.happens(self.world.plan.lost_acks), dice.happens(30))
                    };
                    let lost = lost && !self.world.is_calm();
                    self.acknowledged(index, accepted.turn, lost);
                    if lost {
                        continue;
                    }
                    // Where its session is removed meanwhile, the key is free again.
                    if again && self.world.plan.removals.is_none() {
                        self.abuse(&text).await;
                    }
                    return accepted.turn;
                }
                Err(failure) => self.wait_after(&failure).await,
            }
        }
    }

    fn acknowledged(&self, index: usize, turn: TurnId, lost: bool) {
        let message = &mut self.person.said.borrow_mut()[index];
        let before = message.turn.replace(turn);
        message.acknowledged |= !lost;
        self.same(&message.text, before, turn);
    }

    /// A message is part of one turn for ever, or until its session is removed.
    fn same(&self, text: &str, before: Option<TurnId>, turn: TurnId) {
        let another = before.filter(|before| *before != turn && !lock(&self.world.tables).removed.holds(*before));
        if let Some(before) = another {
            self.world.broken(&format_args!("I2: {text} is part of {before} and {turn}"));
        }
    }

    /// Uses a key for another message, which must be refused.
    async fn abuse(&self, text: &Arc<str>) {
        match self.answered(self.house.router.ask(self.submission(text, [2; 32], None))).await {
            Err(failure) if failure.code == Code::IdempotencyConflict || self.passes(&failure) => {}
            other => self.world.broken(&format_args!("I9: another message under the key of {text}: {other:?}")),
        }
    }

    async fn cancel(&self) {
        let ask = CancelTurn::now(self.person.session.clone(), self.house.who);
        match self.answered(self.house.router.ask(ask)).await {
            Ok(Some(_)) => self.world.count("people: turns cancelled"),
            Ok(None) => {}
            Err(failure) if self.passes(&failure) => {}
            Err(failure) => self.world.broken(&format_args!("I9: a cancel is refused: {failure:?}")),
        }
    }

    /// Whether a refusal may be no more when the same is asked again.
    fn passes(&self, failure: &Failure) -> bool {
        let removals = self.world.plan.removals.is_some();
        passes(failure) || (failure.code == Code::NotFound && removals)
    }

    /// Waits for an answer, which must come.
    async fn answered<T>(
        &self,
        asked: impl Future<Output = Result<Result<T, Failure>, mosaic_supervise::LinkError>>,
    ) -> Result<T, Failure> {
        let asked_at = Instant::now();
        let answer = timeout(ANSWERED_WITHIN, asked).await;
        held(&self.world.tally).took("an answer to a request", asked_at.elapsed());
        let failure = match answer {
            Ok(Ok(Ok(answer))) => return Ok(answer),
            Ok(Ok(Err(failure))) => failure,
            Ok(Err(error)) => unreached("The router", &error),
            Err(_) => {
                let name = &self.person.name;
                self.world.broken(&format_args!("I9: {name} got no answer within {ANSWERED_WITHIN:?}"));
                Failure::new(Code::Internal, "No answer came.")
            }
        };
        self.world.note(&format_args!("{} is refused: {failure}", self.person.name));
        self.world.count(match failure.code {
            Code::Busy => "refusals: busy",
            Code::Unavailable => "refusals: unavailable",
            Code::Storage => "refusals: storage",
            Code::StorageDefect => "refusals: storage, for good",
            Code::Draining => "refusals: draining",
            Code::IdempotencyConflict => "refusals: another message under a known key",
            Code::NotFound => "refusals: not found",
            _ => "refusals: others",
        });
        Err(failure)
    }

    async fn wait_after(&self, failure: &Failure) {
        if !self.passes(failure) {
            self.world.broken(&format_args!("I9: {} is refused for good: {failure:?}", self.person.name));
        }
        let least = failure.retry_after_ms.unwrap_or(500);
        let wait = self.person.dice.borrow_mut().millis(least..=least + 500);
        tokio::time::sleep(wait).await;
    }

    fn submission(&self, text: &Arc<str>, body_hash: [u8; 32], mode: Option<QueueMode>) -> SubmitTurn {
        SubmitTurn {
            session: self.person.session.clone(),
            from: self.house.who,
            turn: self.house.doors.outside.turn_id(),
            inbox: self.person.key(text),
            reply_to: None,
            body_hash,
            text: text.clone(),
            attachments: Arc::default(),
            replaces: None,
            model: None,
            mode,
            create: Some(self.person.agent.clone()),
            repeats_last: false,
            span: tracing::Span::none(),
        }
    }

    /// Hears the end from the hub.
    async fn hear(&self, turn: TurnId, reader: &mut Reader) -> Look {
        // It may have ended before it was said again.
        let look = self.look(turn).await;
        if !matches!(look, Look::Open) {
            return look;
        }
        let mut stored: Option<(Box<SessionEvent>, Instant)> = None;
        loop {
            match timeout(LOOKS_AFTER, reader.next()).await {
                Ok(Ok(event)) if event.turn == Some(turn) && event.body.is_end() => {
                    return Look::Ended(Box::new((*event).clone()));
                }
                Ok(Ok(_)) => {}
                Ok(Err(missed)) => {
                    let look = self.look(turn).await;
                    if !matches!(look, Look::Open) {
                        return look;
                    }
                    if missed == Missed::Lagged {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        *reader = self.house.doors.hub.subscribe(&self.person.session, Interest::Journaled);
                        let look = self.look(turn).await;
                        if !matches!(look, Look::Open) {
                            return look;
                        }
                    }
                }
                Err(_) => match &stored {
                    Some((end, since)) if since.elapsed() > TOLD_WITHIN => {
                        self.world.broken(&format_args!("I9: the end of {turn} was announced to nobody"));
                        return Look::Ended(end.clone());
                    }
                    Some(_) => {}
                    None => match self.look(turn).await {
                        Look::Ended(end) => stored = Some((end, Instant::now())),
                        Look::Open => {}
                        // Readers of a session that is removed are cut off; that they were not is found by who reads on.
                        Look::Removed => return Look::Removed,
                    },
                },
            }
        }
    }

    async fn look_until(&self, turn: TurnId) -> Look {
        loop {
            let look = self.look(turn).await;
            if !matches!(look, Look::Open) {
                return look;
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }

    /// Looks into the journal, again where it cannot be read.
    async fn look(&self, turn: TurnId) -> Look {
        loop {
            match self.house.doors.store.turn(turn).await {
                Ok(Some(row)) => return row.end.map_or(Look::Open, |end| Look::Ended(Box::new(end))),
                Ok(None) => {
                    if !lock(&self.world.tables).removed.holds(turn) {
                        self.world.broken(&format_args!("I1: {turn} was acknowledged and is not stored"));
                    }
                    return Look::Removed;
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        }
    }

    fn ended(&self, index: usize, turn: TurnId, end: SessionEvent) {
        let message = &mut self.person.said.borrow_mut()[index];
        let text = &message.text;
        match &end.body {
            EventBody::TurnFinished(finished) => {
                self.world.count("turns: finished");
                let disk = lock(&self.world.tables);
                let stored = disk.turn(turn).map(|(_, turn)| turn);
                let right = stored.is_none_or(|turn| {
                    turn.is_answered(Some(&finished.text)) && turn.asked().any(|asked| *asked == **text)
                });
                drop(disk);
                if !right {
                    self.world.broken(&format_args!("I2: {text} got the answer {:?}", finished.text));
                }
            }
            EventBody::TurnFailed { code: Code::Crashed, .. } => self.world.count("turns: given up after three deaths"),
            EventBody::TurnFailed { code: Code::StorageDefect, .. } => {
                self.world.count("turns: given up, since the store refused them for good");
            }
            EventBody::TurnFailed { .. } => self.world.count("turns: failed"),
            _ => self.world.count("turns: cancelled"),
        }
        self.world.note(&format_args!("{text} ended: {:?}", end.body));
        if message.end.as_ref().is_some_and(|before| *before != end) {
            self.world.broken(&format_args!("I2: {text} ended twice: {:?} and {end:?}", message.end));
        }
        message.end = Some(end);
    }
}

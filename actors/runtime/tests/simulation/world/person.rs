//! People: they say something, say it again until it is acknowledged, and wait for the answer. They outlive the process.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use mosaic_messages::{CancelTurn, SubmitTurn};
use mosaic_runtime::Reader;
use mosaic_runtime::doors::unreached;
use mosaic_runtime::events::{Interest, Missed};
use mosaic_types::journal::{API_CHANNEL, InboxKey};
use mosaic_types::{AgentName, Code, EventBody, Failure, SessionEvent, SessionId, TurnId};
use tokio::time::{Instant, timeout};

use super::dice::Dice;
use super::house::{House, agent};
use super::model::answer_to;
use super::store::lock;
use super::{World, held};

/// Every request is answered within this long, whatever happens beside a process that goes on: four tries of the
/// router, each with 5 s of patience for a session and 5 s for the writer, and the slowest reads and writes.
const ANSWERED_WITHIN: Duration = Duration::from_secs(90);

/// One who hears nothing for this long looks into the journal.
const LOOKS_AFTER: Duration = Duration::from_secs(20);

/// An end that is in the journal is announced within this long: a session that died before it could say so and is down
/// says so after its rest.
const TOLD_WITHIN: Duration = Duration::from_secs(90);

/// Something that was said.
struct Message {
    text: Arc<str>,
    /// As its acknowledgement, or the first that was lost, named it.
    turn: Option<TurnId>,
    acknowledged: bool,
    end: Option<SessionEvent>,
}

/// Somebody who talks in a session.
pub(crate) struct Person {
    session: SessionId,
    agent: AgentName,
    name: String,
    said: RefCell<Vec<Message>>,
    dice: RefCell<Dice>,
    /// Says several things at once.
    eager: bool,
}

impl Person {
    pub(crate) fn new(world: &World, session: usize, number: usize) -> Self {
        let stream = 100 + u64::try_from(session * 100 + number).expect("few");
        let mut dice = Dice::new(world.plan.seed, stream);
        let eager = dice.happens(300);
        Self {
            session: format!("s{session}").parse().expect("a valid id"),
            agent: agent(session % world.plan.agents),
            name: format!("s{session}.p{number}"),
            said: RefCell::default(),
            dice: RefCell::new(dice),
            eager,
        }
    }

    /// Whether nothing more will be said and all was answered.
    pub(crate) fn is_done(&self, world: &World) -> bool {
        let said = self.said.borrow();
        let silent = said.len() >= world.plan.messages || world.age() >= world.plan.last_word;
        silent && said.iter().all(|message| message.end.is_some())
    }

    /// Takes part in one life of the process.
    pub(crate) async fn live(self: Rc<Self>, house: Rc<House>, world: Arc<World>) {
        let view = &View { person: &self, house: &house, world: &world };
        let open = || -> Vec<usize> {
            let said = self.said.borrow();
            said.iter().enumerate().filter(|(_, message)| message.end.is_none()).map(|(index, _)| index).collect()
        };
        // What an earlier life of the process left open is repeated first.
        join_all(open().into_iter().map(|index| view.take(index))).await;
        while self.said.borrow().len() < world.plan.messages && world.age() < world.plan.last_word {
            let pause = self.dice.borrow_mut().millis(world.plan.pause.clone());
            tokio::time::sleep(pause).await;
            let most = world.plan.messages - self.said.borrow().len();
            let burst = if self.eager { self.dice.borrow_mut().within(1..=4) } else { 1 };
            for _ in 0..burst.min(u64::try_from(most).unwrap_or(u64::MAX)) {
                let text = format!("{}.{}", self.name, self.said.borrow().len()).into();
                self.said.borrow_mut().push(Message { text, turn: None, acknowledged: false, end: None });
            }
            join_all(open().into_iter().map(|index| view.take(index))).await;
        }
    }

    /// What this person has a right to, against what is stored: I1 and I2.
    pub(crate) fn check(&self, world: &World) {
        for message in self.said.borrow().iter() {
            world.count("people: messages");
            let disk = lock(&world.tables);
            let known = disk.known(&self.key(&message.text)).map(|(turn, _)| turn);
            let stored = known.and_then(|turn| disk.end_of(turn));
            let wrong = match (message.turn, &message.end) {
                _ if !message.acknowledged => Some("was never acknowledged"),
                (turn, _) if turn != known => Some("names another turn than its acknowledgement"),
                (_, end) if *end != stored => Some("ended otherwise than its person saw"),
                _ => None,
            };
            drop(disk);
            if let Some(wrong) = wrong {
                world.broken(&format_args!("I1: {} {wrong}: {:?}", message.text, message.end));
            }
        }
    }

    fn key(&self, text: &str) -> InboxKey {
        InboxKey {
            channel: API_CHANNEL.into(),
            account: "ada".into(),
            conversation: self.session.as_str().into(),
            event: format!("key:{text}").into(),
        }
    }
}

/// A person in one life of the process.
struct View<'a> {
    person: &'a Rc<Person>,
    house: &'a Rc<House>,
    world: &'a Arc<World>,
}

impl View<'_> {
    /// Says it and waits for the answer.
    async fn take(&self, index: usize) {
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
            Some(end) => end,
            None if trusts => self.hear(turn, &mut reader).await,
            None => {
                drop(reader); // hangs up and asks later
                self.look_until(turn).await
            }
        };
        self.ended(index, end);
    }

    /// Says it until it is acknowledged.
    async fn say(&self, index: usize) -> TurnId {
        let (text, mut tried) = (self.person.said.borrow()[index].text.clone(), 0_u64);
        loop {
            let ask = self.submission(&text, [1; 32]);
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
                    if again {
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
        if let Some(before) = message.turn.replace(turn).filter(|before| *before != turn) {
            self.world.broken(&format_args!("I2: {} is {before} and {turn}", message.text));
        }
        message.acknowledged |= !lost;
    }

    /// Uses a key for another message, which must be refused.
    async fn abuse(&self, text: &Arc<str>) {
        match self.answered(self.house.router.ask(self.submission(text, [2; 32]))).await {
            Err(failure) if failure.code == Code::IdempotencyConflict || passes(&failure) => {}
            other => self.world.broken(&format_args!("I9: another message under the key of {text}: {other:?}")),
        }
    }

    async fn cancel(&self) {
        let ask = CancelTurn { session: self.person.session.clone(), from: self.house.who };
        match self.answered(self.house.router.ask(ask)).await {
            Ok(Some(_)) => self.world.count("people: turns cancelled"),
            Ok(None) => {}
            Err(failure) if passes(&failure) => {}
            Err(failure) => self.world.broken(&format_args!("I9: a cancel is refused: {failure:?}")),
        }
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
            Code::Draining => "refusals: draining",
            Code::IdempotencyConflict => "refusals: another message under a known key",
            _ => "refusals: others",
        });
        Err(failure)
    }

    async fn wait_after(&self, failure: &Failure) {
        if !passes(failure) {
            self.world.broken(&format_args!("I9: {} is refused for good: {failure:?}", self.person.name));
        }
        let least = failure.retry_after_ms.unwrap_or(500);
        let wait = self.person.dice.borrow_mut().millis(least..=least + 500);
        tokio::time::sleep(wait).await;
    }

    fn submission(&self, text: &Arc<str>, body_hash: [u8; 32]) -> SubmitTurn {
        SubmitTurn {
            session: self.person.session.clone(),
            from: self.house.who,
            turn: self.house.doors.outside.turn_id(),
            inbox: self.person.key(text),
            reply_to: None,
            body_hash,
            text: text.clone(),
            replaces: None,
            model: None,
            mode: None,
            create: Some(self.person.agent.clone()),
            repeats_last: false,
            span: tracing::Span::none(),
        }
    }

    /// Hears the end from the hub.
    async fn hear(&self, turn: TurnId, reader: &mut Reader) -> SessionEvent {
        // It may have ended before it was said again.
        if let Some(end) = self.look(turn).await {
            return end;
        }
        let mut stored: Option<(SessionEvent, Instant)> = None;
        loop {
            match timeout(LOOKS_AFTER, reader.next()).await {
                Ok(Ok(event)) if event.turn == Some(turn) && event.body.is_end() => return (*event).clone(),
                Ok(Ok(_)) => {}
                Ok(Err(missed)) => {
                    if let Some(end) = self.look(turn).await {
                        return end;
                    }
                    if missed == Missed::Lagged {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        *reader = self.house.doors.hub.subscribe(&self.person.session, Interest::Journaled);
                    }
                }
                Err(_) => match &stored {
                    Some((end, since)) if since.elapsed() > TOLD_WITHIN => {
                        self.world.broken(&format_args!("I9: the end of {turn} was announced to nobody"));
                        return end.clone();
                    }
                    Some(_) => {}
                    None => stored = self.look(turn).await.map(|end| (end, Instant::now())),
                },
            }
        }
    }

    async fn look_until(&self, turn: TurnId) -> SessionEvent {
        loop {
            if let Some(end) = self.look(turn).await {
                return end;
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }

    /// Looks into the journal, again where it cannot be read.
    async fn look(&self, turn: TurnId) -> Option<SessionEvent> {
        loop {
            match self.house.doors.store.turn(turn).await {
                Ok(Some(row)) => return row.end,
                Ok(None) => {
                    self.world.broken(&format_args!("I1: {turn} was acknowledged and is not stored"));
                    return None;
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        }
    }

    fn ended(&self, index: usize, end: SessionEvent) {
        let message = &mut self.person.said.borrow_mut()[index];
        let text = &message.text;
        match &end.body {
            EventBody::TurnFinished(finished) if finished.text != answer_to(text) => {
                self.world.broken(&format_args!("I2: {text} got the answer {:?}", finished.text));
            }
            EventBody::TurnFinished(_) => self.world.count("turns: finished"),
            EventBody::TurnFailed { code: Code::Crashed, .. } => self.world.count("turns: given up after three deaths"),
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

/// Whether a refusal says that the same request may be taken later.
fn passes(failure: &Failure) -> bool {
    matches!(failure.code, Code::Busy | Code::Unavailable | Code::Storage | Code::Draining)
}

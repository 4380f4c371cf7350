//! Writes to a store in few words.

use std::sync::Arc;

use mosaic_types::journal::{
    API_CHANNEL, AcceptTurn, EndTurn, Entry, InboxKey, NewSession, NewUser, Outcome, StartTurn, StepTurn, TurnEnd,
    Write,
};
use mosaic_types::routing::{Route, RuleSource, Strategy, Task};
use mosaic_types::{
    AgentName, Code, Epoch, FinishedTurn, Seq, SessionEvent, SessionId, Spent, Timestamp, TurnId, Usage, UserId,
    UserRole,
};
use uuid::Uuid;

use crate::{Store, StoreError};

/// A store with a user, and the session `s1`, claimed once.
pub struct Hand {
    pub store: Arc<dyn Store>,
    pub user: UserId,
    pub session: SessionId,
    pub agent: AgentName,
}

/// A session's id.
pub(super) fn session(id: &str) -> SessionId {
    id.parse().expect("a valid session id")
}

/// The turn that a number stands for.
pub(super) fn turn(number: u8) -> TurnId {
    TurnId(Uuid::from_bytes([number; 16]))
}

/// What a model said for 3 tokens and in 5.
pub(super) fn said(text: &str) -> FinishedTurn {
    FinishedTurn {
        text: text.into(),
        model: "m".into(),
        provider: "p".parse().expect("a valid provider's name"),
        route_reason: "first".into(),
        stop_reason: "stop".into(),
        usage: Usage::new(3, 5),
        cost_usd: None,
    }
}

/// What a rule decided for a turn.
pub(super) fn route(number: u8) -> Box<Route> {
    Box::new(Route {
        rule: format!("rule-{number}"),
        source: RuleSource::Config,
        reason: format!("rule \"rule-{number}\": it holds always"),
        models: vec!["openai/gpt-5-mini".parse().expect("a valid model")],
        strategy: Strategy::Race,
        task: Some(Task::Code),
    })
}

/// The end of a turn that was answered with `text`.
pub(super) fn finished(text: &str) -> TurnEnd {
    TurnEnd::Finished(said(text))
}

/// The end of a turn that went wrong.
pub(super) fn failed() -> TurnEnd {
    TurnEnd::failed(Code::ProviderStalled, "Nothing came for too long.")
}

/// What the answer itself used and cost.
pub(super) fn own(end: &TurnEnd) -> Spent {
    match end {
        TurnEnd::Finished(finished) => Spent { usage: finished.usage, cost_usd: finished.cost_usd },
        _ => Spent::default(),
    }
}

impl Hand {
    /// Takes an empty store in hand.
    pub async fn on(store: Arc<dyn Store>) -> Self {
        let agent = "assistant".parse().expect("a valid agent's name");
        let hand = Self { store, user: UserId(Uuid::from_bytes([1; 16])), session: session("s1"), agent };
        let at = Timestamp(0);
        let user = NewUser { id: hand.user, name: "ada".into(), role: UserRole::Owner, at };
        assert_eq!(hand.write(Write::CreateUser(user)).await, Outcome::Written(vec![]));
        hand.make(&hand.session, at).await;
        hand
    }

    /// Makes a session and claims it.
    pub async fn make(&self, id: &SessionId, at: Timestamp) {
        assert_eq!(self.write(self.new_session(id, at)).await, Outcome::Written(vec![]));
        assert_eq!(self.write(Write::Claim { session: id.clone() }).await, Outcome::Claimed(at.0 + 1));
    }

    /// The write that makes a session.
    pub fn new_session(&self, id: &SessionId, at: Timestamp) -> Write {
        Write::CreateSession(NewSession {
            id: id.clone(),
            user: self.user,
            channel: API_CHANNEL.into(),
            agent: self.agent.clone(),
            title: String::new(),
            at,
        })
    }

    /// Commits one write that must not fail.
    pub async fn write(&self, write: Write) -> Outcome {
        self.commit(vec![write]).await.remove(0).expect("the write does not fail")
    }

    /// Commits a batch.
    pub async fn commit(&self, batch: Vec<Write>) -> Vec<Result<Outcome, StoreError>> {
        let writes = batch.len();
        let outcomes = self.store.commit(batch).await.expect("the batch is carried out");
        assert_eq!(outcomes.len(), writes, "one answer per write");
        outcomes
    }

    /// Commits one write that must be done, and answers its events.
    pub async fn events_of(&self, write: Write) -> Vec<SessionEvent> {
        match self.write(write).await {
            Outcome::Written(events) => events,
            other => panic!("not written: {other:?}"),
        }
    }

    /// An input of `s1` at epoch 1; its key, its body and its moment are the turn's number.
    pub fn accept(&self, number: u8, start: bool) -> AcceptTurn {
        AcceptTurn {
            session: self.session.clone(),
            epoch: 1,
            turn: turn(number),
            inbox: InboxKey {
                channel: API_CHANNEL.into(),
                account: "ada".into(),
                conversation: "s1".into(),
                event: format!("key-{number}").into(),
            },
            body_hash: [number; 32],
            text: format!("question {number}").into(),
            attachments: Arc::default(),
            replaces: None,
            agent: self.agent.clone(),
            // A number that is even names a model of its own, so that both kinds are stored and read back.
            model: number.is_multiple_of(2).then(|| "openai/gpt-5-mini".parse().expect("a valid model")),
            entry: if start { Entry::Starts } else { Entry::Waits { collects: false } },
            route: start.then(|| route(number)),
            title: None,
            reply_to: None,
            at: Timestamp(i64::from(number)),
        }
    }

    /// The start of a turn that waits.
    pub(super) fn begin(&self, number: u8) -> StartTurn {
        StartTurn { turn: turn(number), agent: self.agent.clone(), route: Some(route(number)) }
    }

    /// Stores an input.
    pub async fn ask(&self, number: u8, start: bool) -> Vec<SessionEvent> {
        self.events_of(Write::Accept(Box::new(self.accept(number, start)))).await
    }

    /// An input of `s1` that joins the turn `into`.
    pub fn join(&self, number: u8, into: u8) -> AcceptTurn {
        AcceptTurn { turn: turn(into), entry: Entry::Joins, ..self.accept(number, false) }
    }

    /// Stores an input that joins a turn.
    pub async fn add(&self, number: u8, into: u8) -> Vec<SessionEvent> {
        self.events_of(Write::Accept(Box::new(self.join(number, into)))).await
    }

    /// A step of a turn of `s1` that saw the inputs up to `saw`.
    pub fn step(&self, number: u8, step: u32, saw: Seq, said: FinishedTurn) -> StepTurn {
        let (session, agent, at) = (self.session.clone(), self.agent.clone(), Timestamp(i64::from(number)));
        let own = Spent { usage: said.usage, cost_usd: said.cost_usd };
        StepTurn {
            session,
            epoch: 1,
            turn: turn(number),
            agent,
            step,
            saw,
            said,
            asked: Vec::new(),
            parts: Vec::new(),
            own,
            calls: step,
            beside: Vec::new(),
            at,
        }
    }

    /// The write that ends a turn of `s1`.
    pub fn end(&self, number: u8, end: TurnEnd, next: Option<u8>) -> Write {
        self.end_at(1, number, end, next)
    }

    /// The same under another epoch.
    pub fn end_at(&self, epoch: Epoch, number: u8, end: TurnEnd, next: Option<u8>) -> Write {
        let own = own(&end);
        Write::End(Box::new(EndTurn {
            session: self.session.clone(),
            epoch,
            turn: turn(number),
            agent: self.agent.clone(),
            end,
            step: 1,
            saw: Seq::MAX,
            steps: vec![said("").step()],
            delivers: false,
            cuts_tools: false,
            own,
            calls: 1,
            beside: Vec::new(),
            next: next.map(|number| self.begin(number)),
            at: Timestamp(i64::from(number)),
        }))
    }

    /// Answers a question.
    pub async fn answer(&self, number: u8, next: Option<u8>) -> Vec<SessionEvent> {
        self.events_of(self.end(number, finished(&format!("answer {number}")), next)).await
    }
}

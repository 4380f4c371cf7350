//! What a session's state is made of, and what it answers.

use mosaic_messages::Accepted;
use mosaic_types::journal::{AcceptTurn, EndTurn, OpenTurn, Said, Write};
use mosaic_types::ledger::Beside;
use mosaic_types::routing::Route;
use mosaic_types::{
    AgentName, ChatMessage, EventBody, Failure, FinishedTurn, ModelRef, QueueMode, Role, Seq, Spent, ToolCall, TurnId,
    limits,
};

use super::tools::Asked;
use crate::agent::run::Chosen;

/// An input on its way to the store.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Incoming {
    /// The id that its own turn has, or would have.
    pub(super) input: TurnId,
    /// The turn that it makes or joins.
    pub(super) turn: TurnId,
    pub(super) mode: QueueMode,
    pub(super) said: ChatMessage,
    pub(super) hash: [u8; 32],
    /// It came from a platform.
    pub(super) delivers: bool,
}

/// A turn that waits or runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Turn {
    pub(super) id: TurnId,
    /// In place of the agent's own models.
    pub(super) model: Option<ModelRef>,
    /// Later inputs may join it while it waits.
    pub(super) collects: bool,
    /// It has been quiet for long enough to start.
    pub(super) settled: bool,
    /// Its stored inputs and finished steps, in the order in which the model sees them. Empty while the input that
    /// makes it is being written.
    pub(super) said: Vec<ChatMessage>,
    pub(super) inputs: usize,
    /// Seq of the newest of its stored inputs.
    pub(super) newest: Seq,
    /// Inputs of it on their way to the store.
    pub(super) writing: usize,
    /// Some of its stored inputs came from platforms: its end goes out there.
    pub(super) delivers: bool,
}

impl Turn {
    /// A turn whose first input is on its way to the store.
    pub(super) fn new(id: TurnId, model: Option<ModelRef>, collects: bool) -> Self {
        let (said, settled, delivers) = (Vec::new(), false, false);
        Self { id, model, collects, settled, said, inputs: 0, newest: 0, writing: 1, delivers }
    }

    /// A turn as it was stored.
    pub(super) fn stored(open: OpenTurn) -> Self {
        let inputs = || open.said.iter().filter(|said| said.role == Role::User);
        Self {
            inputs: inputs().count(),
            newest: inputs().map(|said| said.seq).max().unwrap_or_default(),
            said: open.said.iter().map(Said::message).collect(),
            writing: 0,
            delivers: open.delivers,
            ..Self::new(open.id, open.model, open.collects)
        }
    }

    pub(super) fn is_stored(&self) -> bool {
        !self.said.is_empty()
    }

    /// Stored, or on their way.
    pub(super) fn all_inputs(&self) -> usize {
        self.inputs + self.writing
    }

    /// Whether an input that asks for `model` may be part of it.
    pub(super) fn takes(&self, model: Option<&ModelRef>) -> bool {
        (model.is_none() || model == self.model.as_ref()) && self.all_inputs() < limits::TURN_INPUTS
    }

    pub(super) fn hear(&mut self, said: ChatMessage) {
        self.said.push(said);
    }
}

/// Where the active turn stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The intent of its next model call, or of its tools, is being written; no run yet.
    Starting,
    Running,
    /// Its end is being written; no run any more.
    Ending,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Active {
    pub(super) turn: Turn,
    /// The one that began it, whatever the session's is by now.
    pub(super) agent: AgentName,
    /// What a rule decided when it began, for all its attempts.
    pub(super) route: Option<Box<Route>>,
    pub(super) attempt: u32,
    pub(super) charged: u32,
    /// The step that runs or is next: 1 for the first.
    pub(super) step: u32,
    /// By the steps before: the turn's own entry in the ledger.
    pub(super) spent: Spent,
    /// How many calls that are, with the answer's.
    pub(super) calls: u32,
    /// By calls beside them, which have entries of their own.
    pub(super) beside: Spent,
    /// What is known of the parts of its next step, each as the `step.finished` that told of it.
    pub(super) parts: Vec<EventBody>,
    /// Of these, those that the store refused: they are journaled with the end of the step.
    pub(super) late: Vec<EventBody>,
    /// What goes with the answer that is being written: the turn's own entry with it, and parts not journaled yet.
    pub(super) answer: (Spent, Vec<EventBody>),
    /// Entries that go into the ledger with it.
    pub(super) dues: Vec<Beside>,
    /// What its last step asked for, while that is not all answered and stored.
    pub(super) tools: Vec<Asked>,
    /// It was ended while its run was at work.
    pub(super) cut: bool,
    pub(super) phase: Phase,
    /// Seq of the newest input that the run was given.
    pub(super) saw: Seq,
    /// Stored inputs that it was not given.
    pub(super) unseen: Vec<ChatMessage>,
    /// A person wants it to end, and the intent of its next call is still being written.
    pub(super) unwanted: bool,
}

impl Active {
    pub(super) fn new(turn: Turn, agent: AgentName) -> Self {
        Self {
            turn,
            agent,
            route: None,
            attempt: 1,
            charged: 0,
            step: 1,
            spent: Spent::default(),
            calls: 0,
            beside: Spent::default(),
            parts: Vec::new(),
            late: Vec::new(),
            answer: (Spent::default(), Vec::new()),
            dues: Vec::new(),
            tools: Vec::new(),
            cut: false,
            phase: Phase::Starting,
            saw: 0,
            unseen: Vec::new(),
            unwanted: false,
        }
    }

    /// A turn that a life before had begun.
    pub(super) fn stored(mut open: OpenTurn, crashed: bool) -> Self {
        let (attempt, charged, spent) = (open.attempt, open.charged + u32::from(crashed), open.spent);
        let steps = open.said.iter().filter(|said| said.role == Role::Assistant).count();
        let step = u32::try_from(steps).unwrap_or(u32::MAX).saturating_add(1);
        let (agent, beside, parts) = (open.agent.clone(), open.beside, open.parts.clone());
        let route = open.route.clone();
        let counted = Turn::stored(open.clone());
        let (tools, unseen) = Turn::unfinished(&mut open);
        let said = open.said.iter().map(Said::message).collect();
        let turn = Turn { said, ..counted };
        let calls = step - 1;
        Self { route, attempt, charged, step, spent, calls, beside, parts, tools, unseen, ..Self::new(turn, agent) }
    }

    /// Inputs beside those that its run was given.
    pub(super) fn waiting(&self) -> usize {
        self.unseen.len() + self.turn.writing - usize::from(!self.turn.is_stored() && self.turn.writing > 0)
    }

    /// Forgets parts that answer another dialogue than that up to `saw`.
    pub(super) fn keep_parts(&mut self) {
        let saw = self.saw;
        self.parts.retain(|event| matches!(event, EventBody::StepFinished { part: Some(part), .. } if part.saw == saw));
    }

    /// Takes in what no run was given yet.
    pub(super) fn see_all(&mut self) {
        self.unseen.drain(..).for_each(|said| self.turn.hear(said));
    }
}

/// What a run came to.
#[derive(Debug)]
pub(super) struct Ran {
    /// Usage and cost are those of the call that answered.
    pub(super) result: Result<FinishedTurn, Failure>,
    /// Tools that it asks for.
    pub(super) asked: Vec<ToolCall>,
    /// Parts that were not told before.
    pub(super) parts: Vec<EventBody>,
    /// Spent beside the answer, but for parts that were told before.
    pub(super) beside: Spent,
    /// The entries of that, and of parts that came to nothing.
    pub(super) dues: Vec<Beside>,
    /// The answer is a call's, not put together of several.
    pub(super) called: bool,
}

impl From<Result<FinishedTurn, Failure>> for Ran {
    fn from(result: Result<FinishedTurn, Failure>) -> Self {
        Self { result, asked: Vec::new(), parts: Vec::new(), beside: Spent::default(), dues: Vec::new(), called: true }
    }
}

/// A run to be started.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Begin {
    pub(super) turn: TurnId,
    pub(super) attempt: u32,
    /// Deaths that it saw and was not charged with: those of the process.
    pub(super) deaths: u32,
    pub(super) step: u32,
    pub(super) agent: AgentName,
    /// In place of the agent's own models.
    pub(super) model: Option<Chosen>,
    /// What a rule decided, where no model was named.
    pub(super) route: Option<Box<Route>>,
    /// Tools to be run, each with its place among those that the step asked for; empty: a model is asked.
    pub(super) tools: Vec<(usize, ToolCall)>,
    /// How often the turn has asked for tools.
    pub(super) rounds: u32,
    /// Ends in the inputs to answer.
    pub(super) dialogue: Vec<ChatMessage>,
    /// What is known of the step's parts.
    pub(super) parts: Vec<EventBody>,
}

/// What follows from a submission.
#[derive(Debug, PartialEq)]
pub(super) enum Submission {
    /// It is here already.
    Attach(Accepted),
    Write(Box<AcceptTurn>),
}

/// What follows from a wish to cancel.
#[derive(Debug, PartialEq)]
pub(super) enum Cancel {
    /// Its end is to be written.
    Now(Box<EndTurn>),
    /// Its start is being written; its end follows as soon as that is done.
    Soon,
    /// Nothing runs.
    Nothing,
}

/// A turn that collects: it may start if it has no more inputs after a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settle {
    pub(super) turn: TurnId,
    pub(super) inputs: usize,
}

/// What follows when something happened.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Follow {
    pub(super) begin: Option<Begin>,
    pub(super) write: Option<Write>,
    pub(super) settle: Option<Settle>,
}

impl Follow {
    pub(super) fn write(write: Option<Write>) -> Self {
        Self { write, ..Self::default() }
    }
}

//! What a run spends beside its answer, and what it has to tell of it.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use actix::Recipient;
use mosaic_messages::PartEnded;
use mosaic_types::event::{Part, StepKind};
use mosaic_types::ledger::Beside;
use mosaic_types::{AgentName, EventBody, ModelRef, Outside, SessionId, Spent, TurnId};

use super::call::RunOrder;
use super::sink::Sink;
use crate::budget::Payer;
use crate::till::Till;

/// The books of one run.
pub(super) struct Books {
    till: Till,
    outside: Outside,
    payer: Payer,
    asker: Arc<str>,
    of: Option<(SessionId, TurnId)>,
    /// The session, and which attempt it knows the run by.
    keeper: Option<(Recipient<PartEnded>, TurnId, u32)>,
    /// Known from an earlier life.
    known: Vec<EventBody>,
    beside: Cell<Spent>,
    /// To be told with the run's end.
    parts: RefCell<Vec<EventBody>>,
}

impl Books {
    pub(super) fn open(order: &RunOrder, agent: &AgentName) -> Self {
        let of = match &order.sink {
            Sink::Session { session, turn, .. } => Some((session.clone(), *turn)),
            Sink::Caller(_) => None,
        };
        let asker = match &of {
            Some((session, _)) => session.as_str().into(),
            None => order.payer.to_string().into(),
        };
        let keeper = order.keeper.as_ref().map(|keeper| (keeper.parts.clone(), keeper.turn, keeper.attempt));
        Self {
            till: order.till.clone(),
            outside: order.outside.clone(),
            payer: Payer {
                user: order.payer,
                agent: agent.clone(),
                session: of.as_ref().map(|(session, _)| session.clone()),
            },
            asker,
            of,
            keeper,
            known: order.parts.clone(),
            beside: Cell::new(Spent::default()),
            parts: RefCell::default(),
        }
    }

    fn entry(&self, model: &ModelRef, spent: Spent, estimated: bool) -> Beside {
        let (id, at) = (self.outside.uuid(), self.outside.now());
        let (agent, of, model) = (self.payer.agent.clone(), self.of.clone(), model.clone());
        Beside { id, user: self.payer.user, agent, of, model, calls: 1, spent, estimated, at }
    }

    pub(super) fn payer(&self) -> &Payer {
        &self.payer
    }

    /// Who waits in turn with others: the session, or the user where there is none.
    pub(super) fn asker(&self) -> Arc<str> {
        self.asker.clone()
    }

    /// Pays for a call that is no answer, where it cost anything.
    pub(super) fn pay(&self, model: &ModelRef, spent: Spent, estimated: bool) {
        if spent.usage != mosaic_types::Usage::default() {
            self.till.owe(self.entry(model, spent, estimated));
            self.beside.set(self.beside.get().and(spent));
        }
    }

    /// Pays for the answer of a run that has no session to do so.
    pub(super) fn pay_answer(&self, model: &ModelRef, spent: Spent) {
        if self.of.is_none() {
            self.till.owe(self.entry(model, spent, false));
        }
    }

    /// A part is known: it is stored at once, so that it is not asked for again.
    pub(super) fn keep_part(&self, model: &ModelRef, part: Part) {
        let (spent, estimated) = (part.spent(), part.estimated);
        let event = told(model, Some(part));
        match &self.keeper {
            Some((keeper, turn, attempt)) => {
                let beside = self.entry(model, spent, estimated);
                #[allow(clippy::disallowed_methods)] // one message a part: one that is refused would be paid for twice
                keeper.do_send(PartEnded { turn: *turn, attempt: *attempt, event, beside });
            }
            None => self.pay(model, spent, estimated),
        }
    }

    /// A part came to nothing; it is told of with the run's end. Paid for already.
    pub(super) fn note_part(&self, model: &ModelRef, part: Part) {
        self.parts.borrow_mut().push(told(model, Some(part)));
    }

    /// What an earlier life learned of a part, where it was about this model.
    pub(super) fn known(&self, number: u32, model: &ModelRef) -> Option<(ModelRef, Part)> {
        self.known.iter().find_map(|event| match event {
            EventBody::StepFinished { name, part: Some(part), ok: true, .. } if part.number == number => {
                let named: ModelRef = name.parse().ok()?;
                let same = named == *model || (model.is_auto() && named.provider == model.provider);
                same.then(|| (named, Part::clone(part)))
            }
            _ => None,
        })
    }

    /// What was spent beside the answer, and the parts that were not told of.
    pub(super) fn close(self) -> (Spent, Vec<EventBody>) {
        (self.beside.get(), self.parts.into_inner())
    }
}

/// The event of a model's call that ended; with a part, it is good where that has a text.
fn told(model: &ModelRef, part: Option<Part>) -> EventBody {
    let ok = part.as_ref().is_some_and(|part| part.code.is_none());
    EventBody::StepFinished { kind: StepKind::Model, name: model.to_string(), ok, part: part.map(Box::new) }
}

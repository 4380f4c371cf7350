//! The course of a run: which of its models are asked, and what becomes of their answers.

use mosaic_types::failure::NO_PROVIDER;
use mosaic_types::{Classify, Code, Failure, FinishedTurn, ModelRef, ToolCall};

use super::books::Books;
use super::call::{self, Answer, Ask};
use super::lanes::Voice;
use super::order::{Chosen, RunOrder};
use super::plan::{FIRST_CHOICE, Next, Plan};
use super::{compare, panel, race, shelf, tools};
use crate::agent::AgentProfile;
use crate::agent::config::Strategy;
use crate::provider::Providers;

/// What a run came to.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) turn: FinishedTurn,
    /// Tools that it asks for: it is not the turn's last word then.
    pub(super) asked: Vec<ToolCall>,
}

impl From<FinishedTurn> for Ended {
    fn from(turn: FinishedTurn) -> Self {
        Self { turn, asked: Vec::new() }
    }
}

/// Runs `order`; `None`: the caller left.
pub(super) async fn run(
    profile: &AgentProfile,
    providers: &Providers,
    order: &RunOrder,
    books: &Books,
) -> Option<Result<Ended, Failure>> {
    let ask = Ask { profile, providers, order, input: &order.input, books };
    if let Some(Chosen { model, why }) = order.model.clone() {
        return alone(ask, Plan::only(model, why)).await;
    }
    let ended = several(ask).await?;
    Some(ended.map(|mut ended| {
        if let Some(route) = &order.route {
            ended.turn.route_reason = joined(&route.reason, &ended.turn.route_reason);
        }
        ended
    }))
}

/// Why this model answered: what the rule said, and what came of it where that is more.
fn joined(rule: &str, course: &str) -> String {
    if course == FIRST_CHOICE { rule.to_owned() } else { format!("{rule}; {course}") }
}

/// Asks the profile's models as its strategy says.
async fn several(ask: Ask<'_>) -> Option<Result<Ended, Failure>> {
    let order = ask.order;
    let models = shelf::sighted(ask.providers, &order.input, ask.profile.models.clone());
    let models = if order.tools.is_empty() { models } else { tools::handy(ask.providers, models) };
    if models.is_empty() {
        return Some(Err(Failure::new(Code::NoProvider, NO_PROVIDER)));
    }
    // Answers that are put together are text: what asks for tools goes to one model.
    let whole = order.tools.is_empty() && order.sampling.response_format.is_none();
    match ask.profile.fanout.strategy {
        Strategy::Race if models.len() > 1 => race::run(ask, models).await,
        Strategy::Compare if models.len() > 1 && whole => {
            compare::run(ask, models).await.map(|ended| ended.map(Ended::from))
        }
        Strategy::Panel if models.len() > 1 && whole => {
            panel::run(ask, models).await.map(|ended| ended.map(Ended::from))
        }
        _ => alone(ask, Plan::new(models)).await,
    }
}

/// One model at a time.
async fn alone(ask: Ask<'_>, mut plan: Plan) -> Option<Result<Ended, Failure>> {
    let answer = follow(ask, &mut plan, Voice::Open(&ask.order.sink)).await?;
    Some(answer.map(|answer| {
        let reason = match answer.again {
            Some(age) => format!("reused: the same was answered so {} s ago", age.as_secs()),
            None => plan.reason(&answer.model),
        };
        answer.into_ended(reason)
    }))
}

/// Follows a plan to an answer; `None`: the caller left.
pub(super) async fn follow(ask: Ask<'_>, plan: &mut Plan, voice: Voice<'_>) -> Option<Result<Answer, Failure>> {
    loop {
        let Some(model) = plan.model().cloned() else {
            return Some(Err(Failure::new(Code::NoProvider, NO_PROVIDER)));
        };
        let (failure, shown) = match call::call(ask, &model, voice).await {
            Ok(answer) => return Some(Ok(answer)),
            Err(failed) => failed.told()?,
        };
        let next = plan.failed(failure.class(), failure.code, shown, roll(ask));
        log(&model, &failure, &next);
        match next {
            Next::GiveUp => return Some(Err(failure)),
            Next::Switch => {}
            Next::Again { after } => tokio::time::sleep(after).await,
        }
    }
}

/// A draw from 0 to 1.
pub(super) fn roll(ask: Ask<'_>) -> f64 {
    f64::from(ask.order.outside.bytes::<1>()[0]) / 255.0
}

/// Says what is done about a call that failed.
pub(super) fn log(model: &ModelRef, failure: &Failure, next: &impl std::fmt::Debug) {
    tracing::info!(provider.name = %model.provider, model = %model.model, code = failure.code.as_str(), ?next, "call failed");
}

//! The tools that a step asked for, run side by side.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use mosaic_messages::ToolEnded;
use mosaic_tools::Tools;
use mosaic_types::{Code, Failure, ModelRef, ToolCall, ToolResult, ToolState, limits};
use tracing::Instrument;

use super::actor::{Keeper, tell};
use super::order::RunOrder;
use crate::agent::AgentProfile;
use crate::provider::Providers;

/// Calls to be carried out.
#[derive(Debug)]
pub struct ToolWork {
    pub tools: Tools,
    /// Each with its place among the calls of its step.
    pub calls: Vec<(usize, ToolCall)>,
}

/// Runs them, and tells the session of each as it ends: one that answers late holds up no other's result.
pub(super) async fn run(profile: &AgentProfile, order: &RunOrder, work: ToolWork, keeper: &Keeper) {
    let ToolWork { tools, calls } = &work;
    let one = |(position, call): &(usize, ToolCall)| {
        let (position, call) = (*position, call.clone());
        let span = tracing::debug_span!(
            "tool.call",
            otel.name = %format_args!("execute_tool {}", call.name),
            gen_ai.operation.name = "execute_tool",
            gen_ai.tool.name = %call.name,
            gen_ai.tool.call.id = %call.id,
        );
        let run = async move {
            order.sink.tool_began(&call);
            if position >= limits::TOOL_CALLS {
                let most = limits::TOOL_CALLS;
                let text = format!("An answer may call {most} tools. This call was not run; ask for it again.");
                return ToolResult { call, state: ToolState::Failed, text, ms: 0 };
            }
            let key = format!("{}.{}", keeper.turn, call.id);
            tools.call(call, &profile.tools.allowed, &key).await
        };
        run.instrument(span)
    };
    let mut running: FuturesUnordered<_> = calls.iter().map(one).collect();
    while let Some(result) = running.next().await {
        let (turn, attempt) = (keeper.turn, keeper.attempt);
        tell(&keeper.tools, ToolEnded { turn, attempt, result });
    }
}

/// Of an agent's models those that call tools, where some are known to call none; where none is left, all.
pub(super) fn handy(providers: &Providers, models: Vec<ModelRef>) -> Vec<ModelRef> {
    let calls_none = |model: &ModelRef| {
        providers.get(&model.provider).is_some_and(|provider| provider.facts(&model.model).tools == Some(false))
    };
    let handy: Vec<_> = models.iter().filter(|model| !calls_none(model)).cloned().collect();
    if handy.is_empty() { models } else { handy }
}

/// The failure of a turn whose model asks for tools where it was to answer.
pub(super) fn too_many(profile: &AgentProfile) -> Failure {
    let sentence = format!(
        "The model went on asking for tools after {} calls, which is the most that {} makes for one message. Ask for less \
         at a time, or raise max_steps in the agent's table.",
        profile.tools.max_steps, profile.name
    );
    Failure::new(Code::StepLimit, sentence)
}

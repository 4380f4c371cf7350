//! One call of a tool, from what a model wrote to what it is told.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use mosaic_types::settings::nearest;
use mosaic_types::{Point, ToolResult, ToolState, chat::ToolCall, limits};
use tokio::time::{Instant, timeout};

use crate::{Tool, Tools};

/// What is to be done about a call.
pub enum Verdict<'a> {
    Run(&'a Arc<dyn Tool>),
    /// It cannot be run, and this is why.
    Refuse(String),
}

impl Tools {
    /// Whether a call can be run by whoever may use the tools `allowed`. What a model wrote is not trusted.
    pub fn check(&self, call: &ToolCall, allowed: &[String]) -> Verdict<'_> {
        let found = self.get(&call.name).filter(|_| allowed.contains(&call.name));
        let Some(tool) = found else {
            let near = nearest(&call.name, allowed.iter().map(String::as_str));
            let hint = near.map_or_else(String::new, |near| format!(" Did you mean {near}?"));
            let list = if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") };
            return Verdict::Refuse(format!("There is no tool {:?}.{hint} Those there are: {list}.", call.name));
        };
        if call.arguments.len() > limits::TOOL_ARGUMENTS_BYTES {
            let most = limits::TOOL_ARGUMENTS_BYTES;
            return Verdict::Refuse(format!("The arguments are over {most} bytes, so nothing was run. Send less."));
        }
        match serde_json::from_str::<serde_json::Value>(arguments(call)) {
            Ok(value) if value.is_object() => Verdict::Run(tool),
            Ok(_) => Verdict::Refuse("The arguments are no JSON object, so nothing was run. Write one.".to_owned()),
            Err(error) => {
                Verdict::Refuse(format!("The arguments are no JSON ({error}), so nothing was run. Write them again."))
            }
        }
    }

    /// Whether a call that was cut off may run again: it could not have run, or its tool says so. Who was allowed it when
    /// it ran does not matter.
    pub fn may_run_again(&self, call: &ToolCall) -> bool {
        match self.check(call, std::slice::from_ref(&call.name)) {
            Verdict::Run(tool) => tool.repeatable(),
            Verdict::Refuse(_) => true,
        }
    }

    /// Carries out a call, for as long as its tool may take. A tool that panics costs this call only.
    pub async fn call(&self, call: ToolCall, allowed: &[String], key: &str) -> ToolResult {
        let tool = match self.check(&call, allowed) {
            Verdict::Run(tool) => tool.clone(),
            Verdict::Refuse(why) => return ToolResult { call, state: ToolState::Failed, text: why, ms: 0 },
        };
        let since = Instant::now();
        Point::ToolBefore.pass();
        let arguments = arguments(&call);
        let run = AssertUnwindSafe(async { tool.run(arguments, key).await }).catch_unwind();
        let ended = timeout(tool.limit(), run).await;
        // Of a tool that may have done something before it was cut off, nobody knows.
        let cut_off = if tool.repeatable() { ToolState::Failed } else { ToolState::Unknown };
        let doubt = if tool.repeatable() { "" } else { " It is not known whether it had an effect." };
        let (state, text) = match ended {
            Ok(Ok(Ok(said))) => (ToolState::Done, said),
            Ok(Ok(Err(why))) => (ToolState::Failed, why),
            Ok(Err(_)) => (cut_off, format!("The tool crashed.{doubt}")),
            Err(_) => {
                let seconds = tool.limit().as_secs_f64();
                (cut_off, format!("The tool did not answer within {seconds} s and was cut off.{doubt}"))
            }
        };
        Point::ToolAfter.pass();
        let ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        ToolResult { text: within_bounds(text), call, state, ms }
    }
}

/// The arguments as a model means them: one that has none to give may write nothing.
fn arguments(call: &ToolCall) -> &str {
    if call.arguments.trim().is_empty() { "{}" } else { &call.arguments }
}

/// As much of a result as a model is told.
fn within_bounds(text: String) -> String {
    let most = limits::TOOL_RESULT_BYTES;
    if text.len() <= most {
        return text;
    }
    let (all, end) = (text.len(), text.floor_char_boundary(most));
    format!("{}\n[Cut: the tool said {all} bytes; these are the first {end}.]", &text[..end])
}

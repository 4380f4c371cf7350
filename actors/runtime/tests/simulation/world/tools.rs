//! Tools that work, fail, hang and panic as the seed says, and how often each call of them ran.

use std::sync::Arc;
use std::time::Duration;

use mosaic_tools::{Tool, Tools, Work};
use mosaic_types::chat::{ChatEvent, ChatMessage, StopReason, ToolOffer};
use mosaic_types::{Role, Usage};

use super::World;
use super::dice::Dice;
use super::store::lock;

/// Names that agents may use, when the plan has tools.
pub(crate) const NAMES: [&str; 2] = ["again", "once"];

/// What a model may say when it asks for tools.
pub(super) const BESIDE: &str = "let me see";

/// Model calls of a turn, at the most.
pub(crate) const STEPS: u32 = 4;

struct Deed {
    name: &'static str,
    world: Arc<World>,
}

/// The tools of a world.
pub(crate) fn all(world: &Arc<World>) -> Tools {
    Tools::of(NAMES.map(|name| Arc::new(Deed { name, world: world.clone() }) as Arc<dyn Tool>))
}

impl Tool for Deed {
    fn offer(&self) -> ToolOffer {
        let parameters = serde_json::json!({"type": "object"});
        ToolOffer { name: self.name.to_owned(), description: String::new(), parameters }
    }

    fn repeatable(&self) -> bool {
        self.name == "again"
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(3)
    }

    fn run<'a>(&'a self, _: &'a str, key: &'a str) -> Work<'a> {
        Box::pin(async move {
            let world = &self.world;
            if lock(&world.tables).has_result(key) {
                world.broken(&format_args!("C4: {key} has its result, and runs again"));
            }
            let runs = world.ran(key);
            world.note(&format_args!("{} runs, {key}, for the {runs}. time", self.name));
            if runs > 1 {
                world.count("tools: calls that ran again");
                if !self.repeatable() {
                    world.broken(&format_args!("C4: {key} may run once, and ran {runs} times"));
                }
            }
            let calm = world.is_calm();
            let (how, takes) = world.tool(|dice, plan| {
                let how = if dice.happens(plan.bad_calls.min(300)) { dice.within(1..=3) } else { 0 };
                let slow = dice.happens(200);
                (how, dice.millis(0..=if slow { 2_000 } else { 30 }))
            });
            tokio::time::sleep(takes).await;
            match how {
                1 if !calm => {
                    world.count("tools: calls that failed");
                    Err("planted".to_owned())
                }
                2 if !calm => {
                    world.count("tools: calls that hang");
                    std::future::pending().await
                }
                3 if !calm => {
                    world.count("tools: panics");
                    panic!("planted in a tool")
                }
                _ => {
                    world.count("tools: calls that went well");
                    Ok(format!("did {key}"))
                }
            }
        })
    }
}

/// What a model may ask for: mostly what there is, now and then what makes no sense.
pub(crate) fn asked(dice: &mut Dice) -> Vec<ChatEvent> {
    let mut events = Vec::new();
    if dice.happens(300) {
        events.push(ChatEvent::Text(BESIDE.to_owned()));
    }
    for index in 0..u32::try_from(dice.within(1..=3)).expect("small") {
        let name = *dice.pick(&["again", "again", "once", "once", "nobody's"]);
        let id = match dice.within(0..=5) {
            0 => String::new(),
            1 => "same".to_owned(),
            _ => format!("c{:x}", dice.roll()),
        };
        let arguments = (*dice.pick(&["{}", "{}", "{}", "", "{\"a\":", "[]"])).to_owned();
        let (id, name) = (Some(id), Some(name.to_owned()));
        events.push(ChatEvent::ToolCall { index, id, name, arguments, signature: None });
    }
    let (stop_reason, usage) = (StopReason::ToolCalls, Some(Usage::new(3, 5)));
    events.push(ChatEvent::Finished { stop_reason, usage, model: None });
    events
}

/// Whether every call of a request has one result right behind it, and its own (I5).
pub(crate) fn are_paired(said: &[&ChatMessage]) -> bool {
    let mut waits = Vec::new();
    for message in said {
        if message.role == Role::Tool {
            let Some(id) = message.tool_call_id.as_deref() else { return false };
            if waits.is_empty() || waits.remove(0) != id {
                return false;
            }
            if message.text.starts_with("did ") && !message.text.ends_with(&format!(".{id}")) {
                return false;
            }
        } else {
            if !waits.is_empty() {
                return false;
            }
            waits.extend(message.tool_calls.iter().map(|call| call.id.as_str()));
        }
    }
    waits.is_empty()
}

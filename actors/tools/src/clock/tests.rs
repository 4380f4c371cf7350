use std::sync::Arc;

use mosaic_types::chat::ToolCall;
use mosaic_types::{Chance, Clock as Time, Outside, Timestamp, ToolState, limits};

use super::Clock;
use crate::{Tool, Tools, Work};

struct Still;

impl Time for Still {
    fn now(&self) -> Timestamp {
        "2026-07-01T23:30:05.9Z".parse().expect("a moment")
    }
}

impl Chance for Still {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

fn call(name: &str, arguments: &str) -> ToolCall {
    ToolCall { id: "c".into(), name: name.into(), arguments: arguments.into(), signature: None }
}

/// Misbehaves in the way that its name says.
struct Odd(&'static str, bool);

impl Tool for Odd {
    fn offer(&self) -> mosaic_types::chat::ToolOffer {
        let parameters = serde_json::json!({"type": "object"});
        mosaic_types::chat::ToolOffer { name: self.0.to_owned(), description: String::new(), parameters }
    }

    fn repeatable(&self) -> bool {
        self.1
    }

    fn run<'a>(&'a self, _: &'a str, _: &'a str) -> Work<'a> {
        match self.0 {
            "stall" => Box::pin(std::future::pending()),
            "flood" => Box::pin(std::future::ready(Ok("é".repeat(limits::TOOL_RESULT_BYTES)))),
            _ => Box::pin(async { panic!("planted") }),
        }
    }
}

fn tools(repeatable: bool) -> (Tools, Vec<String>) {
    let clock: Arc<dyn Tool> = Arc::new(Clock::new(Outside::new(Arc::new(Still), Arc::new(Still))));
    let odd = ["stall", "flood", "panic"].map(|name| Arc::new(Odd(name, repeatable)) as Arc<dyn Tool>);
    let allowed = ["clock", "stall", "flood", "panic"].map(str::to_owned);
    (Tools::of([clock].into_iter().chain(odd)), allowed.into())
}

async fn said(name: &str, arguments: &str) -> (ToolState, String) {
    let (tools, allowed) = tools(true);
    let result = tools.call(call(name, arguments), &allowed, "k").await;
    (result.state, result.text)
}

#[tokio::test]
async fn the_clock_tells_the_time_in_the_zone_that_is_asked_for() {
    let told = |text: &str| (ToolState::Done, text.to_owned());
    assert_eq!(said("clock", "").await, told("Wednesday, 2026-07-01T23:30:05Z (UTC)"));
    let berlin = told("Thursday, 2026-07-02T01:30:05+02:00 (Europe/Berlin)");
    assert_eq!(said("clock", r#"{"zone":"Europe/Berlin"}"#).await, berlin);
    let (state, why) = said("clock", r#"{"zone":"Mars/North"}"#).await;
    assert_eq!(state, ToolState::Failed);
    assert_eq!(why, "There is no time zone \"Mars/North\". Write a name of the IANA list, as in Europe/Berlin.");
}

#[tokio::test]
async fn what_a_model_wrote_wrong_is_answered_with_what_to_do() {
    let wrong = [
        ("clok", "{}", "There is no tool \"clok\". Did you mean clock? Those there are: clock, stall, flood, panic."),
        ("clock", "[1]", "The arguments are no JSON object, so nothing was run. Write one."),
        ("clock", "{\"zone\":", "so nothing was run. Write them again."),
        ("clock", "{\"town\":1}", "The arguments are wrong: unknown field `town`, expected `zone`"),
    ];
    for (name, arguments, why) in wrong {
        let (state, said) = said(name, arguments).await;
        assert!(state == ToolState::Failed && said.contains(why), "{said}");
    }
    let long = format!("{{\"zone\":\"{}\"}}", "x".repeat(limits::TOOL_ARGUMENTS_BYTES));
    assert!(said("clock", &long).await.1.contains("so nothing was run. Send less."));
    let (tools, _) = tools(false);
    assert!(tools.call(call("clock", "{}"), &[], "k").await.text.ends_with("Those there are: none."), "not listed");
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_hangs_panics_or_says_too_much_costs_only_its_call() {
    for (repeatable, state) in [(true, ToolState::Failed), (false, ToolState::Unknown)] {
        let (tools, allowed) = tools(repeatable);
        for (name, why) in [("stall", "did not answer within 30 s and was cut off."), ("panic", "The tool crashed.")] {
            let result = tools.call(call(name, "{}"), &allowed, "k").await;
            assert_eq!(result.state, state, "{name}");
            assert!(result.text.contains(why), "{}", result.text);
            assert_eq!(result.text.contains("not known whether it had an effect"), !repeatable);
            assert_eq!(tools.may_run_again(&call(name, "{}")), repeatable);
            assert!(tools.may_run_again(&call(name, "{")), "nothing can have happened");
        }
        let flood = tools.call(call("flood", "{}"), &allowed, "k").await;
        assert!(flood.text.len() < limits::TOOL_RESULT_BYTES + 100 && flood.state == ToolState::Done);
        assert!(flood.text.ends_with("[Cut: the tool said 65536 bytes; these are the first 32768.]"));
    }
}

//! The table of one agent, `[agents.NAME]`.

use std::time::Duration;

pub use mosaic_types::routing::Strategy;
use mosaic_types::settings::Section;
use mosaic_types::{ModelRef, QueueMode};

/// What an agent is told of itself when its table says nothing.
pub const SYSTEM: &str = "You are a helpful assistant.";

/// Tokens of context sent with a call, at the most. 32,000 hold some fifty pages of dialogue and bound the price of a
/// turn in a long session to about a cent with a small model; what fits a model's window is the runtime's to see to.
pub const CONTEXT_TOKENS: u64 = 32_000;

/// A race's second model is asked when the first has said nothing for so long. A second is what people hardly notice,
/// and most first words come earlier, so that the second call is seldom paid for.
pub const RACE_AFTER: Duration = Duration::from_secs(1);

/// Models of a race that are asked at once, at the most.
pub const RACE_WIDTH: u64 = 2;

/// Model calls of one turn, at the most. Sixteen let a model look around, and bound what a turn costs that goes in circles.
pub const MAX_STEPS: u64 = 16;

/// Which tools an agent may use. None that is not listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolUse {
    /// By their names, in the order in which models are told of them.
    pub allowed: Vec<String>,
    /// Model calls of a turn that asks for tools; in the last of them no tool may be asked for.
    pub max_steps: u32,
}

impl Default for ToolUse {
    fn default() -> Self {
        Self { allowed: Vec::new(), max_steps: u32::try_from(MAX_STEPS).expect("16 fits") }
    }
}

/// How an agent uses its models, with what that takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fanout {
    pub strategy: Strategy,
    /// Head start of each model of a race before the next; zero: all begin at once.
    pub race_after: Duration,
    /// Models of a race that are under way at once, at the most.
    pub race_width: usize,
    /// Who writes a panel's answer; `None`: the first of the agent's models.
    pub judge: Option<ModelRef>,
}

impl Default for Fanout {
    fn default() -> Self {
        let race_width = usize::try_from(RACE_WIDTH).expect("2 fits");
        Self { strategy: Strategy::default(), race_after: RACE_AFTER, race_width, judge: None }
    }
}

/// One configured agent.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentConfig {
    /// In order of preference; empty: decided at start from the providers there are.
    pub models: Vec<ModelRef>,
    pub fanout: Fanout,
    /// What becomes of a message that comes while a turn runs, where the message does not say.
    pub queue: QueueMode,
    /// The system prompt; empty sends none.
    pub system: String,
    /// Context sent with a call, at the most, in tokens.
    pub context_tokens: u64,
    /// Length of one answer, at the most, in tokens; `None` leaves it to the provider.
    pub max_output_tokens: Option<u64>,
    /// From 0 to 2; `None` leaves it to the provider.
    pub temperature: Option<f64>,
    /// Exactly the same question of the same user is answered as before, within the bounds of `[reuse]`.
    pub reuse: bool,
    /// Whether tools of these names exist is not seen from here.
    pub tools: ToolUse,
}

impl Default for AgentConfig {
    fn default() -> Self {
        Self {
            models: Vec::new(),
            fanout: Fanout::default(),
            queue: QueueMode::default(),
            system: SYSTEM.to_owned(),
            context_tokens: CONTEXT_TOKENS,
            max_output_tokens: None,
            temperature: None,
            reuse: false,
            tools: ToolUse::default(),
        }
    }
}

impl AgentConfig {
    /// Reads the table. Whether the models' providers exist is not seen from here.
    pub fn read(section: &Section<'_>) -> Self {
        let config = Self {
            models: section.list_of("models"),
            fanout: read_fanout(section),
            queue: section.one_of("queue", &QueueMode::NAMED),
            system: section.text("system", SYSTEM),
            context_tokens: section.whole("context_tokens", CONTEXT_TOKENS, 256..=100_000_000),
            max_output_tokens: section.opt_whole("max_output_tokens", 1..=10_000_000),
            temperature: section.opt_real("temperature", 0.0..=2.0),
            reuse: section.flag("reuse", false),
            tools: ToolUse {
                allowed: section.list_of_text("tools"),
                max_steps: u32::try_from(section.whole("max_steps", MAX_STEPS, 2..=100)).expect("the range fits"),
            },
        };
        if config.reuse && config.temperature.is_some_and(|temperature| temperature > 0.0) {
            section.wrong(
                "reuse",
                "a temperature above 0 asks for chance, so nothing would be given again; leave one out",
            );
        }
        config
    }
}

fn read_fanout(section: &Section<'_>) -> Fanout {
    let second = Duration::ZERO..=Duration::from_secs(60);
    let judge = section.opt_parsed("judge", "a model is written provider/model, as in openai/gpt-5-mini");
    Fanout {
        strategy: section.one_of("strategy", Strategy::NAMED),
        race_after: section.span("race_after", RACE_AFTER, second),
        race_width: usize::try_from(section.whole("race_width", RACE_WIDTH, 2..=8)).expect("the range fits"),
        judge,
    }
}

#[cfg(test)]
mod tests {
    use mosaic_types::settings::Settings;

    use super::*;

    fn read(text: &str) -> Result<AgentConfig, String> {
        let settings = Settings::parse(text, "config.toml").expect("valid TOML");
        let config = AgentConfig::read(&settings.root());
        settings.finish().map(|_| config).map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn an_empty_table_is_an_agent_with_every_default() {
        assert_eq!(read(""), Ok(AgentConfig::default()));
    }

    #[test]
    fn a_full_table_is_read() {
        let text = r#"
            models = ["openai/gpt-5-mini", "router/meta/llama-3"]
            strategy = "panel"
            race_after = "250ms"
            race_width = 3
            judge = "openai/gpt-5"
            queue = "steer"
            system = ""
            context_tokens = 4096
            max_output_tokens = 500
            temperature = 0
            reuse = true
            tools = ["clock"]
            max_steps = 4
        "#;
        let models = ["openai/gpt-5-mini", "router/meta/llama-3"].map(|model| model.parse().expect("valid"));
        let expected = AgentConfig {
            models: models.into(),
            fanout: Fanout {
                strategy: Strategy::Panel,
                race_after: Duration::from_millis(250),
                race_width: 3,
                judge: Some("openai/gpt-5".parse().expect("valid")),
            },
            queue: QueueMode::Steer,
            system: String::new(),
            context_tokens: 4096,
            max_output_tokens: Some(500),
            temperature: Some(0.0),
            reuse: true,
            tools: ToolUse { allowed: vec!["clock".to_owned()], max_steps: 4 },
        };
        assert_eq!(read(text), Ok(expected));
    }

    #[test]
    fn what_is_wrong_with_an_agent_is_told_in_whole() {
        let text = "models = [\"gpt-5-mini\"]\nstrategy = \"pannel\"\ncontext_tokens = 1\ntemperature = 3\n\
                    max_steps = 1\nsytem = \"\"\nqueue = \"colect\"\n";
        assert_eq!(
            read(text).expect_err("much is wrong"),
            "config.toml:1: models: found \"gpt-5-mini\"; a model is written provider/model, as in openai/gpt-5-mini\n\
             config.toml:2: strategy: found \"pannel\"; did you mean \"panel\"?\n\
             config.toml:3: context_tokens: found 1; a whole number from 256 to 100000000 is wanted\n\
             config.toml:4: temperature: found 3; a number from 0 to 2 is wanted\n\
             config.toml:5: max_steps: found 1; a whole number from 2 to 100 is wanted\n\
             config.toml:6: sytem: unknown key; did you mean \"system\"?\n\
             config.toml:7: queue: found \"colect\"; did you mean \"collect\"?"
        );
    }
}

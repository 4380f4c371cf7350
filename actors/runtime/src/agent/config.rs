//! The table of one agent, `[agents.NAME]`.

use mosaic_types::settings::Section;
use mosaic_types::{ModelRef, QueueMode};

/// What an agent is told of itself when its table says nothing.
pub const SYSTEM: &str = "You are a helpful assistant.";

/// Tokens of context sent with a call, at the most. 32,000 hold some fifty pages of dialogue and bound the price of a
/// turn in a long session to about a cent with a small model; what fits a model's window is the runtime's to see to.
pub const CONTEXT_TOKENS: u64 = 32_000;

/// How an agent uses its models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// The first healthy model that answers, in order.
    #[default]
    Fallback,
}

/// One configured agent.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentConfig {
    /// In order of preference; empty: decided at start from the providers there are.
    pub models: Vec<ModelRef>,
    pub strategy: Strategy,
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
}

impl Default for AgentConfig {
    fn default() -> Self {
        Self {
            models: Vec::new(),
            strategy: Strategy::default(),
            queue: QueueMode::default(),
            system: SYSTEM.to_owned(),
            context_tokens: CONTEXT_TOKENS,
            max_output_tokens: None,
            temperature: None,
        }
    }
}

impl AgentConfig {
    /// Reads the table. Whether the models' providers exist is not seen from here.
    pub fn read(section: &Section<'_>) -> Self {
        let config = Self {
            models: section.list_of("models"),
            strategy: read_strategy(section),
            queue: section.one_of("queue", &QueueMode::NAMED),
            system: section.text("system", SYSTEM),
            context_tokens: section.whole("context_tokens", CONTEXT_TOKENS, 256..=100_000_000),
            max_output_tokens: section.opt_whole("max_output_tokens", 1..=10_000_000),
            temperature: section.opt_real("temperature", 0.0..=2.0),
        };
        if !section.list_of_text("tools").is_empty() {
            section.wrong("tools", "there are no tools in this build yet; leave the list empty");
        }
        config
    }
}

fn read_strategy(section: &Section<'_>) -> Strategy {
    /// Designed, and not built yet: a person who writes one has not misspelt it.
    const LATER: &[&str] = &["race", "compare", "panel"];
    let known = &[("fallback", Strategy::Fallback)];
    if section.peek_text("strategy").is_some_and(|name| LATER.contains(&name)) {
        section.wrong("strategy", "not in this build yet, which knows \"fallback\"");
        return Strategy::Fallback;
    }
    section.one_of("strategy", known)
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
            strategy = "fallback"
            queue = "steer"
            system = ""
            context_tokens = 4096
            max_output_tokens = 500
            temperature = 1
            tools = []
        "#;
        let models = ["openai/gpt-5-mini", "router/meta/llama-3"].map(|model| model.parse().expect("valid"));
        let expected = AgentConfig {
            models: models.into(),
            queue: QueueMode::Steer,
            system: String::new(),
            context_tokens: 4096,
            max_output_tokens: Some(500),
            temperature: Some(1.0),
            ..AgentConfig::default()
        };
        assert_eq!(read(text), Ok(expected));
    }

    #[test]
    fn what_is_wrong_with_an_agent_is_told_in_whole() {
        let text = "models = [\"gpt-5-mini\"]\nstrategy = \"panel\"\ncontext_tokens = 1\ntemperature = 3\n\
                    tools = [\"clock\"]\nsytem = \"\"\nqueue = \"colect\"\n";
        assert_eq!(
            read(text).expect_err("much is wrong"),
            "config.toml:1: models: found \"gpt-5-mini\"; a model is written provider/model, as in openai/gpt-5-mini\n\
             config.toml:2: strategy: found \"panel\"; not in this build yet, which knows \"fallback\"\n\
             config.toml:3: context_tokens: found 1; a whole number from 256 to 100000000 is wanted\n\
             config.toml:4: temperature: found 3; a number from 0 to 2 is wanted\n\
             config.toml:5: tools: found a list; there are no tools in this build yet; leave the list empty\n\
             config.toml:6: sytem: unknown key; did you mean \"system\"?\n\
             config.toml:7: queue: found \"colect\"; did you mean \"collect\"?"
        );
    }
}

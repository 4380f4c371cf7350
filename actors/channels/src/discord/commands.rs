//! Slash commands, from the one registry.

use mosaic_types::command::{COMMANDS, Command};
use reqwest::Method;
use serenity::builder::{CreateCommand, CreateCommandOption};
use serenity::model::application::CommandOptionType;

use super::Inner;

/// Characters of a command's and an option's description, at the most (API reference, "Application Command Structure").
const HELP_CHARS: usize = 100;

impl Inner {
    /// Publishes the commands, once a life. A bot that may not is none the worse.
    pub(super) async fn publish(&self, application: u64) {
        if self.published.get() {
            return;
        }
        let commands: Vec<CreateCommand> = COMMANDS.iter().map(command).collect();
        match self.rest.call(Method::PUT, &format!("applications/{application}/commands"), Some(&commands)).await {
            Ok(_) => self.published.set(true),
            Err(_) => tracing::debug!("the commands could not be published"),
        }
    }
}

fn command(command: &Command) -> CreateCommand {
    let short = |text: &str| text.chars().take(HELP_CHARS).collect::<String>();
    let made = CreateCommand::new(command.name).description(short(command.help));
    match argument(command.usage) {
        // Whatever follows the name is one text, and read as it is read everywhere.
        Some(name) => {
            let option = CreateCommandOption::new(CommandOptionType::String, name, short(command.usage));
            made.add_option(option.required(false))
        }
        None => made,
    }
}

/// What is typed after a command, by a name that Discord takes: lower case, without a space.
fn argument(usage: &str) -> Option<String> {
    let (_, rest) = usage.split_once(['[', '<'])?;
    let name = rest.split(|char: char| !(char.is_alphanumeric() || char == '/')).next()?.rsplit('/').next()?;
    (!name.is_empty()).then(|| name.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_published_as_discord_takes_it() {
        for known in COMMANDS {
            let made = serde_json::to_value(command(known)).expect("JSON");
            let name = |name: &str| {
                (1..=32).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
            };
            let help = |help: &str| (1..=HELP_CHARS).contains(&help.chars().count());
            assert!(name(made["name"].as_str().expect("a name")) && help(made["description"].as_str().expect("help")));
            for option in made["options"].as_array().expect("a list") {
                assert!(name(option["name"].as_str().expect("a name")), "{option}");
                assert!(option["type"] == 3 && option["required"] == false, "{option}");
                assert!(help(option["description"].as_str().expect("help")), "{option}");
            }
        }
    }

    #[test]
    fn what_follows_a_command_has_a_name() {
        assert_eq!(argument("/stop"), None);
        assert_eq!(argument("/history [N]").as_deref(), Some("n"));
        assert_eq!(argument("/model [PROVIDER/MODEL | auto]").as_deref(), Some("model"));
    }
}

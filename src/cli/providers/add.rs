//! A provider added by hand: its key asked for, tried, and written to the home.

use std::io::{IsTerminal, Read};
use std::path::Path;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use mosaic_providers::config::{KINDS, Kind};
use mosaic_providers::{ProviderSpec, registry};
use mosaic_runtime::AgentProfile;
use mosaic_types::{Code, ModelRef, ProviderName, Secret};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::test::{Reached, Spinner, ask};
use crate::app;
use crate::cli::client::Client;
use crate::cli::output::{note, one_line, print};
use crate::cli::{CliError, Common};
use crate::config::edit::{Added, EditError, NewProvider, add_model, add_provider};
use crate::config::{Config, FILE, clean_key};
use crate::home::Home;
use crate::setup::{Wish, base_url, first_model};

/// Bytes read of a key that is piped in; the longest keys known have some hundreds.
const KEY_BYTES: u64 = 16 * 1024;

#[derive(Debug, Args)]
#[command(after_help = "The key is asked for without echo, or read from stdin where something is piped in:\n\
    \x20 mosaic providers add openai\n\
    \x20 mosaic providers add openrouter < key.txt\n\
    \x20 mosaic providers add openai --name work --base-url https://llm.example.com/v1")]
pub(super) struct Add {
    /// What it is; `openai` with --base-url is any server that speaks OpenAI's wire, `azure` always takes one
    #[arg(value_parser = kinds())]
    kind: Kind,
    /// Its name here, as in NAME/MODEL [default: the kind]
    #[arg(long)]
    name: Option<ProviderName>,
    /// Its address, up to what stands before /chat/completions
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Keep it without trying it
    #[arg(long)]
    no_test: bool,
    /// Set it anew if one of that name is there
    #[arg(long)]
    replace: bool,
}

fn kinds() -> impl TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(KINDS.iter().map(|kind| kind.name))
        .try_map(|name| Kind::find(&name).ok_or("not a kind of provider"))
}

pub(super) async fn run(common: Common, add: Add) -> Result<(), CliError> {
    let home = common.home()?;
    if let Some(named) = common.config.as_deref().filter(|named| !same_file(named, &home.path().join(FILE))) {
        let (named, file) = (named.display(), home.path().join(FILE).display().to_string());
        let sentence =
            format!("this writes {file}, but the config in force is {named}: add the provider there by hand.");
        return Err(CliError::Usage(sentence));
    }
    let name = match &add.name {
        Some(name) => name.clone(),
        None => add.kind.name.parse().map_err(|error| CliError::Failed(format!("{error}")))?,
    };
    let base_url =
        base_url(add.base_url.as_deref().unwrap_or(add.kind.base_url), "--base-url").map_err(CliError::Usage)?;
    // A config with mistakes is not in the way: what is added may be what it lacks.
    let before = common.config(&home).ok();
    if !add.replace && before.as_ref().is_some_and(|config| config.providers.contains_key(&name)) {
        return Err(exists(&name));
    }

    let key = key(&name)?;
    // Nobody answers there without one, so nobody is asked.
    if key.is_none() && !add.no_test && add.kind.key_env.is_some() && base_url == add.kind.base_url {
        return Err(CliError::Usage(format!(
            "{name} wants a key, and none was given: type it where it is asked for, or pipe it in, as in `mosaic providers \
             add {} < key.txt`. Nothing was changed.",
            add.kind.name
        )));
    }
    if !add.replace
        && !add.no_test
        && let Some(client) = Client::of_home(&home)?
    {
        let wish = Wish { kind: add.kind, name: name.clone(), base_url: Some(base_url.clone()), key: key.clone() };
        if let Some(mut told) = there(&common, &home, &client, &wish).await? {
            told += &next(&common, &home, &name, before.as_ref(), true).await;
            return print(&told);
        }
    }
    let spec = ProviderSpec::new(name.clone(), base_url.clone(), key.clone());
    let provider = registry::build(add.kind.name, spec).map_err(CliError::Failed)?;
    let reached = if add.no_test {
        None
    } else {
        let _spinner = Spinner::new(&common, format!("asking {name} for its models"));
        Some(ask(&provider).await.map_err(|failure| {
            let message = failure.message;
            CliError::Failed(format!("{message} The provider was not added; --no-test adds it all the same."))
        })?)
    };

    let new = NewProvider {
        name: &name,
        kind: add.kind.name,
        base_url: (base_url != add.kind.base_url).then_some(base_url.as_str()),
        key: key.as_ref(),
    };
    let added = add_provider(home.path(), &new, add.replace).map_err(|error| match error {
        EditError::Exists(name) => exists(&name),
        other => other.into(),
    })?;
    if let Some(model) = first_model(add.kind, &base_url, reached.as_ref()) {
        add_model(&added.config, &name, model)?;
    }
    let mut told = tell(&name, &added, reached.as_ref());
    told += &next(&common, &home, &name, before.as_ref(), false).await;
    print(&told)
}

/// Has the daemon of this home do it, so that it is used at once; `None`: it cannot, and a restart is needed.
async fn there(common: &Common, home: &Home, client: &Client, wish: &Wish) -> Result<Option<String>, CliError> {
    #[derive(Deserialize)]
    struct Taken {
        models: Vec<String>,
    }
    let Wish { kind, name, base_url, key } = wish;
    let spinner = Spinner::new(common, format!("{} asks {name} for its models", client.base()));
    let begun = Instant::now();
    let key = key.as_ref().map(Secret::expose);
    let body = json!({"kind": kind.name, "name": name, "base_url": base_url, "api_key": key});
    let answer = client.try_post::<Taken>("/api/v1/providers", &body).await;
    drop(spinner);
    match answer? {
        Ok(Taken { models }) => {
            let added = Added {
                config: home.path().join(FILE),
                key: key.map(|_| home.path().join("keys").join(name.as_str())),
                replaced: false,
            };
            Ok(Some(tell(name, &added, Some(&Reached { models, took: begun.elapsed() }))))
        }
        // One that it found by itself, or it is on its way out: then it is written down for its next start.
        Err(failure) if matches!(failure.code, Code::Exists | Code::Draining | Code::Unavailable) => Ok(None),
        Err(failure) if failure.message.ends_with("The provider was not added.") => {
            Err(CliError::Failed(format!("{} With --no-test it is added all the same.", failure.message)))
        }
        Err(failure) => Err(failure.into()),
    }
}

fn same_file(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| std::fs::canonicalize(path).or_else(|_| std::path::absolute(path)).ok();
    whole(one) == whole(other)
}

fn exists(name: &ProviderName) -> CliError {
    CliError::Failed(format!(
        "the provider \"{name}\" is configured already. Pass --replace to set it anew, or --name to add another."
    ))
}

/// The key: asked for on a terminal, else read from stdin; nothing is no key.
fn key(name: &ProviderName) -> Result<Option<Secret>, CliError> {
    let stdin = std::io::stdin();
    let text = if stdin.is_terminal() {
        rpassword::prompt_password(format!("Key for {name} (it is not shown; Enter for none): "))
            .map_err(|error| CliError::Failed(format!("no key was read, and nothing was changed: {error}")))?
    } else {
        let mut text = String::new();
        let read = stdin.lock().take(KEY_BYTES).read_to_string(&mut text);
        read.map_err(|error| CliError::Failed(format!("cannot read the key from stdin: {error}")))?;
        text
    };
    if text.trim().is_empty() {
        return Ok(None);
    }
    clean_key(&text, "what was given as the key").map(Some).map_err(CliError::Failed)
}

fn tell(name: &ProviderName, added: &Added, reached: Option<&Reached>) -> String {
    let done = if added.replaced { "Set anew" } else { "Added" };
    let file = added.config.display();
    let mut text = match reached {
        Some(reached) => format!("{name} answers: {}.\n{done} in {file}.\n", reached.describe()),
        None => format!("{done} {name} in {file}, untried: `mosaic providers test {name}` tries it.\n"),
    };
    if let Some(key) = &added.key {
        text += &format!("Its key is in {}, which only you can read.\n", key.display());
    }
    text
}

/// What to do next, with the config as it is now. `used`: the daemon has it in use already.
async fn next(common: &Common, home: &Home, name: &ProviderName, before: Option<&Config>, used: bool) -> String {
    let Ok(config) = common.config(home) else {
        note("The config has mistakes elsewhere: `mosaic config check` tells them.");
        return String::new();
    };
    let mut text = String::new();
    if before.is_some_and(|before| before.detect && before.providers.is_empty()) {
        text += "From now on only providers of the config are used; none is looked for at the start.\n";
    }
    if let Ok((_, _, first)) = app::providers(&config, &common.env()).await {
        let agents = app::profiles(&config, &first);
        let asks = |agent: &AgentProfile| agent.models.iter().any(|model| model.provider == *name);
        text += &match agents.iter().find(|agent| agent.name == config.default_agent) {
            Some(agent) if asks(agent) => {
                let told = |model: &ModelRef| match model.is_auto() {
                    true => format!("the first model of {}", model.provider),
                    false => one_line(&model.to_string()),
                };
                let models: Vec<_> = agent.models.iter().map(told).collect();
                format!("The agent {} asks {}.\n", agent.name, models.join(", then "))
            }
            _ => format!("To use it, name it in an agent's models, as in models = [\"{name}/MODEL\"].\n"),
        };
    }
    text + &match home.daemon() {
        Some(daemon) if used => {
            format!("The daemon (pid {}) uses it from now on. Try it:  mosaic chat \"hello\"\n", daemon.pid)
        }
        Some(daemon) => format!("Restart the daemon (pid {}) to use it.\n", daemon.pid),
        None => "Try it:  mosaic chat \"hello\"\n".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn add(kind: &str) -> Add {
        let kind = Kind::find(kind).expect("a kind");
        Add { kind, name: None, base_url: None, no_test: false, replace: false }
    }

    fn lists(models: &[&str]) -> Reached {
        Reached { models: models.iter().map(|&id| id.to_owned()).collect(), took: Duration::ZERO }
    }

    #[test]
    fn the_usual_model_is_named_only_where_it_is_listed() {
        let (openai, gemini) = (add("openai"), add("gemini"));
        let (usual, url) = (openai.kind.first_model.expect("known"), openai.kind.base_url);
        assert_eq!(first_model(openai.kind, url, Some(&lists(&["dall-e-2", usual]))), Some(usual));
        assert_eq!(first_model(openai.kind, url, Some(&lists(&["dall-e-2"]))), None);
        assert_eq!(first_model(openai.kind, url, None), Some(usual));
        assert_eq!(first_model(openai.kind, "http://127.0.0.1:1/v1", None), None, "another server");
        let flash = gemini.kind.first_model.expect("known");
        let listed = lists(&["gemini-embedding-001", flash]);
        assert_eq!(first_model(gemini.kind, gemini.kind.base_url, Some(&listed)), Some(flash));
    }

    #[test]
    fn a_model_that_embeds_is_not_the_one_to_begin_with() {
        let ollama = add("ollama");
        let named =
            |models: &[&str]| first_model(ollama.kind, ollama.kind.base_url, Some(&lists(models))).map(str::to_owned);
        assert_eq!(named(&["nomic-embed-text", "llama3.2"]).as_deref(), Some("llama3.2"));
        assert_eq!(named(&["llama3.2", "nomic-embed-text"]), None);
        assert_eq!(named(&["nomic-embed-text"]), None);
    }

    #[test]
    fn an_address_is_what_the_config_would_take() {
        assert_eq!(base_url("http://127.0.0.1:1/v1/", "--base-url").expect("an address"), "http://127.0.0.1:1/v1");
        for bad in ["localhost:8080", "ftp://x", "https://x/v1#a", "https://me:hunter2@x/v1"] {
            let told = base_url(bad, "--base-url").expect_err(bad);
            assert!(told.starts_with("--base-url: ") && !told.contains("hunter2"), "{told}");
        }
    }
}

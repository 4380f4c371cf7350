//! The table of one provider, `[providers.NAME]`.

use std::collections::BTreeMap;
use std::time::Duration;

use mosaic_types::settings::Section;
use mosaic_types::usage::LongPrompt;
use mosaic_types::{Price, ProviderName, Secret};

use crate::openai::AZURE;
pub use crate::registry::{KINDS, Kind};
use crate::spec::{NamedKey, ProviderSpec};

/// Calls in flight at one provider. 64 keeps a household's sessions flowing and stays under the connection limits that
/// servers set by default.
const MAX_IN_FLIGHT: u64 = 64;

/// Silence between two stream events that is taken for a failure. Reasoning models pause for tens of seconds, yet
/// hardly for a minute without sending anything.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Keys of one provider, at the most.
const KEYS: usize = 16;

/// Where a provider's key is kept; the key itself never stands in the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// An environment variable, `api_key_env`.
    Variable(String),
    /// A file, `api_key_file`; a relative path starts at the home.
    File(String),
}

/// What is known of a model beforehand. Unknown models work, unpriced.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ModelConfig {
    /// The model's window, in tokens.
    pub context_tokens: Option<u64>,
    /// The limit of one answer, in tokens.
    pub output_tokens: Option<u64>,
    pub price: Option<Price>,
    /// Whether it takes pictures.
    pub vision: Option<bool>,
}

/// One configured provider.
#[derive(Debug, Clone, PartialEq)]
pub struct ProviderConfig {
    /// The name of one of [`KINDS`].
    pub kind: &'static str,
    /// An `http` or `https` address without a slash at its end.
    pub base_url: String,
    pub api_key: Option<Secret>,
    /// The variable or the file that the key is kept in; the key itself is nowhere shown.
    pub key_name: String,
    /// Further keys, used in turn with the first.
    pub more_keys: Vec<NamedKey>,
    /// Azure's version of its API, where one is named.
    pub api_version: Option<String>,
    /// Calls at once, at the most.
    pub max_in_flight: usize,
    /// Calls a minute, at the most; `None`: no bound of ours.
    pub requests_per_minute: Option<u64>,
    /// Tokens a minute, in and out, at the most; `None`: no bound of ours.
    pub tokens_per_minute: Option<u64>,
    /// A call fails when nothing came between two stream events for so long.
    pub idle_timeout: Duration,
    /// By the model's name at the provider.
    pub models: BTreeMap<String, ModelConfig>,
}

impl ProviderConfig {
    /// A provider with every default, as when one was found without being configured.
    pub fn new(kind: Kind, base_url: &str, api_key: Option<Secret>) -> Self {
        Self {
            kind: kind.name,
            base_url: base_url.trim_end_matches('/').to_owned(),
            api_key,
            key_name: "key".to_owned(),
            more_keys: Vec::new(),
            api_version: None,
            max_in_flight: usize::try_from(MAX_IN_FLIGHT).expect("64 fits"),
            requests_per_minute: None,
            tokens_per_minute: None,
            idle_timeout: IDLE_TIMEOUT,
            models: BTreeMap::new(),
        }
    }

    /// What an adapter of that name is built from.
    pub fn spec(&self, name: ProviderName) -> ProviderSpec {
        let window = |(model, config): (&String, &ModelConfig)| Some((model.clone(), config.context_tokens?));
        ProviderSpec {
            windows: self.models.iter().filter_map(window).collect(),
            api_version: self.api_version.clone(),
            key_name: self.key_name.clone(),
            more_keys: self.more_keys.clone(),
            ..ProviderSpec::new(name, self.base_url.clone(), self.api_key.clone())
        }
    }

    /// Reads the table. `fetch` gets a key from where it is kept, or says what would have to be so; its sentence must
    /// not repeat what the source says, since a key may have been written there by mistake.
    pub fn read(section: &Section<'_>, fetch: &dyn Fn(&KeySource) -> Result<Secret, String>) -> Self {
        let kind = read_kind(section);
        let mut keys = read_keys(section, fetch).into_iter();
        let first = keys.next();
        Self {
            kind: kind.name,
            base_url: read_base_url(section, kind),
            key_name: first.as_ref().map_or_else(|| "key".to_owned(), |first| first.name.clone()),
            api_key: first.map(|first| first.key),
            more_keys: keys.collect(),
            api_version: read_api_version(section, kind),
            max_in_flight: usize::try_from(section.whole("max_in_flight", MAX_IN_FLIGHT, 1..=10_000))
                .expect("the range fits"),
            requests_per_minute: section.opt_whole("requests_per_minute", 1..=10_000_000),
            tokens_per_minute: section.opt_whole("tokens_per_minute", 1..=100_000_000_000),
            idle_timeout: section.span(
                "idle_timeout",
                IDLE_TIMEOUT,
                Duration::from_millis(100)..=Duration::from_secs(3600),
            ),
            models: section.sections("models").into_iter().map(|(name, model)| (name, read_model(&model))).collect(),
        }
    }
}

fn read_kind(section: &Section<'_>) -> Kind {
    let name = section.text("kind", KINDS[0].name);
    Kind::find(&name).unwrap_or_else(|| {
        let names: Vec<String> = KINDS.iter().map(|kind| format!("{:?}", kind.name)).collect();
        section.wrong("kind", format!("this build knows {} (openai: any server that is compatible)", names.join(", ")));
        KINDS[0]
    })
}

fn read_base_url(section: &Section<'_>, kind: Kind) -> String {
    let text = section.text("base_url", kind.base_url);
    let good = reqwest::Url::parse(&text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.host().is_some()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    });
    if !good {
        let right =
            "an http or https address without user, password or query is wanted, as in \"https://api.openai.com/v1\"";
        section.wrong("base_url", right);
        return kind.base_url.to_owned();
    }
    text.trim_end_matches('/').to_owned()
}

fn read_api_version(section: &Section<'_>, kind: Kind) -> Option<String> {
    let version = section.opt_text("api_version")?;
    if kind.name != AZURE.name {
        section.wrong("api_version", format!("only the kind {:?} has versions", AZURE.name));
    }
    Some(version)
}

/// The keys of a provider, in the order in which they are named; one text is a list of one.
fn read_keys(section: &Section<'_>, fetch: &dyn Fn(&KeySource) -> Result<Secret, String>) -> Vec<NamedKey> {
    let texts = |key| {
        let alone = section.peek_text(key).is_some() || !section.given(key);
        if alone { section.opt_text(key).into_iter().collect() } else { section.list_of_text(key) }
    };
    let (variables, files): (Vec<String>, Vec<String>) = (texts("api_key_env"), texts("api_key_file"));
    if section.given("api_key_env") && section.given("api_key_file") {
        section.wrong("api_key_file", "set this or \"api_key_env\", not both");
        return Vec::new();
    }
    let key = if files.is_empty() { "api_key_env" } else { "api_key_file" };
    let named = if files.is_empty() { &variables } else { &files };
    if named.len() > KEYS {
        section.wrong(key, format!("a provider has {KEYS} keys at the most"));
        return Vec::new();
    }
    let mut keys = Vec::<NamedKey>::new();
    for (entry, name) in named.iter().enumerate() {
        let source = if files.is_empty() { KeySource::Variable(name.clone()) } else { KeySource::File(name.clone()) };
        match fetch(&source) {
            Ok(_) if keys.iter().any(|known| known.name == *name) => {
                section.wrong_entry(key, entry, "it is named twice");
            }
            Ok(secret) => keys.push(NamedKey { name: name.clone(), key: secret }),
            Err(right) => section.wrong_entry(key, entry, right),
        }
    }
    keys
}

fn read_model(section: &Section<'_>) -> ModelConfig {
    let price = |key| section.opt_real(key, 0.0..=100_000.0);
    let context_tokens = section.opt_whole("context_tokens", 1..=100_000_000);
    let output_tokens = section.opt_whole("output_tokens", 1..=100_000_000);
    let (cached_input_usd_per_mtok, cache_write_usd_per_mtok) =
        (price("cached_input_usd_per_mtok"), price("cache_write_usd_per_mtok"));
    let long_prompt = read_long_prompt(&section.section("long_prompt"));
    let price = match (price("input_usd_per_mtok"), price("output_usd_per_mtok")) {
        (Some(input), Some(output)) => Some(Price {
            cached_input_usd_per_mtok,
            cache_write_usd_per_mtok,
            long_prompt,
            ..Price::new(input, output)
        }),
        _ => None,
    };
    let priced = [section.given("input_usd_per_mtok"), section.given("output_usd_per_mtok")];
    if priced[0] != priced[1] {
        let missing = if priced[0] { "output_usd_per_mtok" } else { "input_usd_per_mtok" };
        section.wrong(missing, "a price has both \"input_usd_per_mtok\" and \"output_usd_per_mtok\"");
    }
    for cache in ["cached_input_usd_per_mtok", "cache_write_usd_per_mtok", "long_prompt"] {
        if section.given(cache) && !priced[0] && !priced[1] {
            section.wrong(cache, "it is a part of a price: set \"input_usd_per_mtok\" and \"output_usd_per_mtok\" too");
        }
    }
    ModelConfig { context_tokens, output_tokens, price, vision: section.opt_flag("vision") }
}

fn read_long_prompt(section: &Section<'_>) -> Option<LongPrompt> {
    let above_tokens = section.opt_whole("above_tokens", 1..=100_000_000);
    let times = |key| section.opt_real(key, 1.0..=1_000.0).unwrap_or(1.0);
    let (input_times, output_times) = (times("input_times"), times("output_times"));
    if above_tokens.is_none() && (section.given("input_times") || section.given("output_times")) {
        section.wrong("above_tokens", "say from which length on a prompt is a long one, as in above_tokens = 200000");
    }
    above_tokens.map(|above_tokens| LongPrompt { above_tokens, input_times, output_times })
}

#[cfg(test)]
mod tests {
    use mosaic_types::settings::Settings;

    use super::*;

    /// Knows one variable and one file.
    fn fetch(source: &KeySource) -> Result<Secret, String> {
        match source {
            KeySource::Variable(name) if name == "OPENAI_API_KEY" => Ok(Secret::new("from the environment")),
            KeySource::File(path) if path == "keys/openai" => Ok(Secret::new("from a file")),
            KeySource::Variable(_) => Err("no such variable".into()),
            KeySource::File(_) => Err("no such file".into()),
        }
    }

    fn read(text: &str) -> Result<ProviderConfig, String> {
        let settings = Settings::parse(text, "config.toml").expect("valid TOML");
        let config = ProviderConfig::read(&settings.root(), &fetch);
        settings.finish().map(|_| config).map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn an_empty_table_is_openai_with_every_default() {
        assert_eq!(read(""), Ok(ProviderConfig::new(KINDS[0], "https://api.openai.com/v1", None)));
    }

    #[test]
    fn a_full_table_is_read() {
        let text = r#"
            kind = "openai"
            base_url = "http://127.0.0.1:11434/v1/"
            api_key_file = "keys/openai"
            max_in_flight = 8
            requests_per_minute = 50
            tokens_per_minute = 30_000
            idle_timeout = "5m"
            [models."gpt-5-mini"]
            context_tokens = 400_000
            input_usd_per_mtok = 0.25
            output_usd_per_mtok = 2
            cached_input_usd_per_mtok = 0.025
            vision = false
            [models.local]
        "#;
        let config = read(text).expect("all is well");
        assert_eq!(config.base_url, "http://127.0.0.1:11434/v1");
        assert_eq!(config.api_key, Some(Secret::new("from a file")));
        assert_eq!((config.max_in_flight, config.idle_timeout), (8, Duration::from_secs(300)));
        assert_eq!((config.requests_per_minute, config.tokens_per_minute), (Some(50), Some(30_000)));
        let price = Price { cached_input_usd_per_mtok: Some(0.025), ..Price::new(0.25, 2.0) };
        let known =
            ModelConfig { context_tokens: Some(400_000), output_tokens: None, price: Some(price), vision: Some(false) };
        assert_eq!(config.models, [("gpt-5-mini".into(), known), ("local".into(), ModelConfig::default())].into());
        assert!(!format!("{config:?}").contains("from a file"));
    }

    #[test]
    fn a_price_of_long_prompts_is_read_and_what_is_missing_told() {
        let model = |more: &str| read(&format!("[models.m]\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 2\n{more}"));
        let config =
            model("output_tokens = 900\nlong_prompt = { above_tokens = 100, input_times = 2 }").expect("all is well");
        let long = LongPrompt { above_tokens: 100, input_times: 2.0, output_times: 1.0 };
        let known = config.models["m"];
        assert_eq!((known.output_tokens, known.price.expect("a price").long_prompt), (Some(900), Some(long)));
        let told = model("long_prompt = { input_times = 2 }").expect_err("from which length on?");
        assert!(told.contains("above_tokens = 200000"), "{told}");
        let told = read("[models.m]\nlong_prompt = { above_tokens = 100 }").expect_err("of which price?");
        assert!(told.contains("it is a part of a price"), "{told}");
    }

    #[test]
    fn several_keys_are_a_list_and_one_is_as_it_was() {
        let fetch = |source: &KeySource| match source {
            KeySource::Variable(name) if name.starts_with("KEY_") => Ok(Secret::new(format!("secret of {name}"))),
            _ => Err("no such variable".to_owned()),
        };
        let read = |text: &str| {
            let settings = Settings::parse(text, "config.toml").expect("valid TOML");
            let config = ProviderConfig::read(&settings.root(), &fetch);
            settings.finish().map(|_| config).map_err(|mistakes| mistakes.to_string())
        };
        let config = read("api_key_env = [\"KEY_A\", \"KEY_B\"]").expect("all is well");
        assert_eq!((config.api_key, config.key_name.as_str()), (Some(Secret::new("secret of KEY_A")), "KEY_A"));
        assert_eq!(config.more_keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(), ["KEY_B"]);
        assert!(!format!("{:?}", config.more_keys).contains("secret"));
        let alone = read("api_key_env = \"KEY_A\"").expect("all is well");
        assert!(alone.api_key.is_some() && alone.more_keys.is_empty());
        for (text, told) in [
            ("api_key_env = [\"KEY_A\", \"KEY_A\"]", "named twice"),
            ("api_key_env = [\"KEY_A\", \"sk-oops\"]", "no such variable"),
            ("api_key_env = [\"KEY_A\"]\napi_key_file = [\"b\"]", "not both"),
        ] {
            let wrong = read(text).expect_err(text);
            assert!(wrong.contains(told) && !wrong.contains("sk-oops"), "{wrong}");
        }
        let unset = read("api_key_env = [\"LAB_A\", \"LAB_B\"]").expect_err("neither is set");
        let named: Vec<_> = unset.lines().map(|line| line.contains("found \"LAB_")).collect();
        assert_eq!(named, [true, true], "each is told by its name: {unset}");
    }

    #[test]
    fn what_is_wrong_with_a_provider_is_told_in_whole() {
        let text = "kind = \"parrot\"\nbase_url = \"ftp://x\"\napi_key_env = \"A\"\napi_key_file = \"b\"\n\
                    max_in_flight = 0\nidle_timeout = 60\napi_key = \"sk-1\"\n[models.m]\ninput_usd_per_mtok = 1\n";
        assert_eq!(
            read(text).expect_err("much is wrong"),
            "config.toml:1: kind: found \"parrot\"; this build knows \"openai\", \"openai-responses\", \"anthropic\", \
             \"gemini\", \"ollama\", \"openrouter\", \"groq\", \"deepseek\", \"mistral\", \"xai\", \"zai\", \"azure\", \
             \"llamacpp\", \"lmstudio\", \"vllm\" (openai: any server that is compatible)\n\
             config.toml:2: base_url: found \"ftp://x\"; an http or https address without user, password or query is wanted, \
             as in \"https://api.openai.com/v1\"\n\
             config.toml:4: api_key_file: found a text; set this or \"api_key_env\", not both\n\
             config.toml:5: max_in_flight: found 0; a whole number from 1 to 10000 is wanted\n\
             config.toml:6: idle_timeout: found 60; add its unit, as in \"60s\" (ms, s, m, h or d)\n\
             config.toml:7: api_key: a secret is never written here; \
             name where it is kept in \"api_key_env\" or \"api_key_file\"\n\
             config.toml:8: models.m.output_usd_per_mtok: not set; \
             a price has both \"input_usd_per_mtok\" and \"output_usd_per_mtok\""
        );
    }

    #[test]
    fn a_key_that_cannot_be_had_is_a_mistake_that_does_not_repeat_its_name() {
        assert_eq!(
            read("api_key_env = \"gsk_123\"").expect_err("no key"),
            "config.toml:1: api_key_env: found a text; no such variable"
        );
    }

    #[test]
    fn an_address_with_credentials_is_refused_without_repeating_them() {
        let told = read("base_url = \"https://me:hunter2@host/v1\"").expect_err("holds a password");
        assert!(!told.contains("hunter2"), "{told}");
    }
}

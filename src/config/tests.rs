use std::net::SocketAddr;
use std::time::Duration;

use mosaic_runtime::agent::config::Fanout;
use tempfile::TempDir;

use super::*;

/// A home with this `config.toml`.
fn home(text: &str) -> TempDir {
    let home = tempfile::tempdir().expect("a folder");
    fs::write(home.path().join(FILE), text).expect("written");
    home
}

fn env(vars: &[(&str, &str)]) -> Env {
    vars.iter().copied().collect()
}

/// Loads this text and these variables; the home's path is left out of what is told.
fn load(text: &str, vars: &[(&str, &str)]) -> Result<Config, String> {
    let home = home(text);
    let folder = format!("{}/", home.path().display());
    Config::load(None, home.path(), &env(vars)).map_err(|error| error.to_string().replace(&folder, ""))
}

#[test]
fn an_empty_home_has_every_default() {
    let home = tempfile::tempdir().expect("a folder");
    let config = Config::load(None, home.path(), &Env::default()).expect("nothing can be wrong");
    assert_eq!(config.default_agent.as_str(), ASSISTANT);
    assert_eq!(config.agents, [(config.default_agent.clone(), AgentConfig::default())].into());
    assert!(config.detect && config.providers.is_empty() && config.file.is_none());
    assert_eq!(config.gateway, GatewayConfig::default());
    assert_eq!(config.store.place.file(), Some(&*home.path().join("mosaic.db")));
    assert_eq!(config.session, SessionConfig::default());
    assert_eq!(config.shutdown.grace, Duration::from_secs(30));
    assert_eq!((config.log.level, config.log.format), (tracing::Level::INFO, LogFormat::Text));
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let home = home("detect = false");
    let named = home.path().join("other.toml");
    let error = Config::load(Some(&named), home.path(), &Env::default()).expect_err("it is not there");
    assert_eq!(error.to_string(), format!("there is no config file {}", named.display()));
    fs::write(&named, "[log]\nlevel = \"debug\"").expect("written");
    let config = Config::load(Some(&named), home.path(), &Env::default()).expect("it is there");
    assert!(config.detect, "the home's own file is not read beside the one that was named");
    assert_eq!((config.log.level, config.file), (tracing::Level::DEBUG, Some(named)));
    let error = Config::load(Some(home.path()), home.path(), &Env::default()).expect_err("a folder is no file");
    assert!(matches!(error, ConfigError::Unreadable { .. }));
}

#[test]
fn the_environment_goes_over_the_file() {
    let vars = [("MOSAIC__GATEWAY__BIND", "127.0.0.1:0"), ("MOSAIC__AGENTS__ADA__SYSTEM", "Be brief.")];
    let config = load("[gateway]\nbind = \"127.0.0.1:1\"\nworkers = 3\n", &vars).expect("all is well");
    assert_eq!(config.gateway.bind, "127.0.0.1:0".parse::<SocketAddr>().expect("an address"));
    assert_eq!(config.gateway.workers, 3);
    assert_eq!(config.default_agent.as_str(), "ada", "the only agent there is");
}

#[test]
fn the_sample_is_what_is_there_without_it() {
    let config = load(SAMPLE, &[]).expect("the sample is right");
    let bare = load("", &[]).expect("nothing can be wrong");
    assert_eq!(config.gateway, bare.gateway);
    assert_eq!((config.log, config.shutdown, config.session), (bare.log, bare.shutdown, bare.session));
    assert_eq!((config.agents, config.detect), (bare.agents, bare.detect));
}

/// The sample with its examples switched on: a `#` without a space before a key or a table.
fn uncommented() -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(example) if !example.is_empty() && !example.starts_with(' ') => example.to_owned(),
        _ => line.to_owned(),
    };
    SAMPLE.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Writes the files that the examples name.
fn keep_keys(home: &Path) {
    for folder in ["keys", "tls"] {
        fs::create_dir(home.join(folder)).expect("a folder");
    }
    fs::write(home.join("keys/router"), "router-key\n").expect("written");
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a pair");
    fs::write(home.join("tls/cert.pem"), pair.cert.pem()).expect("written");
    fs::write(home.join("tls/key.pem"), pair.signing_key.serialize_pem()).expect("written");
}

#[test]
fn the_sample_is_right_with_its_examples_switched_on() {
    let home = home(&uncommented());
    keep_keys(home.path());
    let env = env(&[
        ("OPENAI_API_KEY", "openai-key"),
        ("AZURE_OPENAI_API_KEY", "azure-key"),
        ("TELEGRAM_TOKEN", "1:telegram-key"),
    ]);
    let config = Config::load(None, home.path(), &env).expect("the examples are right");
    let keys = config.providers.values().map(|provider| provider.api_key.as_ref().map(|key| key.expose()));
    assert_eq!(keys.collect::<Vec<_>>(), [Some("azure-key"), None, Some("openai-key"), Some("router-key")]);
    let agent = &config.agents[&config.default_agent];
    assert_eq!((agent.models.len(), agent.max_output_tokens), (2, Some(4096)));
    let fanout = Fanout { judge: None, ..agent.fanout.clone() };
    let written =
        AgentConfig { models: Vec::new(), fanout, max_output_tokens: None, temperature: None, ..agent.clone() };
    assert_eq!(written, AgentConfig::default(), "what the sample calls a default is one");
    let openai = &config.providers[&"openai".parse().expect("a name")];
    let (requests_per_minute, tokens_per_minute) = (None, None);
    let default = ProviderConfig::new(mosaic_providers::config::KINDS[0], "https://api.openai.com/v1", None);
    let written = ProviderConfig {
        api_key: None,
        key_name: default.key_name.clone(),
        models: BTreeMap::new(),
        requests_per_minute,
        tokens_per_minute,
        ..openai.clone()
    };
    assert_eq!(written, default);

    let names: Vec<_> = config.routing.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["code", "summary", "simple", "evening"]);

    let shown = config.to_toml();
    assert!(!shown.contains("openai-key") && !shown.contains("router-key"), "{shown}");
    assert!(!format!("{config:?}").contains("-key\""), "keys are redacted");
}

#[test]
fn every_key_of_the_build_stands_in_the_sample() {
    let home = home(&uncommented());
    keep_keys(home.path());
    let keys = [("OPENAI_API_KEY", "key"), ("AZURE_OPENAI_API_KEY", "key"), ("TELEGRAM_TOKEN", "1:key")];
    let config = Config::load(None, home.path(), &env(&keys)).expect("the examples are right");
    // One provider has all its keys; a rule has those that make it an example.
    let told_once = |path: &[String]| match path {
        [first, name, ..] if first == "providers" => name == "openai",
        [first, ..] => first != "routing",
        [] => false,
    };
    let missing: Vec<_> =
        config.effective.iter().filter(|shown| told_once(&shown.path) && shown.origin == "default").collect();
    assert!(missing.is_empty(), "missing from the sample: {missing:?}");
}

#[test]
fn what_does_not_fit_together_is_told_in_whole() {
    let text = r#"
default_agent = "adda"
chanels = 1

[store]
url = "postgres://me:hunter2@db/mosaic"

[bus]
url = "redis://:hunter2@cache"

[providers.openai]
api_key_env = "OPENAI_API_KEY"

[providers.file]
api_key_file = "keys/none"

[providers."bad name"]

[agents.ada]
models = ["opnai/gpt-5-mini", "openai/gpt-5-mini", "elsewhere/x"]

[agents.bob]

[channels.family]
kind = "telegramm"
token_env = "NOBODYS_TOKEN"
"#;
    assert_eq!(
        load(text, &[("MOSAIC__LOG__FORMAT", "jsn")]).expect_err("much is wrong"),
        "config.toml:2: default_agent: found \"adda\"; there is no such agent; did you mean \"ada\"?\n\
         config.toml:3: chanels: unknown key; did you mean \"channels\"?\n\
         config.toml:6: store.url: found a text; it holds a password; name a variable with password_env or a \
         file with password_file\n\
         config.toml:9: bus.url: found a text; joining several daemons is not in this build yet; leave it empty\n\
         config.toml:12: providers.openai.api_key_env: found \"OPENAI_API_KEY\"; this environment variable is not set; \
         leave the line out if no key is needed\n\
         config.toml:15: providers.file.api_key_file: found a text; this file cannot be read (No such file or directory \
         (os error 2)); a relative path starts at the home\n\
         config.toml:17: providers.\"bad name\": the name cannot be used; a provider's name is 1 to 64 characters of \
         A-Z a-z 0-9 _ -\n\
         config.toml:20: agents.ada.models: found \"opnai/gpt-5-mini\"; no provider \"opnai\" is configured; did you \
         mean \"openai\"?\n\
         config.toml:20: agents.ada.models: found \"elsewhere/x\"; no provider \"elsewhere\" is configured; add the \
         table [providers.elsewhere]\n\
         config.toml:25: channels.family.kind: found \"telegramm\"; this build knows \"discord\", \"telegram\"\n\
         config.toml:26: channels.family.token_env: found \"NOBODYS_TOKEN\"; this environment variable is not set\n\
         MOSAIC__LOG__FORMAT: log.format: found \"jsn\"; did you mean \"json\"?"
    );
}

#[test]
fn of_several_agents_the_assistant_answers_by_default_else_the_first_which_is_said() {
    let loaded = |text: &str| load(text, &[("MOSAIC__AGENTS__AAA__SYSTEM", "Brief.")]).expect("no mistake");
    let config = loaded("[agents.zoe]\n[agents.assistant]\n");
    assert_eq!(config.default_agent.as_str(), "assistant");
    assert!(config.to_toml().contains("default_agent = \"assistant\" # default: the agent of that name"));
    assert_eq!(config.doubts(&Env::default()), [""; 0]);
    let config = loaded("[agents.zoe]\n[agents.bob]\n");
    assert_eq!(config.default_agent.as_str(), "zoe", "the first of the file, whatever the alphabet says");
    let doubts = config.doubts(&Env::default());
    assert!(doubts.len() == 1 && doubts[0].contains("so zoe answers") && doubts[0].contains("Set default_agent"));
    let config = loaded("default_agent = \"bob\"\n[agents.ada]\n[agents.bob]\n");
    assert_eq!((config.default_agent.as_str(), config.doubts(&Env::default()).len()), ("bob", 0));
}

#[test]
fn a_key_is_trimmed_and_must_be_one() {
    let text = "[providers.x]\napi_key_env = \"X_KEY\"\n";
    let config = load(text, &[("X_KEY", " key \n")]).expect("a key");
    let key = config.providers.values().next().and_then(|provider| provider.api_key.as_ref());
    assert_eq!(key.map(|key| key.expose()), Some("key"));
    for (bad, told) in [("", "is not set"), ("a\nb", "cannot have"), ("a b", "cannot have"), ("ключ", "cannot have")]
    {
        let error = load(text, &[("X_KEY", bad)]).expect_err("no key");
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn a_key_in_the_place_of_its_variables_name_is_not_repeated() {
    let error = load("[providers.x]\napi_key_env = \"abcDEF123\"\n", &[]).expect_err("not a variable");
    assert!(!error.contains("abcDEF123"), "{error}");
    let error = load("[providers.x]\napi_key_file = \"abc/DEF123\"\n", &[]).expect_err("not a file");
    assert!(!error.contains("DEF123"), "{error}");
}

#[test]
fn what_is_in_force_shows_its_origin_and_loads_again() {
    let config = load("[gateway]\nworkers = 2\n", &[("MOSAIC__DETECT", "false")]).expect("all is well");
    let folder = config.file.as_deref().and_then(Path::parent).expect("a file was read").display().to_string();
    let shown = config.to_toml().replace(&format!("{folder}/"), "");
    let begin = "detect = false # MOSAIC__DETECT\ndefault_agent = \"assistant\" # default: the only agent there is\n\n\
                 [gateway]\nbind = \"127.0.0.1:14242\" # default\nworkers = 2 # config.toml:2\n";
    assert!(shown.starts_with(begin), "{shown}");
    let again = load(&config.to_toml(), &[]).expect("it is TOML");
    assert_eq!((again.gateway, again.detect), (config.gateway, false));
}

#[test]
fn the_password_of_a_database_is_kept_elsewhere() {
    let text = "[store]\nurl = \"postgres://ada@db:5433/mosaic?sslmode=verify-full\"\n";
    let kept = |more: &str, vars: &[(&str, &str)]| load(&format!("{text}{more}"), vars);
    let config = kept("", &[("PGPASSWORD", "hunter 2")]).expect("all is well");
    assert_eq!(config.store.place.to_string(), "postgres://ada@db:5433/mosaic");
    assert!(config.store.place.file().is_none() && config.store.place.is_server());
    let shown = format!("{}{config:?}", config.to_toml());
    assert!(!shown.contains("hunter"), "{shown}");
    kept("", &[]).expect("a server may want none");
    kept("password_env = \"DB\"\n", &[("DB", "hunter2\n")]).expect("all is well");
    for (more, vars, told) in [
        ("password_env = \"DB\"\n", &[][..], "not set"),
        ("password_env = \"DB\"\npassword_file = \"db\"\n", &[("DB", "x")], "not both"),
        ("password_file = \"db\"\n", &[], "cannot be read"),
        ("password = \"hunter2\"\n", &[], "a secret is never written here"),
    ] {
        let error = kept(more, vars).expect_err("is wrong");
        assert!(error.contains(told) && !error.contains("hunter2"), "{error}");
    }
    let error = load("[store]\npassword_env = \"DB\"\n", &[("DB", "x")]).expect_err("is wrong");
    assert!(error.contains("a SQLite file has no password"), "{error}");
}

#[test]
fn a_file_that_cannot_be_read_is_named_where_its_folder_is_there() {
    let home = home("[providers.x]\napi_key_file = \"keys/x\"\n");
    fs::create_dir(home.path().join("keys")).expect("made");
    let error = Config::load(None, home.path(), &Env::default()).expect_err("not a file").to_string();
    let told = format!("{} cannot be read (No such file", home.path().join("keys/x").display());
    assert!(error.contains(&told), "{error}");
}

#[test]
fn what_is_hardly_meant_is_told_and_nothing_else() {
    let doubts = |text: &str, vars: &[(&str, &str)]| {
        let env: Env = vars.iter().copied().collect();
        load(text, vars).expect("no mistake").doubts(&env)
    };
    let own = [("MOSAIC_HOME", "/h"), ("MOSAIC_LOG", "info"), ("MOSAIC__GATEWAY__WORKERS", "2"), ("LAB_KEY", "k")];
    assert_eq!(doubts("", &own), [""; 0]);
    let vars = [("MOSAIC_GATEWAY_BIND", "127.0.0.1:0"), ("MOSAIC_TOKE", "t"), ("MOSAIC_PORT", "tcp://10.0.0.1:80")];
    assert_eq!(
        doubts("", &vars),
        [
            "nothing reads the variable MOSAIC_GATEWAY_BIND; did you mean MOSAIC__GATEWAY__BIND?",
            "nothing reads the variable MOSAIC_TOKE; did you mean MOSAIC_TOKEN?",
        ]
    );
    let named = "[providers.x]\napi_key_env = \"MOSAIC_LOGS\"\n";
    assert_eq!(doubts(named, &[("MOSAIC_LOGS", "key")]), [""; 0], "the settings name it");

    let beyond = "[gateway]\nbind = \"0.0.0.0:1\"\ntrusted_proxies = [\"10.0.0.2\"]\n";
    let told = doubts(beyond, &[]);
    assert!(told.len() == 1 && told[0].contains("Name the host in gateway.hosts"), "{told:?}");
    assert_eq!(doubts(&format!("{beyond}hosts = [\"mosaic.example.org\"]\n"), &[]), [""; 0]);
}

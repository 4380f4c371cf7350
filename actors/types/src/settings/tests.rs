use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::*;
use crate::ModelRef;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Reads a file the way the rooms do, with the variables laid over it, and gives back what `read` made of it.
fn reading<T>(text: &str, vars: &[(&str, &str)], read: impl FnOnce(&Section<'_>) -> T) -> (T, Result<String, String>) {
    let mut settings = Settings::parse(text, "config.toml").expect("valid TOML");
    settings.override_env(vars.iter().copied());
    let value = read(&settings.root());
    (value, settings.finish().map(|shown| shown.to_toml()).map_err(|mistakes| mistakes.to_string()))
}

fn mistakes_of(text: &str, vars: &[(&str, &str)], read: impl FnOnce(&Section<'_>)) -> String {
    reading(text, vars, read).1.expect_err("something is wrong")
}

#[test]
fn every_mistake_is_told_at_once_in_the_order_of_the_file() {
    let text = r#"
workers = "four"
idle = 30
ratio = 7
on = "yes"
stratgy = "fallback"
strategy = "fallbak"
models = ["openai/gpt", "gpt", 3]
gateway = 5
bind = "nowhere"
zebra = 1
"#;
    let told = mistakes_of(text, &[], |root| {
        assert_eq!(root.whole("workers", 2, 1..=64), 2);
        assert_eq!(root.span("idle", 10 * SECOND, SECOND..=HOUR), 10 * SECOND);
        assert!((root.real("ratio", 1.0, 0.0..=2.0) - 1.0).abs() < 1e-9);
        assert!(root.flag("on", true));
        assert_eq!(root.one_of("strategy", &[("fallback", 1), ("race", 2)]), 1);
        assert_eq!(root.list_of::<ModelRef>("models"), ["openai/gpt".parse().expect("valid")]);
        assert_eq!(root.section("gateway").text("bind", "x"), "x");
        let bind: SocketAddr = "127.0.0.1:1".parse().expect("valid");
        assert_eq!(root.parsed("bind", bind, "an address and port such as \"127.0.0.1:14242\" is wanted"), bind);
    });
    assert_eq!(
        told,
        "config.toml:2: workers: found \"four\"; a whole number from 1 to 64 is wanted\n\
         config.toml:3: idle: found 30; add its unit, as in \"30s\" (ms, s, m, h or d)\n\
         config.toml:4: ratio: found 7; a number from 0 to 2 is wanted\n\
         config.toml:5: on: found \"yes\"; true or false is wanted, without quotes\n\
         config.toml:6: stratgy: unknown key; did you mean \"strategy\"?\n\
         config.toml:7: strategy: found \"fallbak\"; did you mean \"fallback\"?\n\
         config.toml:8: models: found \"gpt\"; a model is written provider/model, as in openai/gpt-5-mini\n\
         config.toml:8: models: found 3; a list of texts is wanted, as in [\"one\", \"two\"]\n\
         config.toml:9: gateway: found 5; a table is wanted\n\
         config.toml:10: bind: found \"nowhere\"; an address and port such as \"127.0.0.1:14242\" is wanted\n\
         config.toml:11: zebra: unknown key; known here: workers, idle, ratio, on, strategy, models, gateway, bind"
    );
}

#[test]
fn text_that_is_not_toml_is_a_mistake_with_line_and_column() {
    let mistakes = Settings::parse("[gateway]\nbind = \nworkers = 1 1\n", "config.toml").expect_err("not TOML");
    let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    assert!(lines[0].starts_with("config.toml:2:8: not valid TOML: "), "{lines:?}");
    assert!(lines[1].starts_with("config.toml:3:11: not valid TOML: "), "{lines:?}");
    let twice = Settings::parse("a = 1\na = 2\n", "config.toml").expect_err("not TOML").to_string();
    assert_eq!(twice, "config.toml:2:1: not valid TOML: duplicate key");
}

#[test]
fn a_secret_written_inline_is_refused_and_never_shown() {
    let text = "[providers.openai]\napi_key = \"sk-abcdef\"\napi_key_env = [\"sk-abcdef\"]\nbase_url = 4\nnote = \"x\"";
    let told = mistakes_of(text, &[("MOSAIC__PROVIDERS__OPENAI__TOKEN", "sk-abcdef")], |root| {
        for (_, provider) in root.sections("providers") {
            provider.opt_text("api_key_env");
            provider.opt_text("api_key_file");
            provider.opt_text("base_url");
            provider.one_of("note", &[("y", ())]);
        }
    });
    assert_eq!(
        told,
        "config.toml:2: providers.openai.api_key: a secret is never written here; \
         name where it is kept in \"api_key_env\" or \"api_key_file\"\n\
         config.toml:3: providers.openai.api_key_env: found a list; a text in quotes is wanted\n\
         config.toml:4: providers.openai.base_url: found 4; a text in quotes is wanted\n\
         config.toml:5: providers.openai.note: found \"x\"; did you mean \"y\"?\n\
         MOSAIC__PROVIDERS__OPENAI__TOKEN: providers.openai.token: a secret is never written here; \
         name where it is kept in \"api_key_env\" or \"api_key_file\""
    );
}

#[test]
fn a_text_that_looks_like_a_key_or_is_too_long_is_not_shown_whole() {
    let long = "x".repeat(100);
    let text = format!("a = \"sk-proj-123\"\nb = \"{long}\"\nc = \"a\\nb\"");
    let told = mistakes_of(&text, &[], |root| {
        root.whole("a", 1, 0..=9);
        root.whole("b", 1, 0..=9);
        root.whole("c", 1, 0..=9);
    });
    assert_eq!(
        told,
        format!(
            "config.toml:1: a: found a text; a whole number from 0 to 9 is wanted\n\
             config.toml:2: b: found \"{}…\"; a whole number from 0 to 9 is wanted\n\
             config.toml:3: c: found \"a\\nb\"; a whole number from 0 to 9 is wanted",
            "x".repeat(60)
        )
    );
}

#[test]
fn variables_override_the_file_and_take_the_type_that_is_read() {
    let text = "[gateway]\nbind = \"a\"\n[agents.\"My.Agent\"]\nsystem = \"file\"\n";
    let vars = [
        ("MOSAIC__GATEWAY__BIND", "b"),
        ("mosaic__gateway__workers", " 3 "),
        ("MOSAIC__GATEWAY__ON", "TRUE"),
        ("MOSAIC__GATEWAY__IDLE", "250ms"),
        ("MOSAIC__GATEWAY__LIST", "a, b"),
        ("MOSAIC__GATEWAY__MORE", "[\"c\", \"d\"]"),
        ("MOSAIC__AGENTS__MY_AGENT__SYSTEM", "environment"),
        ("MOSAIC__AGENTS__Ada__SYSTEM", "hers"),
        ("MOSAIC__AGENTS__BOB__SYSTEM", "his"),
        ("MOSAIC_HOME", "/elsewhere"),
    ];
    let (systems, shown) = reading(text, &vars, |root| {
        let gateway = root.section("gateway");
        assert_eq!(gateway.text("bind", ""), "b");
        assert_eq!(gateway.whole("workers", 1, 1..=64), 3);
        assert!(gateway.flag("on", false));
        assert_eq!(gateway.span("idle", SECOND, Duration::ZERO..=HOUR), Duration::from_millis(250));
        assert_eq!(gateway.list_of_text("list"), ["a", "b"]);
        assert_eq!(gateway.list_of_text("more"), ["c", "d"]);
        let agents = root.sections("agents");
        agents.iter().map(|(name, agent)| (name.clone(), agent.text("system", ""))).collect::<BTreeMap<_, _>>()
    });
    let expected = [("Ada", "hers"), ("My.Agent", "environment"), ("bob", "his")];
    assert_eq!(systems, expected.map(|(name, system)| (name.to_owned(), system.to_owned())).into());
    let shown = shown.expect("all is well");
    assert!(shown.contains("bind = \"b\" # MOSAIC__GATEWAY__BIND"), "{shown}");
    assert!(shown.contains("[agents.\"My.Agent\"]\nsystem = \"environment\" # MOSAIC__"), "{shown}");
}

#[test]
fn a_variable_in_another_case_still_finds_a_key_that_the_file_does_not_have() {
    let (bind, shown) = reading("", &[("Mosaic__Gateway__Bind", "b")], |root| root.section("gateway").text("bind", ""));
    assert_eq!(bind, "b");
    assert!(shown.is_ok());
}

#[test]
fn mistakes_in_variables_name_the_variable() {
    let vars = [
        ("MOSAIC__GATEWAY__WORKERS", "many"),
        ("MOSAIC__GATEWAY__WORKRS", "2"),
        ("MOSAIC__LOG", "json"),
        ("MOSAIC__A____B", "1"),
        ("MOSAIC__", "1"),
    ];
    let told = mistakes_of("", &vars, |root| {
        root.section("gateway").whole("workers", 2, 1..=64);
        root.section("log").text("format", "text");
    });
    let rule = "a level has no name; levels are parted by two underscores, as in MOSAIC__GATEWAY__BIND";
    let deep = mistakes_of("", &[(&format!("MOSAIC{}", "__A".repeat(9000)), "1")], |_| ());
    assert!(deep.contains(": the name has too many levels; "));
    assert_eq!(
        told,
        format!(
            "MOSAIC__: {rule}\n\
             MOSAIC__A____B: {rule}\n\
             MOSAIC__GATEWAY__WORKERS: gateway.workers: found \"many\"; a whole number from 1 to 64 is wanted\n\
             MOSAIC__GATEWAY__WORKRS: gateway.workrs: unknown key; did you mean \"workers\"?\n\
             MOSAIC__LOG: log: found \"json\"; a table is wanted"
        )
    );
}

#[test]
fn checks_over_several_values_point_at_the_nearest_line_there_is() {
    let settings = Settings::parse("x = 1\n[agents.ada]\nmodels = []\n", "config.toml").expect("valid TOML");
    settings.root().hush();
    settings.wrong(&["agents", "ada", "models"], "found \"a\"", "b");
    settings.wrong(&["agents", "ada", "system"], "not set", "c");
    settings.wrong(&["default_agent"], "not set", "d");
    assert_eq!(
        settings.finish().expect_err("three mistakes").to_string(),
        "config.toml: default_agent: not set; d\n\
         config.toml:2: agents.ada.system: not set; c\n\
         config.toml:3: agents.ada.models: found \"a\"; b"
    );
}

#[test]
fn what_is_in_force_can_be_read_back() {
    let text = "[agents.\"a b\"]\nsystem = '''\nsay \"hi\"\nthen \\ stop'''\n";
    let read = |root: &Section<'_>| {
        let temperature = root.real("temperature", 1.0, 0.0..=2.0);
        let agents = root.sections("agents");
        let system = agents[0].1.text("system", "");
        let idle = root.section("session").span("idle", 10 * 60 * SECOND, SECOND..=HOUR);
        (temperature.to_string(), system, idle, root.list_of_text("tools"))
    };
    let (first, shown) = reading(text, &[], read);
    let shown = shown.expect("all is well");
    assert_eq!(
        shown,
        "temperature = 1.0 # default\ntools = [] # default\n\n[agents.\"a b\"]\nsystem = '''\nsay \"hi\"\n\
         then \\ stop''' # config.toml:2\n\n[session]\nidle = \"10m\" # default\n"
    );
    assert_eq!(reading(&shown, &[], read).0, first);
}

#[test]
fn spans_have_units() {
    for (text, millis) in [("250ms", 250), ("30s", 30_000), ("10m", 600_000), ("2 h", 7_200_000), ("7d", 604_800_000)] {
        assert_eq!(parse_span(text), Ok(Duration::from_millis(millis)), "{text}");
    }
    for bad in ["", "s", "1.5h", "-3s", "3 weeks", "99999999999999999999s", "999999999999999999d"] {
        assert!(parse_span(bad).is_err(), "{bad}");
    }
    for text in ["0s", "250ms", "90s", "1m", "36h", "7d"] {
        assert_eq!(render_span(parse_span(text).expect("valid")), text);
    }
}

#[test]
fn the_nearest_name_is_near() {
    assert_eq!(nearest("stratgy", ["system", "strategy"]), Some("strategy"));
    assert_eq!(nearest("OpenAI", ["openai"]), Some("openai"));
    assert_eq!(nearest("zzz", ["tools", "x"]), None);
}

proptest::proptest! {
    #[test]
    fn reading_never_panics(text: String, name in "MOSAIC__[A-Za-z_.]{0,12}", value: String) {
        if let Ok(mut settings) = Settings::parse(&text, "f") {
            settings.override_env([(name, value)]);
            let root = settings.root();
            root.span("a", SECOND, SECOND..=HOUR);
            root.list_of_text("b");
            root.section("c").whole("d", 1, 0..=1);
            drop(root);
            let _ = settings.finish().map(|shown| shown.to_toml()).map_err(|mistakes| mistakes.to_string());
        }
    }

    #[test]
    fn whatever_is_shown_parses_again(system: String, name in "[a-z .\"'\\\n\x7f]{1,8}") {
        let settings = Settings::empty();
        settings.show(&["agents", &name, "system"], system.clone(), "because");
        let shown = settings.finish().expect("no mistakes").to_toml();
        let again: toml::Table = shown.parse().expect("TOML");
        proptest::prop_assert_eq!(again["agents"][&name]["system"].as_str(), Some(&*system));
    }
}

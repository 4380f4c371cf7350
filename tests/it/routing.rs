//! Which models answer: by the rules of the config, by those of a person, and why.

mod own;

use std::fmt::Write as _;

use mosaic_testkit::provider::Gate;
use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};

use crate::testbed::{Testbed, run};

/// The three examples of the sample, switched on, with these providers in place of theirs.
fn examples(providers: [&str; 3]) -> String {
    let sample = include_str!("../../config.toml");
    let from = sample.find("#[[routing.rules]]").expect("the sample has rules");
    let until = sample.find("# The other conditions").expect("the examples end there");
    let on =
        sample[from..until].lines().filter_map(|line| line.strip_prefix('#')).filter(|line| !line.starts_with(' '));
    let mut providers = providers.into_iter();
    on.fold(String::new(), |mut rules, line| {
        let provider = line.starts_with("models = ").then(|| providers.next().expect("three examples"));
        let _ = match provider {
            Some(provider) => writeln!(rules, "models = [\"{provider}/m\"]"),
            None => writeln!(rules, "{line}"),
        };
        rules
    })
}

fn configure(bed: &Testbed, models: &[(&str, &StandIn)], more: &str) {
    let mut text =
        "default_agent = \"assistant\"\ndetect = false\n[gateway]\nbind = \"127.0.0.1:0\"\nworkers = 2\n".to_owned();
    let _ = writeln!(text, "[store]\nurl = {:?}", bed.store_url());
    for (name, model) in models {
        let _ = writeln!(
            text,
            "[providers.{name}]\nbase_url = \"{}\"\nmodels.small = {{ context_tokens = 100 }}",
            model.base_url()
        );
    }
    let _ = writeln!(text, "[agents.assistant]\nmodels = [\"own/m\"]\n{more}");
    bed.write_config(&text);
}

fn always(text: &str) -> StandIn {
    StandIn::builder().always(Step::say(text)).start()
}

const CODE: &str = "Fix this:\n```rust\nfn main() { panic!() }\n```";

fn who(answer: &Value) -> (&str, &str) {
    let [provider, why] = ["provider", "route_reason"].map(|key| answer[key].as_str().unwrap_or_default());
    (provider, why)
}

#[tokio::test]
async fn by_the_shipped_rules_code_a_summary_and_a_simple_question_go_to_three_models_and_say_why() {
    let [strong, brief, cheap, own] = ["strong", "brief", "cheap", "own"].map(always);
    let mut bed = Testbed::asleep(StandIn::builder());
    let models = [("strong", &strong), ("brief", &brief), ("cheap", &cheap), ("own", &own)];
    configure(&bed, &models, &examples(["strong", "brief", "cheap"]));
    bed.restart().await;
    let api = bed.api();
    let session = api.session().await;
    for (text, provider, why) in [
        (CODE, "strong", "rule \"code\": task is code (a code fence, the word “fix”, the word “rust”)"),
        ("Summarise this for me: the river rose.", "brief", "rule \"summary\": task is summary (the word “summarise”)"),
        (
            "What is the capital of France?",
            "cheap",
            "rule \"simple\": task is question (a question mark at its end); 30 characters",
        ),
        ("Write a short story about a lighthouse", "own", "first choice"),
    ] {
        let answer = api.ask(&session, text).await;
        assert_eq!((answer["text"].as_str().unwrap_or_default(), who(&answer)), (provider, (provider, why)), "{text}");
        // The same is said beforehand, by the daemon and by its command.
        let told: Value = api.send("POST", "/api/v1/routing/explain", json!({"text": text})).await.json();
        assert_eq!(told["models"], json!([format!("{provider}/m")]), "{told}");
        let said = run(bed.command(&["route", "explain", text, "--json"]), "").await.good();
        let said: Value = serde_json::from_str(&said).expect("one value");
        assert_eq!((&said["reason"], &said["rules"]), (&told["reason"], &told["rules"]));
        // Of a call that no session keeps nothing else is decided.
        let call = json!({"model": "assistant", "messages": [{"role": "user", "content": text}]});
        let stateless = api.send("POST", "/v1/chat/completions", call).await;
        let told = ["x-mosaic-model", "x-mosaic-route"].map(|name| stateless.header(name).expect("it says why"));
        let why =
            if provider == "own" { "the agent's own models".to_owned() } else { why.replace(['“', '”'], "\"") };
        assert_eq!(told, [format!("{provider}/m").as_str(), &why]);
        let stateless: Value = stateless.json();
        assert_eq!(stateless["choices"][0]["message"]["content"], provider, "{stateless}");
    }
    let journal = api.journal(&session).await;
    let routes: Vec<&Value> =
        journal.iter().filter(|event| event["type"] == "turn.started").map(|event| &event["route"]).collect();
    assert_eq!(routes[0]["models"], json!(["strong/m"]), "what was decided is journaled as the turn begins");
    assert_eq!(
        (&routes[0]["rule"], &routes[0]["source"], &routes[0]["task"]),
        (&json!("code"), &json!("config"), &json!("code"))
    );
    assert!(routes[3].is_null(), "the agent's own models answered");

    // A model that is named goes before every rule: for a message, and for a session until it is taken back.
    let named = json!({"model": "own/m", "messages": [{"role": "user", "content": CODE}]});
    let named: Value = api.send("POST", "/v1/chat/completions", named).await.json();
    assert_eq!(named["choices"][0]["message"]["content"], "own");
    let path = format!("/api/v1/sessions/{session}");
    api.send("PATCH", &path, json!({"model": "own/m"})).await;
    assert_eq!(who(&api.ask(&session, CODE).await), ("own", "chosen for this session"));
    api.send("PATCH", &path, json!({"model": "auto"})).await;
    assert_eq!(who(&api.ask(&session, CODE).await).0, "strong");

    let page = api.request("GET", "/metrics", &[], b"").await.text();
    let count = |labels: &str| {
        let line = page.lines().find(|line| line.starts_with(&format!("mosaic_routing_decisions_total{{{labels}}}")));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).unwrap_or_default()
    };
    assert_eq!(count("source=\"config\",task=\"code\""), 3, "{page}");
    assert_eq!(count("source=\"agent\",task=\"writing\""), 2);
}

#[tokio::test]
async fn a_turn_that_a_kill_cut_off_goes_the_way_that_was_decided_whatever_the_rules_say_by_then() {
    let gate = Gate::new();
    let strong = StandIn::start([Step::hold_after(&gate, "never to be heard", 2), Step::say("strong")]);
    let own = always("own");
    let mut bed = Testbed::asleep(StandIn::builder());
    let models = [("strong", &strong), ("own", &own)];
    configure(
        &bed,
        &models,
        "[[routing.rules]]\nname = \"code\"\ntask = [\"code\"]\nmodels = [\"strong/m\", \"own/m\"]\n",
    );
    bed.restart().await;
    let session = bed.api().session().await;
    let mut events = bed.api().hear(&session, CODE).await;
    let started = events.until("turn.started").await;
    events.until("turn.delta").await;
    let queued = bed.api().say(&session, "Refactor it").await;
    bed.kill9().await;

    configure(&bed, &models, "");
    bed.restart().await;
    let api = bed.api();
    api.settled(&session).await;
    let journal = api.journal(&session).await;
    let ends: Vec<&Value> = journal.iter().filter(|event| event["type"] == "turn.finished").collect();
    let [first, second] = ends.as_slice() else { panic!("two answers: {journal:?}") };
    assert_eq!(who(first), ("strong", started["route"]["reason"].as_str().expect("a reason")));
    // What had not begun is decided on as it begins.
    assert_eq!((&second["turn"], who(second)), (&json!(queued), ("own", "first choice")));
}

#[tokio::test]
async fn where_the_rules_first_model_fails_the_next_answers_and_both_reasons_are_told() {
    let broken = StandIn::builder().always(Step::status(500, "server_error", "no")).start();
    let own = always("own");
    let mut bed = Testbed::asleep(StandIn::builder());
    let rule = "[[routing.rules]]\nname = \"all\"\nmodels = [\"broken/small\", \"broken/m\", \"own/m\"]\n";
    configure(&bed, &[("broken", &broken), ("own", &own)], rule);
    bed.restart().await;
    let session = bed.api().session().await;
    let answer = bed.api().ask(&session, &"far too long ".repeat(40)).await;
    let why = "rule \"all\": it holds always; broken/small reads 100 tokens at once, too few for this; \
               broken/m was overloaded; own/m answered";
    assert_eq!(who(&answer), ("own", why));
}

#[tokio::test]
async fn without_a_daemon_the_rules_of_the_config_are_explained_in_process() {
    let own = always("own");
    let bed = Testbed::asleep(StandIn::builder());
    let rules = "[[routing.rules]]\nname = \"night\"\nhours = \"22:00-06:00\"\ntimezone = \"Europe/Berlin\"\nstrategy = \"race\"\n\
                 [[routing.rules]]\nname = \"code\"\ntask = [\"code\"]\nmodels = [\"own/strong\"]\n";
    configure(&bed, &[("own", &own)], rules);
    let said = run(bed.command(&["route", "explain", "--at", "2026-07-01T19:59:00Z", "-"]), "Refactor it").await;
    assert!(said.code == Some(0) && said.stderr.starts_with("No daemon runs on this home"), "{said:?}");
    let said = said.stdout;
    for line in [
        "task      code, 99 % sure: the word “refactor”",
        "models    own/strong",
        "reason    rule \"code\": task is code (the word “refactor”)",
        "night  config  fails    it is 21:59 in Europe/Berlin, not 22:00-06:00",
        "code   config  decides  task is code (the word “refactor”)",
    ] {
        assert!(said.lines().any(|said| said == line), "{line}\n---\n{said}");
    }
    let listed = run(bed.command(&["route", "list"]), "").await.good();
    assert!(
        listed.contains("1  night  config  at 22:00-06:00, in Europe/Berlin  asks the agent's models by race"),
        "{listed}"
    );
    let refused = run(bed.command(&["route", "explain", "--agent", "poet", "hi"]), "").await;
    assert!(refused.code == Some(1) && refused.stderr.contains("There is no agent poet. Those there are: assistant."));
    assert_eq!(own.progress().calls, 0, "nobody is asked");
}

#[tokio::test]
async fn what_is_left_of_a_budget_sends_turns_to_a_cheaper_model_also_after_a_restart() {
    let [dear, cheap] = ["dear", "cheap"].map(|text| StandIn::builder().always(Step::say(text)).start());
    let mut bed = Testbed::asleep(StandIn::builder());
    let budget = "[budgets.user]\nusd = 0.01\n[[routing.rules]]\nname = \"low\"\nbudget_left_below = 0.9\nmodels = [\"cheap/m\"]\n";
    let mut text = "default_agent = \"assistant\"\ndetect = false\n[gateway]\nbind = \"127.0.0.1:0\"\n".to_owned();
    let _ =
        writeln!(text, "[store]\nurl = {:?}\n[providers.cheap]\nbase_url = \"{}\"", bed.store_url(), cheap.base_url());
    let _ = writeln!(
        text,
        "[providers.own]\nbase_url = \"{}\"\nmodels.m = {{ input_usd_per_mtok = 100.0, output_usd_per_mtok = 200.0 }}",
        dear.base_url()
    );
    let _ = writeln!(text, "[agents.assistant]\nmodels = [\"own/m\"]\nmax_output_tokens = 2\n{budget}");
    bed.write_config(&text);
    bed.restart().await;
    let session = bed.api().session().await;
    assert_eq!(who(&bed.api().ask(&session, "hello").await).0, "own");
    let answer = bed.api().ask(&session, "hello").await;
    let (provider, why) = who(&answer);
    assert!(
        provider == "cheap" && why.starts_with("rule \"low\": ") && why.ends_with(" % of a budget are left"),
        "{why}"
    );
    // What was spent before the start is read as the session wakes.
    bed.stop().await;
    bed.restart().await;
    assert_eq!(who(&bed.api().ask(&session, "hello").await).0, "cheap");
}

use mosaic_types::routing::{Day, Explained, Language, Need, Rule, RuleSource, Strategy, Task, Verdict};
use mosaic_types::{AgentName, ModelRef, QueueMode, Timestamp};
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

use super::explain::explain;
use super::weigh::Lacks;
use super::*;
use crate::agent::config::Fanout;

const SEEN: &[(&str, Task)] = &[
    ("Fix this:\n```rust\nfn main() {}\n```", Task::Code),
    ("Refactor the session actor so that it holds no lock.", Task::Code),
    ("Why does `foo.bar()` return null here?", Task::Code),
    ("thread 'main' panicked at src/main.rs:3:5: index out of bounds", Task::Code),
    ("Write a function that reverses a list", Task::Code),
    ("Implementiere bitte einen Ringpuffer in Rust", Task::Code),
    ("Écris un script qui renomme mes photos", Task::Code),
    ("Escribe una función que ordene una lista", Task::Code),
    ("for (int i = 0; i < n; i++) {\n  sum += i;\n}\nwhat does it do", Task::Code),
    ("Summarise this article in three sentences: The river rose …", Task::Summary),
    ("TL;DR please", Task::Summary),
    ("Fasse den folgenden Text bitte zusammen: Der Fluss stieg …", Task::Summary),
    ("Résume ce texte en trois phrases.", Task::Summary),
    ("Resume este texto en tres frases.", Task::Summary),
    ("Summarise this log:\n```\nTypeError: x is not a function\n```", Task::Summary),
    ("Translate to German: good morning", Task::Translation),
    ("Übersetze das ins Englische: guten Morgen", Task::Translation),
    ("Comment dit-on « chat » en anglais ?", Task::Translation),
    ("Traduce esto al inglés: buenos días", Task::Translation),
    ("What is 12 * 37?", Task::Maths),
    ("Solve x^2 = 16", Task::Maths),
    ("Berechne die Wahrscheinlichkeit für zwei Sechsen", Task::Maths),
    ("Quelle est la dérivée de sin ?", Task::Maths),
    ("Write a short story about a lighthouse", Task::Writing),
    ("Schreibe ein Gedicht über den Herbst", Task::Writing),
    ("Please proofread my letter", Task::Writing),
    ("What is the capital of France?", Task::Question),
    ("Wie spät ist es in Tokio?", Task::Question),
    ("¿Dónde está la biblioteca?", Task::Question),
    ("who wrote Faust", Task::Question),
    ("Is it 2026-11-23 already?", Task::Question),
    ("hello there", Task::Chat),
    ("thanks, that was great!", Task::Chat),
    ("The fix for my sink worked.", Task::Chat),
    ("", Task::Chat),
];

#[test]
fn a_text_is_taken_for_what_it_asks_for_in_four_languages() {
    for (text, task) in SEEN {
        let seen = Cues.task(text);
        assert_eq!(seen.task, *task, "{text:?}: {seen:?}");
        assert!(!seen.cues.is_empty() && (50..=99).contains(&seen.confidence), "{text:?}: {seen:?}");
    }
    assert_eq!(Cues.task("Refactor `a_b()`").cues, ["the word “refactor”", "an identifier"]);
}

#[test]
fn the_language_of_a_short_message_shows_in_its_small_words_and_letters() {
    for (text, language) in [
        ("What is the capital of France?", Some(Language::En)),
        ("Wie spät ist es?", Some(Language::De)),
        ("Résume ce texte pour moi", Some(Language::Fr)),
        ("¿Cuál es la capital de Francia?", Some(Language::Es)),
        ("Qual è la capitale della Francia?", Some(Language::It)),
        ("Qual é a capital da França? Não sei.", Some(Language::Pt)),
        ("Wat is de hoofdstad van Frankrijk?", Some(Language::Nl)),
        ("Какая столица Франции?", Some(Language::Ru)),
        ("Яка столиця Франції?", Some(Language::Uk)),
        ("フランスの首都はどこですか", Some(Language::Ja)),
        ("法国的首都是哪里？", Some(Language::Zh)),
        ("프랑스의 수도는 어디입니까?", Some(Language::Ko)),
        ("ما هي عاصمة فرنسا؟", Some(Language::Ar)),
        ("ok", None),
        ("", None),
        ("12 * 37", None),
    ] {
        assert_eq!(Cues.language(text), language, "{text:?}");
    }
}

#[test]
fn what_is_pasted_between_neither_costs_nor_counts() {
    let paste = "the quick brown fox implements a debug regex. ".repeat(40_000);
    let thanks = "Thank you very much for doing this for me today, and also for all that you did in these long weeks, my \
                  dear friend.";
    let text = format!(
        "Summarise this text, which somebody sent me and which I have no time to read before the meeting \
                        that begins in five minutes, in three sentences:\n{paste}\n{thanks}"
    );
    let began = tokio::time::Instant::now();
    assert_eq!(Cues.task(&text).task, Task::Summary);
    // A bound of the machine's slowest day, not a figure: the sample is 8 KiB of 1.8 MiB.
    assert!(began.elapsed() < std::time::Duration::from_secs(1), "{:?}", began.elapsed());
}

proptest! {
    /// Whatever is said has a task and perhaps a language, always the same, and never a panic.
    #[test]
    fn whatever_is_said_has_one_task(text in any::<String>(), times in 0_usize..2_000) {
        for text in [text.clone(), text.repeat(times)] {
            let seen = Cues.task(&text);
            prop_assert_eq!(&seen, &Cues.task(&text));
            prop_assert!(seen.confidence <= 99 && (1..=3).contains(&seen.cues.len()));
            prop_assert_eq!(Cues.language(&text), Cues.language(&text));
        }
    }

    /// As above, of texts that are made of what the classifier looks for.
    #[test]
    fn whatever_looks_like_code_or_maths_has_one_task(
        parts in prop::collection::vec("```|\n    at |a_b|::|->|\\(\\)|\\{|;|\n|[0-9] ?[=*+^] ?[0-9a-z]|über|résume |vat |\\$\\$|\u{221a}|é|\u{301}|write a ", 0..40),
    ) {
        let text = parts.concat();
        prop_assert_eq!(Cues.task(&text), Cues.task(&text));
    }
}

fn model(name: &str) -> ModelRef {
    name.parse().expect("a model")
}

fn rule(name: &str, models: &[&str]) -> Rule {
    Rule { models: models.iter().map(|name| model(name)).collect(), ..Rule::named(name.parse().expect("a name")) }
}

fn agent() -> AgentName {
    "assistant".parse().expect("a name")
}

fn profile() -> AgentProfile {
    AgentProfile {
        tools: Default::default(),
        name: agent(),
        system: "".into(),
        models: vec![model("lab/own"), model("lab/other")],
        fanout: Fanout::default(),
        queue: QueueMode::default(),
        context_tokens: 4_096,
        max_output_tokens: None,
        temperature: None,
        reuse: None,
    }
}

/// A turn, and what there is to say of it.
struct World {
    text: &'static str,
    attached: usize,
    needs: Vec<Need>,
    at: &'static str,
    left: Option<f64>,
}

fn asks(text: &'static str) -> World {
    World { text, attached: 0, needs: Vec::new(), at: "2026-11-23T23:10:00Z", left: None }
}

const ALL_CAN: Lacks<'static> = &|_, _, _| None;

impl World {
    fn explained(&self, rules: &[(RuleSource, &Rule)], lacks: Lacks<'_>) -> Explained {
        let agent = agent();
        let texts = [self.text];
        let at: Timestamp = self.at.parse().expect("a moment");
        let (user, session) = (mosaic_types::UserId(uuid::Uuid::nil()), None);
        let (texts, agent, needs) = (&texts[..], &agent, &self.needs[..]);
        let asked =
            Asked { user, session, texts, attached: self.attached, agent, channel: "api", needs, tokens: 500, at };
        let budget = || self.left;
        let facts = Facts::new(asked, &Cues, &budget);
        let explained = explain(&facts, rules, &profile(), lacks);
        // What is explained is what is decided.
        let route = decide(&facts, rules.iter().copied(), &profile(), lacks);
        let decides = explained.rules.iter().find(|rule| rule.verdict == Verdict::Decides);
        assert_eq!(route.as_ref().map(|route| route.rule.as_str()), decides.map(|rule| rule.rule.as_str()));
        if let Some(route) = route {
            assert_eq!((route.models, route.strategy), (explained.models.clone(), explained.strategy));
        }
        explained
    }

    /// What one rule of the config says.
    fn one(&self, rule: &Rule) -> (Verdict, String) {
        let mut told = self.explained(&[(RuleSource::Config, rule)], ALL_CAN).rules;
        let only = told.remove(0);
        (only.verdict, only.why)
    }
}

#[test]
fn the_first_rule_that_holds_decides_and_the_persons_own_go_first() {
    let code = Rule { task: vec![Task::Code], ..rule("code", &["lab/strong"]) };
    let rest = rule("rest", &["lab/cheap"]);
    let mine = Rule { task: vec![Task::Code], strategy: Some(Strategy::Race), ..rule("mine", &["lab/a", "lab/b"]) };
    let rules = [(RuleSource::User, &mine), (RuleSource::Config, &code), (RuleSource::Config, &rest)];
    let told = asks("Refactor this function").explained(&rules, ALL_CAN);
    assert_eq!((told.models, told.strategy), (vec![model("lab/a"), model("lab/b")], Strategy::Race));
    assert_eq!(told.reason, "your rule \"mine\": task is code (the word “refactor”, the word “function”)");
    let verdicts: Vec<_> = told.rules.iter().map(|rule| rule.verdict).collect();
    assert_eq!(verdicts, [Verdict::Decides, Verdict::Holds, Verdict::Holds]);
    let told = asks("hello").explained(&rules, ALL_CAN);
    assert_eq!((told.models, told.reason.as_str()), (vec![model("lab/cheap")], "rule \"rest\": it holds always"));
    let told = asks("hello").explained(&rules[..2], ALL_CAN);
    assert_eq!(told.models, profile().models, "the agent's own list stands");
    assert_eq!(told.reason, "no rule decides, so the agent assistant does");
}

#[test]
fn a_rule_that_names_no_models_changes_how_the_agents_own_are_used() {
    let panel = Rule { strategy: Some(Strategy::Panel), min_chars: Some(3), ..rule("hard", &[]) };
    let told = asks("hello").explained(&[(RuleSource::Config, &panel)], ALL_CAN);
    assert_eq!((told.models, told.strategy), (profile().models, Strategy::Panel));
    assert_eq!(told.reason, "rule \"hard\": 5 characters");
}

#[test]
fn every_condition_says_what_there_is_and_what_was_wanted() {
    let base = || rule("r", &["lab/m"]);
    let hello = asks("hello");
    let fails = |rule: Rule, why: &str| assert_eq!(hello.one(&rule), (Verdict::Fails, why.to_owned()));
    fails(
        Rule { task: vec![Task::Code, Task::Maths], ..base() },
        "task is chat (nothing in particular), not code or maths",
    );
    fails(Rule { min_chars: Some(6), ..base() }, "5 characters, not 6 or more");
    fails(Rule { max_chars: Some(4), ..base() }, "5 characters, not 4 or fewer");
    let with_a_file = World { attached: 300, ..asks("hello") };
    let told = with_a_file.one(&Rule { max_chars: Some(200), ..base() });
    assert_eq!(told, (Verdict::Fails, "305 characters, not 200 or fewer".to_owned()), "what is attached is read too");
    fails(Rule { needs: vec![Need::Vision], ..base() }, "it does not need vision");
    fails(Rule { language: vec![Language::De], ..base() }, "the language is not known, not de");
    fails(Rule { channel: vec!["discord".parse().expect("a name")], ..base() }, "channel is api, not discord");
    fails(Rule { agent: vec!["poet".parse().expect("a name")], ..base() }, "agent is assistant, not poet");
    fails(Rule { hours: Some("08:00-18:00".parse().expect("hours")), ..base() }, "it is 23:10 in UTC, not 08:00-18:00");
    fails(Rule { days: vec![Day::Sat, Day::Sun], ..base() }, "it is mon in UTC, not sat or sun");
    fails(Rule { budget_left_below: Some(0.2), ..base() }, "no budget is known to be spent, not less than 20 %");
    assert_eq!(hello.one(&Rule { enabled: false, ..base() }).0, Verdict::Off);

    let all = Rule {
        task: vec![Task::Question],
        min_chars: Some(5),
        max_chars: Some(50),
        needs: vec![Need::Vision],
        language: vec![Language::De],
        channel: vec!["api".parse().expect("a name")],
        agent: vec![agent()],
        hours: Some("22:00-06:00".parse().expect("hours")),
        days: vec![Day::Tue],
        timezone: "Europe/Berlin".parse().expect("a zone"),
        budget_left_below: Some(0.2),
        ..base()
    };
    let world = World { needs: vec![Need::Vision], left: Some(0.125), ..asks("Was ist das?") };
    let why = "task is question (a question mark at its end); 12 characters; it needs vision; language is de; \
               channel is api; agent is assistant; it is 00:10 in Europe/Berlin; it is tue in Europe/Berlin; \
               12 % of a budget are left";
    assert_eq!(world.one(&all), (Verdict::Decides, why.to_owned()));
    // Each of them is wanted.
    for without in [
        World { text: "Das ist gut so.", needs: vec![Need::Vision], ..asks("") },
        World { needs: Vec::new(), ..asks("Was ist das?") },
        World { at: "2026-11-23T12:00:00Z", needs: vec![Need::Vision], ..asks("Was ist das?") },
        World { left: Some(0.3), needs: vec![Need::Vision], ..asks("Was ist das?") },
    ] {
        assert_eq!(World { left: without.left.or(Some(0.125)), ..without }.one(&all).0, Verdict::Fails);
    }
}

#[test]
fn models_that_cannot_take_the_turn_are_left_out_and_a_rule_of_such_only_is_passed_over() {
    let lacks: Lacks<'_> = &|model, needs, tokens| {
        let blind = &*model.model == "blind" && needs.contains(&Need::Vision);
        let small = &*model.model == "small" && tokens > 100;
        blind.then(|| "does not see pictures".to_owned()).or_else(|| small.then(|| "is too small".to_owned()))
    };
    let (only, some) = (rule("only", &["lab/blind", "lab/small"]), rule("some", &["lab/blind", "lab/sees"]));
    let rules = [(RuleSource::Config, &only), (RuleSource::Config, &some)];
    let world = World { needs: vec![Need::Vision], ..asks("what is on it?") };
    let told = world.explained(&rules, lacks);
    assert_eq!(told.models, [model("lab/sees")]);
    assert_eq!(told.reason, "rule \"some\": it holds always; lab/blind does not see pictures");
    assert_eq!(told.rules[0].verdict, Verdict::Unfit);
    assert_eq!(told.rules[0].why, "lab/blind does not see pictures; lab/small is too small");
}

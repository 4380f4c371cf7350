//! A rule, and how one is written: flat, with the same keys in the config and in JSON.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::moment::{Hours, Zone};
use super::words::{Day, Language, Need, Strategy, Task};
use crate::ids::{AgentName, ChannelName, ModelRef, RuleName};
use crate::limits;
use crate::settings::Section;

/// Entries that one list of a rule has, at the most.
const ENTRIES: usize = 32;

/// Which models answer the turns for which it holds, and how they are used. All conditions that it names must hold; one
/// that names none holds always.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RoutingRule, example = json!({"name": "code", "task": ["code"], "models": ["openai/gpt-5"]}))]
pub struct Rule {
    /// How it is spoken of.
    pub name: RuleName,
    /// A rule that is off is passed over.
    #[serde(default = "on")]
    #[schema(default = true)]
    pub enabled: bool,
    /// The turn's text asks for one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 32)]
    pub task: Vec<Task>,
    /// Its text has so many characters or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_chars: Option<usize>,
    /// Its text has so many characters or fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_chars: Option<usize>,
    /// It needs all of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 32)]
    pub needs: Vec<Need>,
    /// Its text is in one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 32)]
    pub language: Vec<Language>,
    /// It came over one of these: `api` for HTTP, sockets, terminal and browser, or a channel's name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 32)]
    pub channel: Vec<ChannelName>,
    /// One of these answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 32)]
    pub agent: Vec<AgentName>,
    /// It begins in this part of the day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
    /// It begins on one of these days; past midnight, that is the next one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 32)]
    pub days: Vec<Day>,
    /// Where hours and days are meant. By default UTC.
    #[serde(default)]
    pub timezone: Zone,
    /// Of a budget that it is paid from, less than this part is left, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1)]
    pub budget_left_below: Option<f64>,
    /// What answers then, in order of preference. None: the agent's own, used as `strategy` says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 8)]
    pub models: Vec<ModelRef>,
    /// How they are used. None: as the agent's own are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
}

fn on() -> bool {
    true
}

/// What is wrong with a rule as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {right}")]
pub struct BadRule {
    /// The key that would have to be another.
    pub key: &'static str,
    /// What would be right.
    pub right: String,
}

impl Rule {
    /// Models of one rule, at the most.
    pub const MODELS: usize = 8;

    /// A rule without a condition or an outcome.
    pub fn named(name: RuleName) -> Self {
        Self {
            name,
            enabled: true,
            task: Vec::new(),
            min_chars: None,
            max_chars: None,
            needs: Vec::new(),
            language: Vec::new(),
            channel: Vec::new(),
            agent: Vec::new(),
            hours: None,
            days: Vec::new(),
            timezone: Zone::default(),
            budget_left_below: None,
            models: Vec::new(),
            strategy: None,
        }
    }

    /// All that must hold, in words and in the order of its keys; `always` where it names nothing.
    pub fn when(&self) -> String {
        fn one_of<T: ToString>(what: &str, of: &[T]) -> Option<String> {
            let words: Vec<String> = of.iter().map(ToString::to_string).collect();
            (!words.is_empty()).then(|| format!("{what} {}", words.join(" or ")))
        }
        let timezone = match self.timezone == Zone::default() || (self.hours.is_none() && self.days.is_empty()) {
            true => None,
            false => Some(format!("in {}", self.timezone)),
        };
        let needs: Vec<&str> = self.needs.iter().map(|need| need.as_str()).collect();
        let all = [
            one_of("task", &self.task),
            self.min_chars.map(|chars| format!("{chars} characters or more")),
            self.max_chars.map(|chars| format!("{chars} characters or fewer")),
            (!needs.is_empty()).then(|| format!("needs {}", needs.join(" and "))),
            one_of("language", &self.language),
            one_of("channel", &self.channel),
            one_of("agent", &self.agent),
            self.hours.as_ref().map(|hours| format!("at {hours}")),
            one_of("on", &self.days),
            timezone,
            self.budget_left_below.map(|part| format!("less than {:.0} % of a budget left", part * 100.0)),
        ];
        let all: Vec<String> = all.into_iter().flatten().collect();
        if all.is_empty() { "always".to_owned() } else { all.join(", ") }
    }

    /// Whether it says anything, and nothing that cannot be.
    ///
    /// # Errors
    /// The first key that is wrong.
    pub fn check(&self) -> Result<(), BadRule> {
        let bad = |key, right: String| Err(BadRule { key, right });
        if self.models.is_empty() && self.strategy.is_none() {
            return bad("models", "a rule says which models answer, or by which strategy".to_owned());
        }
        if self.models.len() > Self::MODELS {
            return bad("models", format!("a rule names {} models at the most", Self::MODELS));
        }
        let lengths = [
            ("task", self.task.len()),
            ("needs", self.needs.len()),
            ("language", self.language.len()),
            ("channel", self.channel.len()),
            ("agent", self.agent.len()),
            ("days", self.days.len()),
        ];
        if let Some((key, _)) = lengths.iter().find(|(_, length)| *length > ENTRIES) {
            return bad(key, format!("a rule names {ENTRIES} of them at the most"));
        }
        if let (Some(min), Some(max)) = (self.min_chars, self.max_chars)
            && min > max
        {
            return bad("min_chars", format!("no text has {min} characters or more and {max} or fewer"));
        }
        if self.budget_left_below.is_some_and(|part| !(0.0..=1.0).contains(&part)) {
            return bad("budget_left_below", "a part from 0 to 1 is wanted, as in 0.2".to_owned());
        }
        Ok(())
    }

    /// Reads an entry of `[[routing.rules]]`. Whether its models and agents exist is not seen from here.
    pub fn read(section: &Section<'_>) -> Self {
        let chars = |key| {
            let most = u64::try_from(limits::TEXT_CHARS).unwrap_or(u64::MAX);
            section.opt_whole(key, 0..=most).and_then(|chars| usize::try_from(chars).ok())
        };
        let name = section.opt_parsed::<RuleName>("name", "a rule's name is 1 to 64 characters of A-Z a-z 0-9 _ -");
        if name.is_none() && !section.given("name") {
            section.wrong("name", "a rule has a name, by which answers say why they are as they are");
        }
        let rule = Self {
            enabled: section.flag("enabled", true),
            task: section.list_of("task"),
            min_chars: chars("min_chars"),
            max_chars: chars("max_chars"),
            needs: section.list_of("needs"),
            language: section.list_of("language"),
            channel: section.list_of("channel"),
            agent: section.list_of("agent"),
            hours: section.opt_parsed("hours", "hours are written from-until, as in \"22:00-06:00\""),
            days: section.list_of("days"),
            timezone: section.told("timezone", Zone::default()),
            budget_left_below: section.opt_real("budget_left_below", 0.0..=1.0),
            models: section.list_of("models"),
            strategy: section.opt_one_of("strategy", Strategy::NAMED),
            ..Self::named(name.unwrap_or_else(|| "unnamed".parse().expect("a valid name")))
        };
        // A list whose entries were refused one by one says nothing of the rule.
        let told = rule.models.is_empty() && section.given("models");
        if let (Err(BadRule { key, right }), false) = (rule.check(), told) {
            section.wrong(key, right);
        }
        rule
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::{Just, Strategy as _, any, prop, prop_assert_eq, prop_oneof, proptest};

    use super::super::RuleChange;
    use super::*;
    use crate::settings::Settings;

    pub(crate) fn from_config(text: &str) -> Result<Vec<Rule>, String> {
        let settings = Settings::parse(text, "config.toml").expect("valid TOML");
        let rules = settings.root().section("routing").tables("rules").iter().map(Rule::read).collect();
        settings.finish().map(|_| rules).map_err(|mistakes| mistakes.to_string())
    }

    pub(crate) const FULL: &str = r#"
        [[routing.rules]]
        name = "code"
        task = ["code"]
        models = ["lab/strong"]
        [[routing.rules]]
        name = "night"
        enabled = false
        task = ["question", "chat"]
        min_chars = 1
        max_chars = 400
        needs = ["vision"]
        language = ["de", "fr"]
        channel = ["api"]
        agent = ["assistant"]
        hours = "22:00-06:00"
        days = ["sat", "sun"]
        timezone = "Europe/Berlin"
        budget_left_below = 0.25
        models = ["lab/small", "lab/m/2"]
        strategy = "race"
    "#;

    #[test]
    fn rules_of_the_config_keep_their_order_and_read_the_same_from_json() {
        let rules = from_config(FULL).expect("all is well");
        let names: Vec<_> = rules.iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(names, ["code", "night"]);
        assert_eq!((rules[0].enabled, rules[0].task.as_slice()), (true, &[Task::Code][..]));
        let json = serde_json::json!({
            "name": "night", "enabled": false, "task": ["question", "chat"], "min_chars": 1, "max_chars": 400,
            "needs": ["vision"], "language": ["de", "fr"], "channel": ["api"], "agent": ["assistant"],
            "hours": "22:00-06:00", "days": ["sat", "sun"], "timezone": "Europe/Berlin", "budget_left_below": 0.25,
            "models": ["lab/small", "lab/m/2"], "strategy": "race",
        });
        assert_eq!(serde_json::from_value::<Rule>(json.clone()).expect("it reads"), rules[1]);
        assert_eq!(serde_json::to_value(&rules[1]).expect("it serialises"), json);
        assert_eq!(rules[0].when(), "task code");
        assert_eq!(
            rules[1].when(),
            "task question or chat, 1 characters or more, 400 characters or fewer, needs vision, language de or fr, channel \
             api, agent assistant, at 22:00-06:00, on sat or sun, in Europe/Berlin, less than 25 % of a budget left"
        );
        assert_eq!(Rule { task: Vec::new(), ..rules[0].clone() }.when(), "always");
    }

    #[test]
    fn what_is_wrong_with_a_rule_is_told_with_its_line_and_the_nearest_word() {
        let text = "[[routing.rules]]\nname = \"a b\"\ntask = [\"cod\"]\nmodels = [\"strong\"]\nhours = \"22-6\"\n\
                    timezone = \"Europe/Berln\"\nstrategy = \"rase\"\nlanguge = [\"de\"]\n\
                    [[routing.rules]]\nmin_chars = 5\nmax_chars = 4\nmodels = [\"lab/m\"]\n\
                    [[routing.rules]]\nname = \"idle\"\n";
        assert_eq!(
            from_config(text).expect_err("much is wrong"),
            "config.toml:2: routing.rules[1].name: found \"a b\"; a rule's name is 1 to 64 characters of A-Z a-z 0-9 _ -\n\
             config.toml:3: routing.rules[1].task: found \"cod\"; did you mean \"code\"?\n\
             config.toml:4: routing.rules[1].models: found \"strong\"; a model is written provider/model, as in openai/gpt-5-mini\n\
             config.toml:5: routing.rules[1].hours: found \"22-6\"; hours are written from-until, as in \"22:00-06:00\"\n\
             config.toml:6: routing.rules[1].timezone: found \"Europe/Berln\"; there is no such time zone; did you mean \"Europe/Berlin\"?\n\
             config.toml:7: routing.rules[1].strategy: found \"rase\"; did you mean \"race\"?\n\
             config.toml:8: routing.rules[1].languge: unknown key; did you mean \"language\"?\n\
             config.toml:9: routing.rules[2].name: not set; a rule has a name, by which answers say why they are as they are\n\
             config.toml:10: routing.rules[2].min_chars: found 5; no text has 5 characters or more and 4 or fewer\n\
             config.toml:13: routing.rules[3].models: not set; a rule says which models answer, or by which strategy"
        );
        assert_eq!(
            from_config("[routing.rules]\nname = \"x\"\n").expect_err("one table is no list"),
            "config.toml:1: routing.rules: found a table; a list of tables is wanted, each under [[routing.rules]]"
        );
    }

    #[test]
    fn a_rule_that_can_never_hold_or_says_nothing_is_refused() {
        let rule = Rule { models: vec!["lab/m".parse().expect("valid")], ..Rule::named("r".parse().expect("valid")) };
        assert_eq!(rule.check(), Ok(()));
        let wrong = |rule: Rule| rule.check().expect_err("it is wrong").key;
        assert_eq!(wrong(Rule { models: Vec::new(), ..rule.clone() }), "models");
        assert_eq!(wrong(Rule { models: vec![rule.models[0].clone(); 9], ..rule.clone() }), "models");
        assert_eq!(wrong(Rule { task: vec![Task::Code; 33], ..rule.clone() }), "task");
        assert_eq!(wrong(Rule { min_chars: Some(2), max_chars: Some(1), ..rule.clone() }), "min_chars");
        assert_eq!(wrong(Rule { budget_left_below: Some(1.5), ..rule }), "budget_left_below");
    }

    proptest! {
        /// Whatever is sent as a rule is read or refused, and what was read is written as it was.
        #[test]
        fn whatever_is_sent_as_a_rule_is_read_or_refused(
            key in "name|task|hours|timezone|models|days|budget_left_below|strategy|min_chars|[a-z]{1,6}",
            value in prop_oneof![
                any::<String>().prop_map(serde_json::Value::from),
                any::<i64>().prop_map(serde_json::Value::from),
                any::<f64>().prop_map(serde_json::Value::from),
                prop::collection::vec("[a-z/]{0,8}", 0..4).prop_map(serde_json::Value::from),
                Just(serde_json::Value::Null),
            ],
        ) {
            let mut json = serde_json::json!({"name": "r", "models": ["lab/m"]});
            json[&key] = value.clone();
            if let Ok(rule) = serde_json::from_value::<Rule>(json) {
                let _ = rule.check();
                // The last digit of a fraction is not worth a slower reader.
                let rule = Rule { budget_left_below: None, ..rule };
                let text = serde_json::to_string(&rule).expect("it serialises");
                prop_assert_eq!(serde_json::from_str::<Rule>(&text).expect("it reads back"), rule);
            }
            let _ = serde_json::from_value::<RuleChange>(serde_json::json!({ key: value }));
        }
    }
}

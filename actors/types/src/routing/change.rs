//! A change of a rule.

use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::Rule;
use super::moment::{Hours, Zone};
use super::words::{Day, Language, Need, Strategy, Task};
use crate::ids::{AgentName, ChannelName, ModelRef, RuleName};

/// What is to be another in a rule; what is not named stays as it is. Null takes a condition away.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RoutingRuleChange, example = json!({"models": ["openai/gpt-5"], "hours": null}))]
pub struct RuleChange {
    /// Where it stands among the caller's own: 1 is the first to be looked at.
    #[schema(minimum = 1)]
    pub position: Option<usize>,
    pub name: Option<RuleName>,
    pub enabled: Option<bool>,
    #[schema(max_items = 32)]
    pub task: Option<Vec<Task>>,
    #[serde(deserialize_with = "also_null")]
    #[schema(value_type = Option<usize>)]
    pub min_chars: Option<Option<usize>>,
    #[serde(deserialize_with = "also_null")]
    #[schema(value_type = Option<usize>)]
    pub max_chars: Option<Option<usize>>,
    #[schema(max_items = 32)]
    pub needs: Option<Vec<Need>>,
    #[schema(max_items = 32)]
    pub language: Option<Vec<Language>>,
    #[schema(max_items = 32)]
    pub channel: Option<Vec<ChannelName>>,
    #[schema(max_items = 32)]
    pub agent: Option<Vec<AgentName>>,
    #[serde(deserialize_with = "also_null")]
    #[schema(value_type = Option<Hours>)]
    pub hours: Option<Option<Hours>>,
    #[schema(max_items = 32)]
    pub days: Option<Vec<Day>>,
    pub timezone: Option<Zone>,
    #[serde(deserialize_with = "also_null")]
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 1)]
    pub budget_left_below: Option<Option<f64>>,
    #[schema(max_items = 8)]
    pub models: Option<Vec<ModelRef>>,
    #[serde(deserialize_with = "also_null")]
    #[schema(value_type = Option<Strategy>)]
    pub strategy: Option<Option<Strategy>>,
}

/// Tells null from nothing.
fn also_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

impl RuleChange {
    /// The rule with what is named here in place of its own.
    #[must_use]
    pub fn over(self, rule: Rule) -> Rule {
        Rule {
            name: self.name.unwrap_or(rule.name),
            enabled: self.enabled.unwrap_or(rule.enabled),
            task: self.task.unwrap_or(rule.task),
            min_chars: self.min_chars.unwrap_or(rule.min_chars),
            max_chars: self.max_chars.unwrap_or(rule.max_chars),
            needs: self.needs.unwrap_or(rule.needs),
            language: self.language.unwrap_or(rule.language),
            channel: self.channel.unwrap_or(rule.channel),
            agent: self.agent.unwrap_or(rule.agent),
            hours: self.hours.unwrap_or(rule.hours),
            days: self.days.unwrap_or(rule.days),
            timezone: self.timezone.unwrap_or(rule.timezone),
            budget_left_below: self.budget_left_below.unwrap_or(rule.budget_left_below),
            models: self.models.unwrap_or(rule.models),
            strategy: self.strategy.unwrap_or(rule.strategy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rule::tests::{FULL, from_config};
    use super::*;

    #[test]
    fn a_change_leaves_what_it_does_not_name_and_null_takes_a_condition_away() {
        let rule = from_config(FULL).expect("all is well").remove(1);
        let change: RuleChange =
            serde_json::from_str(r#"{"hours": null, "task": [], "models": ["lab/other"], "enabled": true}"#)
                .expect("it reads");
        let expected = Rule {
            hours: None,
            task: Vec::new(),
            models: vec!["lab/other".parse().expect("valid")],
            enabled: true,
            ..rule.clone()
        };
        assert_eq!(change.over(rule.clone()), expected);
        assert_eq!(RuleChange::default().over(rule.clone()), rule);
        assert!(serde_json::from_str::<RuleChange>(r#"{"hour": null}"#).is_err());
    }
}

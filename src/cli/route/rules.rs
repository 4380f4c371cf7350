//! `mosaic route add | edit | remove`: rules of one's own.

use clap::Args;
use mosaic_types::page::Page;
use mosaic_types::routing::{Day, EffectiveRule, Hours, Language, Need, RuleSource, Strategy, Task, Zone};
use mosaic_types::{AgentName, ChannelName, Failure, ModelRef, RuleId, RuleName};
use serde_json::{Map, Value, json};

use crate::cli::client::Client;
use crate::cli::output::{Out, note};
use crate::cli::{CliError, Common};

const RULES: &str = "/api/v1/routing/rules";

/// When a rule holds, and what answers then. Lists are given by naming a flag again.
#[derive(Debug, Args)]
struct Says {
    /// What answers, in order of preference; none: the agent's own models
    #[arg(long, value_name = "PROVIDER/MODEL")]
    model: Vec<ModelRef>,
    /// How the models are used: fallback, race, compare or panel
    #[arg(long)]
    strategy: Option<Strategy>,
    /// The text asks for one of these: code, summary, translation, maths, writing, question, chat
    #[arg(long)]
    task: Vec<Task>,
    /// The text has so many characters or more
    #[arg(long, value_name = "N")]
    min_chars: Option<usize>,
    /// The text has so many characters or fewer
    #[arg(long, value_name = "N")]
    max_chars: Option<usize>,
    /// It needs all of these: vision, tools, thinking, json
    #[arg(long, value_name = "NEED")]
    needs: Vec<Need>,
    /// The text is in one of these, as in de
    #[arg(long)]
    language: Vec<Language>,
    /// It came over one of these: api, or a channel's name
    #[arg(long, value_name = "NAME")]
    channel: Vec<ChannelName>,
    /// One of these answers
    #[arg(long, value_name = "NAME")]
    agent: Vec<AgentName>,
    /// It begins in this part of the day, as in 22:00-06:00
    #[arg(long)]
    hours: Option<Hours>,
    /// It begins on one of these days: mon to sun
    #[arg(long)]
    days: Vec<Day>,
    /// Where hours and days are meant, as in Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<Zone>,
    /// Of a budget less than this part is left, from 0 to 1
    #[arg(long, value_name = "PART")]
    budget_left_below: Option<f64>,
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// How it is spoken of: 1 to 64 characters of A-Z a-z 0-9 _ -
    name: RuleName,
    #[command(flatten)]
    says: Says,
}

#[derive(Debug, Args)]
pub(super) struct Edit {
    /// Its name
    name: RuleName,
    /// Another name
    #[arg(long, value_name = "NAME")]
    rename: Option<RuleName>,
    /// Where it stands among your own: 1 is the first to be looked at
    #[arg(long, value_name = "N")]
    position: Option<usize>,
    /// Switch it on
    #[arg(long, conflicts_with = "off")]
    on: bool,
    /// Switch it off: it is passed over
    #[arg(long)]
    off: bool,
    /// Take a condition, the models or the strategy away; may be given again
    #[arg(long, value_name = "KEY", value_parser = CLEARED)]
    clear: Vec<String>,
    #[command(flatten)]
    says: Says,
}

/// What can be taken away: lists, then the rest.
const CLEARED: [&str; 12] = [
    "models",
    "task",
    "needs",
    "language",
    "channel",
    "agent",
    "days",
    "strategy",
    "min_chars",
    "max_chars",
    "hours",
    "budget_left_below",
];

/// The first of [`CLEARED`] that is no list.
const LISTS: usize = 7;

impl Says {
    /// What is named, as the API has it.
    fn named(self) -> Map<String, Value> {
        let Self { model, strategy, task, min_chars, max_chars, needs, language, channel, agent, hours, days, .. } =
            self;
        let (timezone, budget_left_below) = (self.timezone, self.budget_left_below);
        let all = json!({
            "models": model, "strategy": strategy, "task": task, "min_chars": min_chars, "max_chars": max_chars,
            "needs": needs, "language": language, "channel": channel, "agent": agent, "hours": hours, "days": days,
            "timezone": timezone, "budget_left_below": budget_left_below,
        });
        let mut all = all.as_object().cloned().unwrap_or_default();
        all.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
        all
    }
}

pub(super) async fn add(common: &Common, Add { name, says }: Add) -> Result<(), CliError> {
    let client = Client::need(common)?;
    let mut rule = says.named();
    rule.insert("name".to_owned(), json!(name));
    told(common, &client.post::<Value>(RULES, &Value::Object(rule)).await?, "is made")
}

pub(super) async fn edit(common: &Common, edit: Edit) -> Result<(), CliError> {
    let client = Client::need(common)?;
    let id = find(&client, &edit.name).await?;
    let mut change = edit.says.named();
    for key in &edit.clear {
        let list = CLEARED.iter().position(|known| known == key).is_some_and(|at| at < LISTS);
        if change.insert(key.clone(), if list { json!([]) } else { Value::Null }).is_some() {
            return Err(CliError::Usage(format!("{key} is set and cleared at once.")));
        }
    }
    let more = [
        ("name", edit.rename.map(|name| json!(name))),
        ("position", edit.position.map(|position| json!(position))),
        ("enabled", (edit.on || edit.off).then(|| json!(edit.on))),
    ];
    change.extend(more.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    if change.is_empty() {
        return Err(CliError::Usage("Name what is to be another, as in --model or --off.".to_owned()));
    }
    told(common, &client.patch::<Value>(&format!("{RULES}/{id}"), &Value::Object(change)).await?, "is changed")
}

pub(super) async fn remove(common: &Common, name: &RuleName) -> Result<(), CliError> {
    let client = Client::need(common)?;
    let id = find(&client, name).await?;
    client.delete(&format!("{RULES}/{id}")).await?;
    note(&format!("The rule {name} is removed."));
    Ok(())
}

/// The id of a rule of one's own.
async fn find(client: &Client, name: &RuleName) -> Result<RuleId, CliError> {
    let rules = client.get::<Page<EffectiveRule>>(&format!("{RULES}/effective")).await?.items;
    let own = |rule: &&EffectiveRule| rule.source == RuleSource::User && rule.rule.name == *name;
    if let Some(id) = rules.iter().find(own).and_then(|rule| rule.id) {
        return Ok(id);
    }
    if rules.iter().any(|rule| rule.rule.name == *name) {
        let sentence = format!("The rule {name} stands in the config, under [[routing.rules]]: change it there.");
        return Err(CliError::Failed(sentence));
    }
    Err(Failure::not_found("rule").into())
}

fn told(common: &Common, rule: &Value, what: &str) -> Result<(), CliError> {
    if common.json {
        let mut out = Out::new();
        out.json(rule)?;
        return out.end();
    }
    let name = rule["rule"]["name"].as_str().unwrap_or_default();
    note(&format!("The rule {name} {what}. `mosaic route list` shows when it holds and what it does."));
    Ok(())
}

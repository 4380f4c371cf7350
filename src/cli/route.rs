//! `mosaic route`: which models answer, and why.

mod rules;

use std::io::Read;

use clap::{Args, Subcommand};
use mosaic_runtime::routing::{Asked, explain_alone, tokens_of};
use mosaic_types::journal::API_CHANNEL;
use mosaic_types::page::Page;
use mosaic_types::routing::{EffectiveRule, Explained, Need, RuleSource};
use mosaic_types::{AgentName, ChannelName, Code, Failure, RuleName, Timestamp, UserId, limits};
use serde_json::json;

use super::client::Client;
use super::output::{Out, note, one_line};
use super::{CliError, Common};
use crate::{app, outside};

/// Show which rules choose the models that answer, and explain where a text would go
#[derive(Debug, Args)]
pub(super) struct Route {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the rules that hold for you, in the order in which they are looked at
    #[command(after_help = "Your own rules go before those of the config; the first that holds decides.")]
    List,
    /// Make a rule of your own, behind those that you have
    #[command(after_help = "mosaic route add code --task code --model openai/gpt-5 --model anthropic/claude-opus-5\n\
                            mosaic route add night --hours 22:00-06:00 --timezone Europe/Berlin --strategy race\n\n\
                            It holds for what you ask from now on. A rule without a condition holds always.")]
    Add(rules::Add),
    /// Change a rule of your own: what is not named stays as it is
    #[command(after_help = "mosaic route edit code --model openai/gpt-5 --position 1\n\
                            mosaic route edit night --clear hours --off")]
    Edit(rules::Edit),
    /// Remove a rule of your own
    Remove {
        /// Its name
        name: RuleName,
    },
    /// Say what a text would be taken for, which rule would decide, and which models would answer
    #[command(after_help = "mosaic route explain \"Refactor this function\"\n\
                            mosaic route explain --agent poet --at 2026-11-23T23:00:00Z - < message.txt\n\n\
                            Nobody is asked and nothing is sent. Without a daemon the rules of the config are looked at.")]
    Explain(Explain),
}

#[derive(Debug, Args)]
struct Explain {
    /// What would be said; with -, stdin is read to its end
    text: String,
    /// Who would answer [default: the default agent]
    #[arg(long, value_name = "NAME")]
    agent: Option<AgentName>,
    /// Over which channel [default: api]
    #[arg(long, value_name = "NAME")]
    channel: Option<ChannelName>,
    /// What would go with it: vision, tools, thinking or json; may be given again
    #[arg(long, value_name = "NEED")]
    needs: Vec<Need>,
    /// When: 2026-11-23, or 2026-11-23T08:00:00Z [default: now]
    #[arg(long, value_name = "MOMENT")]
    at: Option<Timestamp>,
}

pub(super) async fn run(common: Common, route: Route) -> Result<(), CliError> {
    match route.command {
        Command::List => list(&common).await,
        Command::Add(add) => rules::add(&common, add).await,
        Command::Edit(edit) => rules::edit(&common, edit).await,
        Command::Remove { name } => rules::remove(&common, &name).await,
        Command::Explain(explain) => tell(&common, explain).await,
    }
}

async fn list(common: &Common) -> Result<(), CliError> {
    let rules = match Client::find(common)? {
        Some(client) => client.get::<Page<EffectiveRule>>("/api/v1/routing/rules/effective").await?.items,
        None => configured(common)?,
    };
    let mut out = Out::new();
    if common.json {
        rules.iter().try_for_each(|rule| out.json(rule))?;
    } else if rules.is_empty() {
        note("There are no rules: each agent's own models answer. [[routing.rules]] in the config makes some.");
    } else {
        let cells = |rule: &EffectiveRule| {
            let does = match &rule.off {
                Some(off) => format!("nothing: {off}"),
                None => rule.does.clone(),
            };
            vec![
                rule.position.to_string(),
                rule.rule.name.to_string(),
                rule.source.as_str().to_owned(),
                one_line(&rule.rule.when()),
                one_line(&does),
            ]
        };
        let rows: Vec<_> = rules.iter().map(cells).collect();
        out.table(&["#", "NAME", "SOURCE", "WHEN", "DOES"], &rows)?;
    }
    out.end()
}

/// The rules that a daemon would have for everyone if it started now.
fn configured(common: &Common) -> Result<Vec<EffectiveRule>, CliError> {
    let config = common.config(&common.home()?)?;
    let rules = config.routing.rules.iter().enumerate();
    Ok(rules.map(|(at, rule)| EffectiveRule::of(at + 1, RuleSource::Config, None, rule, |_| None)).collect())
}

async fn tell(common: &Common, mut ask: Explain) -> Result<(), CliError> {
    if ask.text == "-" {
        ask.text.clear();
        let most = u64::try_from(4 * limits::TEXT_CHARS).unwrap_or(u64::MAX);
        let read = std::io::stdin().lock().take(most).read_to_string(&mut ask.text);
        read.map_err(|error| CliError::Failed(format!("cannot read stdin: {error}")))?;
    }
    let explained = match Client::find(common)? {
        Some(client) => {
            let Explain { text, agent, channel, needs, at } = ask;
            let question = json!({"text": text, "agent": agent, "channel": channel, "needs": needs, "at": at});
            client.post::<Explained>("/api/v1/routing/explain", &question).await?
        }
        None => alone(common, &ask).await?,
    };
    let mut out = Out::new();
    if common.json {
        out.json(&explained)?;
    } else {
        for line in lines(&explained) {
            out.line(&line)?;
        }
        let cells = |rule: &mosaic_types::routing::Weighed| {
            let (source, verdict) = (rule.source.as_str().to_owned(), rule.verdict.as_str().to_owned());
            vec![one_line(&rule.rule), source, verdict, one_line(&rule.why)]
        };
        let rows: Vec<_> = explained.rules.iter().map(cells).collect();
        if !rows.is_empty() {
            out.line("")?;
            out.table(&["RULE", "SOURCE", "VERDICT", "WHY"], &rows)?;
        }
    }
    out.end()
}

/// What is said above the rules.
fn lines(explained: &Explained) -> Vec<String> {
    let Explained { task, confidence, cues, language, chars, needs, agent, channel, at, .. } = explained;
    let cues: Vec<String> = cues.iter().map(|cue| one_line(cue)).collect();
    let language = language.map_or_else(|| "not known".to_owned(), |language| language.to_string());
    let needs: Vec<&str> = needs.iter().map(|need| need.as_str()).collect();
    let needs = if needs.is_empty() { String::new() } else { format!(", needs {}", needs.join(" and ")) };
    let models: Vec<String> = explained.models.iter().map(ToString::to_string).collect();
    let models = match models.as_slice() {
        [] => "none: no provider is set up".to_owned(),
        [only] => only.clone(),
        several => format!("{} (by {})", several.join(", then "), explained.strategy),
    };
    let left = explained.budget_left.map(|left| format!(", {:.0} % of a budget left", left * 100.0));
    vec![
        format!("task      {task}, {confidence} % sure: {}", cues.join(", ")),
        format!("language  {language}"),
        format!("turn      {chars} characters to {agent} over {channel} at {at}{needs}{}", left.unwrap_or_default()),
        format!("models    {models}"),
        format!("reason    {}", one_line(&explained.reason)),
    ]
}

/// As a daemon would say it if it started now, by the rules of the config.
async fn alone(common: &Common, ask: &Explain) -> Result<Explained, CliError> {
    let config = common.config(&common.home()?)?;
    let (built, _, first) = app::providers(&config, &common.env()).await?;
    let agent = ask.agent.clone().unwrap_or_else(|| config.default_agent.clone());
    let profiles = app::profiles(&config, &first);
    let Some(profile) = profiles.iter().find(|profile| profile.name == agent) else {
        let names: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
        let sentence = format!("There is no agent {agent}. Those there are: {}.", names.join(", "));
        return Err(Failure::new(Code::AgentNotFound, sentence).into());
    };
    if !common.json {
        note("No daemon runs on this home, so only the rules of the config are looked at.");
    }
    let texts = [ask.text.as_str()];
    let asked = Asked {
        user: UserId(uuid::Uuid::nil()),
        session: None,
        texts: &texts,
        attached: 0,
        agent: &agent,
        channel: ask.channel.as_ref().map_or(API_CHANNEL, ChannelName::as_str),
        needs: &ask.needs,
        tokens: tokens_of(texts.into_iter()),
        at: ask.at.unwrap_or_else(|| outside::system().now()),
    };
    Ok(explain_alone(&config.routing.rules, profile, &built, asked))
}

//! What commands answer: plain text, made of what is known. What people and models wrote stays in its place there.

use std::sync::Arc;

use mosaic_types::command::{COMMANDS, Command};
use mosaic_types::journal::{MessageRow, SessionRow};
use mosaic_types::ledger::{UsageSum, dollars};
use mosaic_types::{AgentName, Role, UserRole};

use crate::agent::AgentProfile;
use crate::budget::Left;

/// Characters of one message that `/history` shows.
pub(super) const SHOWN: usize = 500;

/// What the commands do that `role` may use, or the one that was asked for.
pub(super) fn help(which: Option<&Command>, role: UserRole) -> String {
    match which {
        Some(command) => format!("{}: {} It takes the role {}.", command.usage, command.help, command.role),
        None => {
            let allowed = COMMANDS.iter().filter(|command| command.check(role).is_ok());
            lines(allowed.map(|command| format!("{}: {}", command.usage, command.help)))
        }
    }
}

/// Where a session stands.
pub(super) fn status(row: &SessionRow, agent: Option<&AgentProfile>, down: Option<&str>, draining: bool) -> String {
    let mut told = vec![format!("Session: {}", row.id)];
    if !row.title.is_empty() {
        told.push(format!("Title: {}", one_line(&row.title)));
    }
    told.push(match down {
        Some(why) => format!("State: {} ({})", row.state.as_str(), one_line(why)),
        None => format!("State: {}", row.state.as_str()),
    });
    told.push(match agent {
        Some(agent) => format!("Agent: {}", introduced(agent)),
        None => format!("Agent: {}, which is not configured any more; /agents lists those there are", row.agent),
    });
    if let Some(model) = &row.model {
        told.push(format!("Model: {model}, until /model auto"));
    }
    if row.archived {
        told.push("Archived: yes; a message makes it active again".to_owned());
    }
    if draining {
        told.push("Mosaic is stopping: what runs goes on to its end, new messages are refused.".to_owned());
    }
    lines(told)
}

/// The agents there are.
pub(super) fn agents(all: &[Arc<AgentProfile>], here: &AgentName) -> String {
    if all.is_empty() {
        return "No agent is configured.".to_owned();
    }
    lines(all.iter().map(|agent| {
        let mark = if agent.name == *here { ", answers here" } else { "" };
        format!("{}{mark}", introduced(agent))
    }))
}

fn introduced(agent: &AgentProfile) -> String {
    let models: Vec<_> = agent.models.iter().map(ToString::to_string).collect();
    format!("{} ({})", agent.name, if models.is_empty() { "no model".to_owned() } else { models.join(", ") })
}

/// The end of a transcript. Whatever a message says, only the first of its lines begins at the margin, so that none can
/// pass for another's.
pub(super) fn history(messages: &[MessageRow]) -> String {
    if messages.is_empty() {
        return "Nothing was said here yet.".to_owned();
    }
    lines(messages.iter().map(|message| {
        let who = match (message.role, &message.agent) {
            (Role::User, _) => "you",
            (_, Some(agent)) => agent.as_str(),
            (role, None) => role.as_str(),
        };
        let mut shown: String = message.text.trim().chars().take(SHOWN).collect();
        if shown.len() < message.text.trim().len() {
            shown.push('…');
        }
        let text: Vec<_> = shown.lines().map(one_line).collect();
        format!("{who}: {}", text.join("\n  "))
    }))
}

/// What was spent.
pub(super) fn cost(spans: &[(String, Option<UsageSum>)], left: &[Left]) -> String {
    let told = |(span, sum): &(String, Option<UsageSum>)| match sum {
        None => format!("{span}: nothing"),
        Some(sum) => {
            let turns = if sum.turns == 1 { "1 turn".to_owned() } else { format!("{} turns", sum.turns) };
            let (input, output) = (sum.input_tokens, sum.output_tokens);
            format!("{span}: {turns}, {input} tokens in, {output} tokens out, {}", sum.cost())
        }
    };
    let budget =
        |left: &Left| format!("Budget for {}: {} of {} left", left.account, dollars(left.left), dollars(left.usd));
    lines(spans.iter().map(told).chain(left.iter().map(budget)))
}

/// On one line, and without what a terminal would obey.
fn one_line(text: &str) -> String {
    let obeyed = |c: char| {
        c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if obeyed(c) { ' ' } else { c }).collect()
}

fn lines(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use mosaic_types::journal::SessionPhase;
    use mosaic_types::{Timestamp, TurnId, UserId};
    use uuid::Uuid;

    use super::*;

    fn poet() -> AgentProfile {
        AgentProfile {
            tools: Default::default(),
            name: "poet".parse().expect("valid"),
            system: "never shown".into(),
            models: vec!["lab/m-1".parse().expect("valid"), "lab/m-2".parse().expect("valid")],
            context_tokens: 1,
            max_output_tokens: None,
            temperature: None,
            reuse: None,
            fanout: Default::default(),
            queue: mosaic_types::QueueMode::default(),
        }
    }

    fn row(title: &str, state: SessionPhase) -> SessionRow {
        SessionRow {
            id: "kitchen".parse().expect("valid"),
            user: UserId(Uuid::nil()),
            agent: "poet".parse().expect("valid"),
            title: title.to_owned(),
            channel: "api".to_owned(),
            archived: false,
            model: None,
            state,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        }
    }

    fn message(role: Role, text: &str) -> MessageRow {
        MessageRow {
            tool_calls: Vec::new(),
            tool_call_id: None,
            tool: None,
            id: "kitchen.1".to_owned(),
            seq: 1,
            turn: TurnId(Uuid::nil()),
            role,
            agent: (role == Role::Assistant).then(|| "poet".parse().expect("valid")),
            text: text.to_owned(),
            ended: None,
            attachments: Vec::new(),
            created_at: Timestamp(0),
        }
    }

    #[test]
    fn help_lists_what_one_may_use() {
        let all = help(None, UserRole::Owner);
        assert_eq!(all.lines().count(), COMMANDS.len());
        assert!(all.starts_with("/help [COMMAND]: Lists the commands, or explains one.\n/new [AGENT]: "), "{all}");
        let viewer = help(None, UserRole::Viewer);
        assert!(viewer.contains("/cost") && !viewer.contains("/stop") && !viewer.contains("/new"), "{viewer}");
        let one = help(Some(Command::find("stop").expect("there is one")), UserRole::Viewer);
        assert_eq!(one, "/stop: Cancels the running turn. It takes the role member.");
    }

    #[test]
    fn status_says_what_holds_and_why_it_is_down() {
        let told = status(&row("Break\nfast\u{1b}[2J", SessionPhase::Running), Some(&poet()), None, false);
        assert_eq!(told, "Session: kitchen\nTitle: Break fast [2J\nState: running\nAgent: poet (lab/m-1, lab/m-2)");
        let told = status(&row("", SessionPhase::Down), None, Some("it panicked"), true);
        assert!(told.starts_with("Session: kitchen\nState: down (it panicked)\nAgent: poet, which is not"), "{told}");
        assert!(told.contains("\nMosaic is stopping"), "{told}");
    }

    #[test]
    fn agents_are_listed_with_their_models() {
        let other = AgentProfile { name: "clerk".parse().expect("valid"), models: vec![], ..poet() };
        let told = agents(&[Arc::new(other), Arc::new(poet())], &poet().name);
        assert_eq!(told, "clerk (no model)\npoet (lab/m-1, lab/m-2), answers here");
    }

    #[test]
    fn no_message_can_pass_for_another_in_the_history() {
        assert_eq!(history(&[]), "Nothing was said here yet.");
        let forged = message(Role::User, "hi\npoet: yes, I will\r\u{7}\u{2028}poet: \u{202e}no\n");
        let long = message(Role::Assistant, &"ä".repeat(SHOWN + 1));
        let told = history(&[forged, long, message(Role::Assistant, &"ä".repeat(SHOWN))]);
        let told: Vec<_> = told.lines().collect();
        assert_eq!(told[..2], ["you: hi", "  poet: yes, I will   poet:  no"]);
        assert_eq!(told[2], format!("poet: {}…", "ä".repeat(SHOWN)));
        assert_eq!(told[3], format!("poet: {}", "ä".repeat(SHOWN)));
    }

    #[test]
    fn what_was_spent_is_told_with_what_has_no_price() {
        let sum = UsageSum {
            key: "2026-11-23".to_owned(),
            turns: 1,
            calls: 1,
            input_tokens: 20,
            output_tokens: 3,
            cost_usd: Some(0.25),
            unpriced_turns: 0,
        };
        let mut month = sum.clone();
        month.add(&UsageSum { cost_usd: None, unpriced_turns: 1, ..sum.clone() });
        let spans =
            [("This session".to_owned(), None), ("Today".to_owned(), Some(sum)), ("Month".to_owned(), Some(month))];
        let left = [Left { account: "today".to_owned(), usd: 5.0, left: 3.25 }];
        assert_eq!(
            cost(&spans, &left),
            "This session: nothing\nToday: 1 turn, 20 tokens in, 3 tokens out, $0.2500\n\
             Month: 2 turns, 40 tokens in, 6 tokens out, $0.2500, 1 without a price\n\
             Budget for today: $3.25 of $5.00 left"
        );
    }
}

//! Slash commands: one list, for every place where people type.
//!
//! A [`Line`] is what was typed, read as far as it can be without asking anyone; who may use it and what comes of it is
//! the runtime's business.

use std::str::FromStr;

use serde::Serialize;

use crate::failure::{Code, Failure};
use crate::ids::{AgentName, BadId, ModelRef, TurnId};
use crate::principal::UserRole;
use crate::settings::nearest;

/// Messages that `/history` shows where no number is typed, and at the most.
pub const HISTORY: (u32, u32) = (10, 50);

/// What `/stop` says where something ran.
pub const CANCELLED: &str = "Cancelled.";

/// What it says of a turn that it names and that runs no more.
pub const OVER: &str = "That answer is over already.";

/// What `/retry` says where something is asked once more.
pub const ASKED_AGAIN: &str = "Asked again.";

/// What it says of a turn that it names and that was not the last one.
pub const WENT_ON: &str = "The conversation went on since then. To ask the last question again, type /retry.";

/// Characters of an unknown name that are looked at, and said again in the answer.
const NAME_CHARS: usize = 32;

/// Which model is to answer in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelWish {
    /// Those of its agent.
    Auto,
    /// This one and no other.
    Only(ModelRef),
}

impl ModelWish {
    /// The model, unless it is left to the agent.
    pub fn model(self) -> Option<ModelRef> {
        match self {
            Self::Auto => None,
            Self::Only(model) => Some(model),
        }
    }
}

impl FromStr for ModelWish {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        if text.eq_ignore_ascii_case(ModelRef::AUTO) { Ok(Self::Auto) } else { text.parse().map(Self::Only) }
    }
}

/// A command as people see it.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Command {
    /// Without the slash.
    pub name: &'static str,
    /// How it is typed.
    pub usage: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
    /// Who may use it.
    pub role: UserRole,
    /// Reads what was typed after the name.
    #[serde(skip)]
    read: fn(&'static Self, &str) -> Result<Request, Failure>,
}

impl PartialEq for Command {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// What a command asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// What the commands do, or one of them.
    Help(Option<&'static Command>),
    /// A new session, with this agent or the present one.
    New(Option<AgentName>),
    Status,
    /// Who answers, or that somebody else shall.
    Agent(Option<AgentName>),
    Agents,
    /// Which model answers, or that another one shall.
    Model(Option<ModelWish>),
    /// What was asked last, once more; where a turn is named, only if it was that one.
    Retry(Option<TurnId>),
    /// What runs is cancelled; where a turn is named, that one and no other.
    Stop(Option<TurnId>),
    /// The last so many messages.
    History(u32),
    Cost,
}

/// Every command there is, in the order in which they are shown.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "help",
        usage: "/help [COMMAND]",
        help: "Lists the commands, or explains one.",
        role: UserRole::Viewer,
        read: |_, rest| match rest {
            "" => Ok(Request::Help(None)),
            name => Command::find(name.strip_prefix('/').unwrap_or(name)).map(|command| Request::Help(Some(command))),
        },
    },
    Command {
        name: "new",
        usage: "/new [AGENT]",
        help: "Begins a new session, with the same agent or another.",
        role: UserRole::Member,
        read: |command, rest| command.agent(rest).map(Request::New),
    },
    Command {
        name: "status",
        usage: "/status",
        help: "Says where this session stands.",
        role: UserRole::Viewer,
        read: |command, rest| command.alone(rest, Request::Status),
    },
    Command {
        name: "agent",
        usage: "/agent [NAME]",
        help: "Says who answers here, or lets another agent answer from the next turn on.",
        role: UserRole::Member,
        read: |command, rest| command.agent(rest).map(Request::Agent),
    },
    Command {
        name: "agents",
        usage: "/agents",
        help: "Lists the agents.",
        role: UserRole::Viewer,
        read: |command, rest| command.alone(rest, Request::Agents),
    },
    Command {
        name: "model",
        usage: "/model [PROVIDER/MODEL | auto]",
        help: "Says which model answers here, or lets that one answer until /model auto.",
        role: UserRole::Member,
        read: |command, rest| match rest {
            "" => Ok(Request::Model(None)),
            name => {
                let wish = name.parse().map_err(|bad| command.wrong(&format!("{bad}")))?;
                Ok(Request::Model(Some(wish)))
            }
        },
    },
    Command {
        name: "retry",
        usage: "/retry",
        help: "Asks once more what was asked last; its answer leaves the dialogue.",
        role: UserRole::Member,
        read: |command, rest| command.turn(rest).map(Request::Retry),
    },
    Command {
        name: "stop",
        usage: "/stop",
        help: "Cancels the running turn.",
        role: UserRole::Member,
        read: |command, rest| command.turn(rest).map(Request::Stop),
    },
    Command {
        name: "history",
        usage: "/history [N]",
        help: "Shows the last messages: 10, or as many as you say, up to 50.",
        role: UserRole::Viewer,
        read: |command, rest| match rest {
            "" => Ok(Request::History(HISTORY.0)),
            count => match count.parse() {
                Ok(count) if (1..=HISTORY.1).contains(&count) => Ok(Request::History(count)),
                _ => Err(command.wrong(&format!("N is a whole number from 1 to {}", HISTORY.1))),
            },
        },
    },
    Command {
        name: "cost",
        usage: "/cost",
        help: "Says what was spent here, today and in 30 days, and what is left of each budget.",
        role: UserRole::Viewer,
        read: |command, rest| command.alone(rest, Request::Cost),
    },
];

impl Command {
    /// The command of that name; case does not matter.
    ///
    /// # Errors
    /// `command_not_found`, with the nearest name or all of them.
    pub fn find(name: &str) -> Result<&'static Self, Failure> {
        if let Some(found) = COMMANDS.iter().find(|command| command.name.eq_ignore_ascii_case(name)) {
            return Ok(found);
        }
        // Cut before it is compared: the work grows with its length.
        let name: String = name.chars().filter(|char| !char.is_control()).take(NAME_CHARS).collect();
        let advice = match nearest(&name, COMMANDS.iter().map(|command| command.name)) {
            Some(near) => format!("Did you mean /{near}?"),
            None => {
                let all: Vec<String> = COMMANDS.iter().map(|command| format!("/{}", command.name)).collect();
                format!("Those there are: {}.", all.join(", "))
            }
        };
        Err(Failure::new(Code::CommandNotFound, format!("There is no command /{name}. {advice}")))
    }

    /// Whether someone with `role` may use it.
    ///
    /// # Errors
    /// `forbidden`, with the role that is missing.
    pub fn check(&self, role: UserRole) -> Result<(), Failure> {
        if role >= self.role {
            return Ok(());
        }
        let sentence = format!("/{} takes the role {}; you have {role} here.", self.name, self.role);
        Err(Failure::new(Code::Forbidden, sentence))
    }

    fn alone(&'static self, rest: &str, request: Request) -> Result<Request, Failure> {
        if rest.is_empty() { Ok(request) } else { Err(self.wrong("nothing follows it")) }
    }

    /// A turn is named by what people press, never by what they type; so the usage does not tell of it.
    fn turn(&'static self, rest: &str) -> Result<Option<TurnId>, Failure> {
        match rest {
            "" => Ok(None),
            turn => turn.parse().map(Some).map_err(|_| self.wrong("nothing follows it")),
        }
    }

    fn agent(&'static self, rest: &str) -> Result<Option<AgentName>, Failure> {
        match rest {
            "" => Ok(None),
            name => name.parse().map(Some).map_err(|bad| self.wrong(&format!("{bad}"))),
        }
    }

    fn wrong(&self, why: &str) -> Failure {
        let why = why.trim_end_matches('.');
        Failure::new(Code::BadRequest, format!("This is typed as {}: {why}.", self.usage))
    }
}

/// A command with what was typed after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub command: &'static Command,
    pub request: Request,
}

impl FromStr for Line {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let typed = text.trim().strip_prefix('/').unwrap_or_default();
        let (name, rest) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
        if name.is_empty() {
            return Err(Failure::new(Code::BadRequest, "A command is a slash and a name, as in /help."));
        }
        let command = Command::find(name)?;
        Ok(Self { command, request: (command.read)(command, rest.trim())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Request, (Code, String)> {
        text.parse::<Line>().map(|line| line.request).map_err(|failure| (failure.code, failure.message.into_owned()))
    }

    #[test]
    fn a_line_is_a_slash_a_name_and_what_it_takes() {
        let poet: AgentName = "poet".parse().expect("valid");
        let stop = Command::find("stop").expect("there is one");
        let turn: TurnId = "0190163d-8694-739b-aea5-966c26f8ad91".parse().expect("valid");
        for (text, request) in [
            ("/help", Request::Help(None)),
            ("/help stop", Request::Help(Some(stop))),
            ("/help /STOP", Request::Help(Some(stop))),
            ("/new", Request::New(None)),
            ("  /AGENT \t poet  ", Request::Agent(Some(poet.clone()))),
            ("/new poet", Request::New(Some(poet))),
            ("/model", Request::Model(None)),
            ("/model AUTO", Request::Model(Some(ModelWish::Auto))),
            ("/model lab/m/1", Request::Model(Some(ModelWish::Only("lab/m/1".parse().expect("valid"))))),
            ("/history", Request::History(10)),
            ("/history\n50", Request::History(50)),
            ("/stop", Request::Stop(None)),
            ("/retry 0190163d-8694-739b-aea5-966c26f8ad91", Request::Retry(Some(turn))),
            ("/stop 0190163d-8694-739b-aea5-966c26f8ad91", Request::Stop(Some(turn))),
        ] {
            assert_eq!(read(text), Ok(request), "{text:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_with_how_it_is_typed() {
        for (text, says) in [
            ("/status now", "This is typed as /status: nothing follows it."),
            ("/stop it", "This is typed as /stop: nothing follows it."),
            ("/history 0", "This is typed as /history [N]: N is a whole number from 1 to 50."),
            ("/history 51", "1 to 50"),
            ("/history all", "1 to 50"),
            ("/model m-1", "a model is written provider/model"),
            ("/agent two words", "This is typed as /agent [NAME]: "),
            ("/new ../etc", "This is typed as /new [AGENT]: "),
        ] {
            let (code, sentence) = read(text).expect_err("it does not fit");
            assert!(code == Code::BadRequest && sentence.contains(says), "{text:?}: {sentence}");
        }
        for text in ["", "help", "/", "/ help", "hello /help"] {
            assert_eq!(read(text).expect_err("no command").0, Code::BadRequest, "{text:?}");
        }
    }

    #[test]
    fn an_unknown_command_is_told_the_nearest_or_all() {
        let unknown = |text: &str| {
            let (code, sentence) = read(text).expect_err("no command");
            assert_eq!(code, Code::CommandNotFound, "{text:?}");
            sentence
        };
        assert_eq!(unknown("/hlep"), "There is no command /hlep. Did you mean /help?");
        assert_eq!(unknown("/Histroy 3"), "There is no command /Histroy. Did you mean /history?");
        assert_eq!(unknown("/help agnets"), "There is no command /agnets. Did you mean /agents?");
        let all = unknown("/dance");
        assert!(COMMANDS.iter().all(|command| all.contains(&format!("/{}", command.name))), "{all}");
        // As long as a frame may be: cut, and answered at once.
        let long = unknown(&format!("/\u{7}{}", "x".repeat(1 << 20)));
        assert!(long.len() < 200 && !long.contains('\u{7}'), "{long}");
    }

    #[test]
    fn every_command_is_typed_by_its_name_and_explained_in_a_sentence() {
        for command in COMMANDS {
            let line: Line = format!("/{}", command.name).parse().expect("it takes nothing it must have");
            assert_eq!(line.command, command);
            let name = command.usage.split(' ').next().and_then(|first| first.strip_prefix('/'));
            assert_eq!(name, Some(command.name));
            assert!(command.help.ends_with('.') && !command.help.contains('\n'), "{}", command.help);
        }
        let told = [HISTORY.0, HISTORY.1].map(|count| count.to_string());
        let history = Command::find("history").expect("there is one");
        assert!(told.iter().all(|count| history.help.contains(count)), "{}", history.help);
    }

    #[test]
    fn a_viewer_may_look_and_change_nothing() {
        let may = |role| -> Vec<_> {
            COMMANDS.iter().filter(|command| command.check(role).is_ok()).map(|command| command.name).collect()
        };
        assert_eq!(may(UserRole::Viewer), ["help", "status", "agents", "history", "cost"]);
        assert_eq!(may(UserRole::Member).len(), COMMANDS.len());
        assert_eq!(may(UserRole::Owner).len(), COMMANDS.len());
    }
}

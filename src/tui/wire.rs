//! What is said on the daemon's socket, as this client needs it.

use mosaic_types::journal::{SessionPhase, TurnState};
use mosaic_types::{AgentName, Code, SessionEvent, SessionId, Timestamp, TurnId, UserRole};
use serde::{Deserialize, Serialize};

/// The version of the frames.
pub(crate) const PROTOCOL: u32 = 1;

/// A slash command, as the daemon offers it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Offer {
    pub(crate) name: String,
    pub(crate) usage: String,
    pub(crate) help: String,
    pub(crate) role: UserRole,
}

/// A row of the list of sessions.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Listed {
    pub(crate) id: SessionId,
    pub(crate) agent: AgentName,
    pub(crate) title: String,
    pub(crate) state: SessionPhase,
    /// Put away.
    #[serde(default)]
    pub(crate) archived: bool,
    pub(crate) updated_at: Timestamp,
}

/// An agent, as the daemon tells of it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Agent {
    pub(crate) name: AgentName,
    pub(crate) models: Vec<String>,
    pub(crate) default: bool,
    /// What it sends to a model at the most; older daemons do not tell.
    #[serde(default)]
    pub(crate) context_tokens: Option<u64>,
}

/// What the daemon says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Said {
    Ready {
        role: UserRole,
        commands: Vec<Offer>,
    },
    Ack {
        id: String,
        session: SessionId,
        turn: TurnId,
        state: TurnState,
    },
    Subscribed {
        session: SessionId,
    },
    Result {
        session: SessionId,
        asked: Option<String>,
        text: String,
    },
    Error {
        id: Option<String>,
        session: Option<SessionId>,
        code: Option<Code>,
        message: String,
    },
    Notice(String),
    Event(Box<SessionEvent>),
    /// Of no concern here, or of a later version.
    Other,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, rename = "type")]
    kind: std::borrow::Cow<'a, str>,
}

impl Said {
    /// Reads a frame.
    ///
    /// # Errors
    /// It is not what its type looks like.
    pub(crate) fn read(text: &str) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Ready {
            role: UserRole,
            commands: Vec<Offer>,
        }
        #[derive(Deserialize)]
        struct Ack {
            id: String,
            session: SessionId,
            turn: TurnId,
            state: TurnState,
        }
        #[derive(Deserialize)]
        struct Subscribed {
            session: SessionId,
        }
        #[derive(Deserialize)]
        struct Outcome {
            id: Option<String>,
            session: SessionId,
            text: String,
        }
        #[derive(Deserialize)]
        struct Error {
            id: Option<String>,
            session: Option<SessionId>,
            /// One of a later version is none that is known.
            code: serde_json::Value,
            message: String,
        }
        #[derive(Deserialize)]
        struct Notice {
            text: String,
        }

        let head: Head<'_> = serde_json::from_str(text)?;
        Ok(match head.kind.as_ref() {
            "ready" => {
                let Ready { role, commands } = serde_json::from_str(text)?;
                Self::Ready { role, commands }
            }
            "ack" => {
                let Ack { id, session, turn, state } = serde_json::from_str(text)?;
                Self::Ack { id, session, turn, state }
            }
            "subscribed" => Self::Subscribed { session: serde_json::from_str::<Subscribed>(text)?.session },
            "command.result" => {
                let Outcome { id, session, text } = serde_json::from_str(text)?;
                Self::Result { session, asked: id, text }
            }
            "error" => {
                let Error { id, session, code, message } = serde_json::from_str(text)?;
                Self::Error { id, session, code: serde_json::from_value(code).ok(), message }
            }
            "notice" => Self::Notice(serde_json::from_str::<Notice>(text)?.text),
            // Whatever else is said is of a session, or of no concern here; an event of a later version is none that this
            // one could show.
            _ => serde_json::from_str(text).map_or(Self::Other, |event| Self::Event(Box::new(event))),
        })
    }
}

/// What the client says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type")]
pub(crate) enum Ask {
    #[serde(rename = "connect")]
    Connect { protocol: u32 },
    #[serde(rename = "subscribe")]
    Subscribe { session: SessionId, after: i64 },
    #[serde(rename = "unsubscribe")]
    Unsubscribe { session: SessionId },
    #[serde(rename = "message.send")]
    Send {
        id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        session: Option<SessionId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        agent: Option<AgentName>,
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        mode: Option<&'static str>,
        /// Answers in place of the agent's models, for this turn.
        #[serde(skip_serializing_if = "Option::is_none")]
        model: Option<String>,
        /// The id of one's own message in whose place it stands.
        #[serde(skip_serializing_if = "Option::is_none")]
        replaces: Option<String>,
    },
    #[serde(rename = "turn.cancel")]
    Cancel {
        session: SessionId,
        /// The one that is seen to run: the next may have begun by the time it is heard.
        turn: TurnId,
    },
    #[serde(rename = "command.execute")]
    Execute { id: String, session: SessionId, line: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_by_their_type_and_unknown_ones_are_left_alone() {
        let ready = r#"{"type":"ready","user":"0190163d-8694-739b-aea5-966c26f8ad91","role":"owner","version":"1","protocol":1,
            "commands":[{"name":"help","usage":"/help","help":"Helps.","role":"viewer"}]}"#;
        let Said::Ready { role, commands } = Said::read(ready).expect("it is one") else { panic!("it is ready") };
        assert_eq!((role, commands[0].name.as_str()), (UserRole::Owner, "help"));
        let error = r#"{"type":"error","id":"a","code":"busy","message":"Wait.","retry_after_ms":1000}"#;
        let want = Said::Error { id: Some("a".into()), session: None, code: Some(Code::Busy), message: "Wait.".into() };
        assert_eq!(Said::read(error).expect("it is one"), want);
        assert_eq!(Said::read(r#"{"type":"turn.sung","session":"s","verse":1}"#).expect("it is one"), Said::Other);
        assert_eq!(Said::read(r#"{"type":"pong"}"#).expect("it is one"), Said::Other);
        assert!(Said::read("hello").is_err());
        let delta = r#"{"type":"turn.delta","attempt":1,"step":1,"offset":0,"text":"hi","session":"s1"}"#;
        assert!(matches!(Said::read(delta), Ok(Said::Event(_))));
        let superseded = r#"{"type":"messages.superseded","from":3,"session":"s1","seq":4}"#;
        assert!(matches!(Said::read(superseded), Ok(Said::Event(_))));
    }
}

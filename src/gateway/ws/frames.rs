//! What is said on a socket: JSON objects with a `type`. Session events go out as they are everywhere else.

use mosaic_types::command::Command;
use mosaic_types::journal::TurnState;
use mosaic_types::{AgentName, Code, Failure, Secret, Seq, SessionId, TurnId, UserId, UserRole};
use serde::{Deserialize, Deserializer, Serialize};

use crate::gateway::access::Access;
use crate::gateway::attachments::NewAttachment;

/// The version of all this. A client that asks for another is refused.
pub(super) const PROTOCOL: u32 = 1;

/// Characters of an `id` that a client gives its frames; the bound of an idempotency key.
const ID_CHARS: usize = 255;

/// Names of the frames, with what each asks of whoever sends it. A frame is known by standing here, so that none can be
/// without an entry.
macro_rules! frames {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $access:expr, { $($(#[$attr:meta])* $field:ident: $type:ty,)* })+) => {
        /// What a client says. Every frame may carry an `id`, which its answer or error repeats.
        #[derive(Debug, Clone, PartialEq, Deserialize)]
        #[serde(tag = "type", deny_unknown_fields)]
        pub(super) enum ClientFrame {
            $($(#[$doc])* #[serde(rename = $text)] $name {
                #[serde(default)] id: Option<String>,
                $($(#[$attr])* $field: $type,)*
            },)+
        }

        /// Every frame that a client may send, and who may.
        pub const FRAMES: &[(&str, Access)] = &[$(($text, $access)),+];

        impl ClientFrame {
            /// Who may send it.
            pub(super) fn access(&self) -> Access {
                match self { $(Self::$name { .. } => $access,)+ }
            }

            /// The frame's name.
            pub(super) fn name(&self) -> &'static str {
                match self { $(Self::$name { .. } => $text,)+ }
            }

            /// What the client calls this frame.
            pub(super) fn id(&self) -> Option<&str> {
                match self { $(Self::$name { id, .. } => id.as_deref(),)+ }
            }
        }
    };
}

const VIEWER: Access = Access::Least(UserRole::Viewer);
const MEMBER: Access = Access::Least(UserRole::Member);

frames! {
    /// Says who speaks; the first frame. A header of the upgrade may replace the token. Its trace context is that of
    /// every input without one of its own.
    Connect = "connect", Access::Open, {
        #[serde(default, deserialize_with = "secret")] token: Option<Secret>,
        protocol: u32,
        #[serde(default, deserialize_with = "context")] traceparent: Option<String>,
        #[serde(default, deserialize_with = "context")] tracestate: Option<String>,
    }
    /// Is answered by `pong`, for clients that cannot send the protocol's own.
    Ping = "ping", VIEWER, {}
    /// Follows a session after a position of its journal; 0, the default, is the beginning. Again: from there anew.
    Subscribe = "subscribe", VIEWER, {
        session: SessionId,
        #[serde(default)] after: Seq,
    }
    /// Follows a session no more.
    Unsubscribe = "unsubscribe", VIEWER, { session: SessionId, }
    /// An input. `id` is its idempotency key. Without a session, one is made for it, by the same key.
    MessageSend = "message.send", MEMBER, {
        #[serde(default)] session: Option<SessionId>,
        #[serde(default)] agent: Option<AgentName>,
        text: String,
        #[serde(default)] mode: Option<String>,
        #[serde(default)] model: Option<String>,
        #[serde(default)] replaces: Option<String>,
        #[serde(default)] attachments: Vec<NewAttachment>,
        #[serde(default, deserialize_with = "context")] traceparent: Option<String>,
        #[serde(default, deserialize_with = "context")] tracestate: Option<String>,
    }
    /// A slash command, as a person typed it. Each asks for a role of its own besides.
    CommandExecute = "command.execute", VIEWER, {
        session: SessionId,
        line: String,
    }
    /// Ends the running turn; where one is named, that one and no other.
    TurnCancel = "turn.cancel", MEMBER, {
        session: SessionId,
        #[serde(default)] turn: Option<TurnId>,
    }
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(Secret::new))
}

/// What is not even text is a bad trace context, and a bad one is ignored.
fn context<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(serde_json::Value::deserialize(from)?.as_str().map(str::to_owned))
}

/// A frame that cannot be read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unread {
    /// Its `id`, if that much could be read.
    pub(super) id: Option<String>,
    pub(super) failure: Failure,
}

/// Reads a frame, or says what is wrong with it.
pub(super) fn read(text: &str) -> Result<ClientFrame, Box<Unread>> {
    #[derive(Deserialize)]
    struct Head {
        #[serde(default)]
        id: Option<serde_json::Value>,
        #[serde(default, rename = "type")]
        kind: Option<serde_json::Value>,
    }

    let unread = |id: Option<serde_json::Value>, sentence: String| {
        let id = id.and_then(|id| id.as_str().map(|id| id.chars().take(ID_CHARS).collect()));
        Box::new(Unread { id, failure: Failure::new(Code::BadRequest, sentence) })
    };
    let error = match serde_json::from_str::<ClientFrame>(text) {
        Ok(frame) if frame.id().is_none_or(|id| (1..=ID_CHARS).contains(&id.len())) => return Ok(frame),
        Ok(frame) => {
            let id = frame.id().map(Into::into);
            return Err(unread(id, format!("An id has 1 to {ID_CHARS} characters.")));
        }
        Err(error) => error,
    };
    let Ok(head) = serde_json::from_str::<Head>(text) else {
        return Err(unread(None, format!("A frame is a JSON object with a type; this is not: {error}.")));
    };
    let kind = head.kind.as_ref().and_then(serde_json::Value::as_str);
    let sentence = match kind {
        Some(kind) if FRAMES.iter().any(|(name, _)| *name == kind) => {
            format!("This is not what {kind} looks like: {error}.")
        }
        Some(kind) => {
            let names: Vec<&str> = FRAMES.iter().map(|(name, _)| *name).collect();
            let kind: String = kind.chars().take(64).collect();
            format!("There is no frame of type {kind:?}. Those there are: {}.", names.join(", "))
        }
        None => "A frame has a type, as in {\"type\":\"ping\"}.".to_owned(),
    };
    Err(unread(head.id, sentence))
}

/// Where to read on in a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Position {
    pub(super) session: SessionId,
    pub(super) after: Seq,
}

/// What the daemon says, but for session events.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type")]
pub(super) enum ServerFrame<'a> {
    /// The client is known; everything may be asked now.
    #[serde(rename = "ready")]
    Ready { user: UserId, role: UserRole, version: &'static str, protocol: u32, commands: &'a [Command] },
    /// An input is stored.
    #[serde(rename = "ack")]
    Ack { id: &'a str, session: &'a SessionId, turn: TurnId, state: TurnState },
    /// What was journaled up to `after` was told; what follows happens now.
    #[serde(rename = "subscribed")]
    Subscribed { session: &'a SessionId, after: Seq },
    #[serde(rename = "unsubscribed")]
    Unsubscribed {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        session: &'a SessionId,
    },
    /// The answer to `turn.cancel`, once the end is stored; `null`: nothing ran, or another turn.
    #[serde(rename = "cancelled")]
    Cancelled {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        session: &'a SessionId,
        turn: Option<TurnId>,
    },
    /// The answer to `command.execute`. `session`: where the conversation goes on; `/new` makes another one.
    #[serde(rename = "command.result")]
    CommandResult {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        session: &'a SessionId,
        text: &'a str,
    },
    #[serde(rename = "error")]
    Error {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        /// The session whose events end here.
        #[serde(skip_serializing_if = "Option::is_none")]
        session: Option<&'a SessionId>,
        #[serde(flatten)]
        failure: &'a Failure,
        /// Where to read on, told to one who was too slow.
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        resume: &'a [Position],
    },
    #[serde(rename = "notice")]
    Notice { text: &'a str },
    #[serde(rename = "pong")]
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
    },
}

impl ServerFrame<'_> {
    /// The frame as it goes out.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("frames are made of what JSON knows")
    }
}

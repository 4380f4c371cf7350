//! Names of things, each a type of its own so that one cannot be taken for another.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use uuid::Uuid;

use crate::by_text::by_text;
use crate::schema::{self, schema};

/// Says why a text cannot be an id, in a sentence fit for the person who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadId(String);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $allowed:literal, $ok:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                let ok: fn(u8) -> bool = $ok;
                if text.is_empty() || text.len() > $max || !text.bytes().all(ok) {
                    return Err(BadId(format!(concat!($what, " is 1 to {} characters of ", $allowed), $max)));
                }
                Ok(Self(text.into()))
            }
        }

        by_text!($name);

        schema!($name, schema::name(concat!($what, ": 1 to ", $max, " characters of ", $allowed, "."), $max));

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// A session: chosen by the client or drawn by Mosaic.
    SessionId, "a session id", 64, "A-Z a-z 0-9 _ -", |b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'
);
text_id!(
    /// A configured agent, as in `[agents.NAME]`.
    AgentName, "an agent's name", 64, "A-Z a-z 0-9 _ -", |b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'
);
text_id!(
    /// A configured provider, as in `[providers.NAME]`.
    ProviderName, "a provider's name", 64, "A-Z a-z 0-9 _ -", |b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'
);
text_id!(
    /// A channel, as in `[channels.NAME]`.
    ChannelName, "a channel's name", 64, "A-Z a-z 0-9 _ -", |b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'
);
text_id!(
    /// A person, as people call them; unique whatever the case of its letters.
    UserName, "a user's name", 64, "A-Z a-z 0-9 _ -", |b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'
);
text_id!(
    /// A rule that says which models answer.
    RuleName, "a rule's name", 64, "A-Z a-z 0-9 _ -", |b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'
);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        schema!($name, schema::format($what, "uuid", "0190163d-8694-739b-aea5-966c26f8ad91"));

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }
    };
}

uuid_id!(
    /// A turn: version 7, so ids sort by the time they were drawn.
    TurnId, "a turn's id; ids sort by the time at which turns were accepted."
);
uuid_id!(
    /// A person known to Mosaic.
    UserId, "a person's id."
);
uuid_id!(
    /// An API token (its id, never its text).
    TokenId, "a token's id, never its text."
);
uuid_id!(
    /// A file that came with a message. A fork of the session keeps it.
    AttachmentId, "a file's id, within its session."
);
uuid_id!(
    /// A rule of a person's own.
    RuleId, "a rule's id."
);

/// Position of an event in its session's journal: 1, 2, 3 …, given by the writer.
pub type Seq = i64;

/// How often a session was taken into memory. A writer with an older epoch is refused, so two owners can never both
/// write.
pub type Epoch = i64;

/// A model at a provider, written `provider/model`.
///
/// The model [`ModelRef::AUTO`] stands for the first one the provider lists.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelRef {
    pub provider: ProviderName,
    pub model: Arc<str>,
}

schema!(
    ModelRef,
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("a model at a provider, written provider/model; provider/auto is the first that it lists."))
        .pattern(Some("^[A-Za-z0-9_-]{1,64}/.+$"))
        .examples(["openai/gpt-5-mini"])
);

impl ModelRef {
    /// Written in place of a model's name: whatever the provider lists first.
    pub const AUTO: &str = "auto";

    /// Whether the provider is to be asked which model this is.
    pub fn is_auto(&self) -> bool {
        &*self.model == Self::AUTO
    }
}

impl FromStr for ModelRef {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        match text.split_once('/') {
            Some((provider, model)) if !model.is_empty() && model.len() <= 256 => {
                Ok(Self { provider: provider.parse()?, model: model.into() })
            }
            _ => Err(BadId("a model is written provider/model, as in openai/gpt-5-mini".into())),
        }
    }
}

by_text!(ModelRef);

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}

impl fmt::Debug for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_ids_keep_to_their_alphabet() {
        assert!("a-B_9".parse::<SessionId>().is_ok());
        for bad in ["", "a b", "a/b", "ä", &"x".repeat(65)] {
            assert!(bad.parse::<SessionId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_models_name_may_hold_slashes_of_its_own() {
        let model: ModelRef = "router/meta/llama-3".parse().expect("valid");
        assert_eq!((model.provider.as_str(), &*model.model), ("router", "meta/llama-3"));
        assert!("llama".parse::<ModelRef>().is_err());
    }
}

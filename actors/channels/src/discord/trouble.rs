//! What a failed call, or the end of a connection, means.

use std::time::Duration;

use mosaic_types::outbox::Delivery;

use crate::channel::Cut;

/// What only a person can put right is tried again after so long.
const REFUSED: Duration = Duration::from_secs(300);

/// Where the switch for message content is.
pub(super) const CONTENT_SWITCH: &str = "https://discord.com/developers/applications, your application, Bot, Privileged Gateway Intents, Message Content Intent";

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Discord wants silence for so long: there, or for all that we do.
    Flood { wait: Duration, all: bool },
    /// It was not reached.
    Away,
    /// It could not, this time; nothing was taken.
    Failed,
    /// It was reached, and what it did is not known.
    CutOff,
    /// The message to change is not there, or can be changed no more.
    Lost,
    /// The token is refused.
    Token,
    /// It will never be taken: Discord's number for why (API reference, "JSON Error Codes"), and its words.
    Never { code: u64, why: String },
}

impl Trouble {
    /// What becomes of a delivery that met it, where nothing else can be done.
    pub(super) fn delivery(self) -> Delivery {
        match self {
            Self::Flood { wait, all } => Delivery::Later { after: Some(wait), all },
            Self::Away => Delivery::Later { after: None, all: true },
            Self::Token => Delivery::Later { after: Some(Duration::from_secs(60)), all: true },
            Self::CutOff => Delivery::NotKnown,
            Self::Never { code, why } => Delivery::Refused { why: format!("{why} ({code})") },
            Self::Failed | Self::Lost => Delivery::Later { after: None, all: false },
        }
    }

    /// What it means for the way in; `at` is the address that was called.
    pub(super) fn cut(&self, at: &str) -> Cut {
        match self {
            Self::Flood { wait, .. } => Cut::new("Discord asks for a pause.").after(*wait),
            Self::Token => token(),
            Self::Never { code, why } => Cut::new(format!("Discord refuses to be asked: {why} ({code}).")),
            _ => Cut::new(format!(
                "Discord cannot be reached at {at}, or breaks off. Is this machine online, and is that the address (api_url \
                 in the channel's table)?"
            )),
        }
    }
}

/// Why a connection of the gateway ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Left {
    /// Discord said goodbye, with this code.
    Closed(u16),
    /// It broke.
    Broken,
    /// It was there, and said nothing when it should have.
    Silent,
    /// Discord wants us on another connection.
    Asked,
    /// The session is no good any more.
    Lapsed,
    /// So many sessions were begun that no more can be, for so long.
    Spent(Duration),
    /// The house cannot say how far all was taken in.
    Unknown,
    /// A call on the way in failed.
    Call(Trouble),
    /// Its gateway was not reached, at this address.
    Unreached(String),
}

impl From<Trouble> for Left {
    fn from(trouble: Trouble) -> Self {
        Self::Call(trouble)
    }
}

impl Left {
    /// Whether the session may be resumed after this (API reference, "Gateway Close Event Codes").
    pub(super) fn keeps_session(&self) -> bool {
        !matches!(self, Self::Lapsed | Self::Closed(4_003 | 4_004 | 4_007 | 4_009..=4_014))
    }

    /// What it means for the way in; `at` is the address of Discord's REST.
    pub(super) fn cut(&self, at: &str) -> Cut {
        match self {
            Self::Closed(4_004) => token(),
            Self::Closed(4_014) => Cut::new(format!(
                "Discord refuses to tell this bot what messages say. Switch that on: {CONTENT_SWITCH}."
            ))
            .after(REFUSED),
            Self::Closed(4_011) => Cut::new(
                "This bot is in so many guilds that Discord wants it to share them between several connections, which Mosaic \
                 cannot do. Take it out of some.",
            )
            .after(REFUSED),
            Self::Closed(code @ (4_010 | 4_012 | 4_013)) => {
                Cut::new(format!("Discord does not understand this version of Mosaic ({code}). Is there a newer one?"))
                    .after(REFUSED)
            }
            Self::Closed(code) => Cut::new(format!("Discord ended the connection ({code}).")),
            Self::Broken => Cut::new("The connection to Discord broke off."),
            Self::Silent => Cut::new("Discord said nothing more on a connection that was still there."),
            Self::Asked => Cut::new("Discord asks for another connection again and again."),
            // Discord wants a pause of one to five seconds here (API reference, "Invalid Session").
            Self::Lapsed => Cut::new("Discord has forgotten this session.").after(Duration::from_secs(2)),
            Self::Spent(wait) => Cut::new(format!(
                "This bot has begun as many sessions today as Discord lets it. Another program may be using its token. The \
                 next try is in {} minutes.",
                wait.as_secs().div_ceil(60)
            ))
            .after(*wait),
            Self::Unknown => Cut::new("Where to go on from cannot be read from the store."),
            Self::Call(trouble) => trouble.cut(at),
            Self::Unreached(at) => {
                Cut::new(format!("Discord's gateway cannot be reached at {at}, or breaks off. Is this machine online?"))
            }
        }
    }
}

fn token() -> Cut {
    Cut::new(
        "Discord refuses the token. Make another at https://discord.com/developers/applications, your application, Bot, \
         Reset Token, and put it where the channel's table says.",
    )
    .after(REFUSED)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "https://discord.com";

    #[test]
    fn a_session_is_resumed_where_discord_allows_it_and_begun_anew_elsewhere() {
        let resumable = [1_000, 1_001, 1_006, 4_000, 4_001, 4_002, 4_005, 4_008];
        assert!(resumable.map(Left::Closed).iter().all(Left::keeps_session));
        let anew = [4_003, 4_004, 4_007, 4_009, 4_010, 4_011, 4_012, 4_013, 4_014];
        assert!(!anew.map(Left::Closed).iter().any(Left::keeps_session));
        assert!([Left::Broken, Left::Silent, Left::Asked].iter().all(Left::keeps_session));
        assert!(!Left::Lapsed.keeps_session());
    }

    #[test]
    fn what_only_a_person_can_put_right_says_where_and_is_tried_seldom() {
        for (code, says) in [(4_004, "Reset Token"), (4_014, "Message Content Intent"), (4_013, "newer")] {
            let cut = Left::Closed(code).cut(AT);
            assert!(cut.why.contains(says) && cut.after == Some(REFUSED), "{code}: {cut:?}");
        }
        assert_eq!(Left::Closed(4_000).cut(AT).after, None);
        assert_eq!(Left::Spent(Duration::from_secs(7_200)).cut(AT).after, Some(Duration::from_secs(7_200)));
    }

    #[test]
    fn a_pause_and_a_refusal_have_their_consequences() {
        let wait = Duration::from_secs(149);
        let flood = Trouble::Flood { wait, all: false };
        assert_eq!(flood.clone().delivery(), Delivery::Later { after: Some(wait), all: false });
        assert_eq!(flood.cut(AT).after, Some(wait));
        assert_eq!(Trouble::CutOff.delivery(), Delivery::NotKnown);
        let gone = Trouble::Never { code: 50_001, why: "Missing Access".into() };
        assert_eq!(gone.delivery(), Delivery::Refused { why: "Missing Access (50001)".into() });
    }
}

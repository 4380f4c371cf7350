//! Who may talk: entries of `allow`, and what a sender is known by.

use std::fmt;
use std::str::FromStr;

/// Something that a sender can be let in by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Mark {
    /// The sender themselves.
    User(String),
    /// A role that they have there.
    Role(String),
    /// The community that the place belongs to.
    Guild(String),
    /// The place.
    Chat(String),
}

impl Mark {
    fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::User(id) => ("user", id),
            Self::Role(id) => ("role", id),
            Self::Guild(id) => ("guild", id),
            Self::Chat(id) => ("chat", id),
        }
    }
}

impl FromStr for Mark {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let right = || "an entry is user:ID, role:ID, guild:ID or chat:ID, as in \"user:123\"".to_owned();
        let (kind, id) = text.split_once(':').ok_or_else(right)?;
        // Ids of platforms are numbers; those of Telegram's groups are negative.
        if id.strip_prefix('-').unwrap_or(id).is_empty()
            || !id.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
        {
            return Err(format!("{}; ID is the platform's number, not a name", right()));
        }
        match kind {
            "user" => Ok(Self::User(id.to_owned())),
            "role" => Ok(Self::Role(id.to_owned())),
            "guild" => Ok(Self::Guild(id.to_owned())),
            "chat" => Ok(Self::Chat(id.to_owned())),
            _ => Err(right()),
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, id) = self.parts();
        write!(f, "{kind}:{id}")
    }
}

/// Whether any of a sender's marks is on the list; an empty list lets nobody in.
pub fn is_allowed(list: &[Mark], marks: &[Mark]) -> bool {
    marks.iter().any(|mark| list.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_matching_entry_suffices_and_an_empty_list_lets_nobody_in() {
        let list: Vec<Mark> = ["user:1", "chat:-100200"].map(|text| text.parse().expect("valid")).into();
        let user = |id: &str| Mark::User(id.into());
        assert!(is_allowed(&list, &[user("1"), Mark::Chat("5".into())]));
        assert!(is_allowed(&list, &[user("2"), Mark::Chat("-100200".into())]));
        assert!(!is_allowed(&list, &[user("2"), Mark::Chat("1".into())]), "a chat is no user of the same number");
        assert!(!is_allowed(&[], &[user("1")]));
        assert_eq!(list.iter().map(Mark::to_string).collect::<Vec<_>>(), ["user:1", "chat:-100200"]);
    }

    #[test]
    fn what_is_no_entry_is_refused_with_an_example() {
        for text in ["", "1", "user:", "user:-", "user:ada", "room:1", "@ada"] {
            let told = text.parse::<Mark>().expect_err(text);
            assert!(told.contains("user:123"), "{told}");
        }
    }
}

//! The words that rules are made of. Each is one of a fixed few, so that it may be a metric's label.

use serde::Serialize;

use crate::schema;
use crate::settings::suggest;

/// An enum whose values are known by a word each, in JSON, in the config and in sentences.
macro_rules! words {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[$of:meta])* $value:ident = $word:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        pub enum $name {
            $($(#[$of])* #[serde(rename = $word)] $value,)+
        }

        impl $name {
            /// All of them with their words.
            pub const NAMED: &[(&'static str, Self)] = &[$(($word, Self::$value)),+];

            /// Its word.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)+
                }
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                schema::words(concat!($($doc),+).trim(), [$($word),+]).into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                // Supervisors have strategies too.
                concat!("Routing", stringify!($name)).into()
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                let shown: String = text.chars().take(60).collect();
                text.parse().map_err(|right| serde::de::Error::custom(format!("{shown:?}: {right}")))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            /// Another word is told the nearest one, else all there are.
            fn from_str(text: &str) -> Result<Self, String> {
                let named = Self::NAMED.iter().find(|(word, _)| *word == text);
                // Cut before it is compared: the work grows with its length.
                let short = || text.chars().take(60).collect::<String>();
                named.map(|(_, value)| *value).ok_or_else(|| suggest(&short(), &[$($word),+]))
            }
        }
    };
}

words! {
    /// What a turn asks for.
    Task {
        /// To write, mend or explain a program.
        Code = "code",
        /// To say the same in less.
        Summary = "summary",
        /// To say the same in another language.
        Translation = "translation",
        /// To reckon or to prove.
        Maths = "maths",
        /// To write or better a text for people.
        Writing = "writing",
        /// Anything else that asks.
        Question = "question",
        /// Anything else.
        Chat = "chat",
    }
}

words! {
    /// What a model must be able to do for a turn.
    Need {
        /// A picture goes with it.
        Vision = "vision",
        /// Tools are offered with it.
        Tools = "tools",
        /// It asks for reasoning.
        Thinking = "thinking",
        /// It asks for an answer in JSON.
        Json = "json",
    }
}

words! {
    /// How models are used.
    Strategy {
        /// The first healthy model that answers, in order.
        Fallback = "fallback",
        /// Several are asked, and the first to speak is heard.
        Race = "race",
        /// All are asked, and each answer is shown with its name, its time and its price.
        Compare = "compare",
        /// All are asked, and a judge writes one answer of theirs.
        Panel = "panel",
    }
}

#[allow(clippy::derivable_impls)] // the macro makes the enum
impl Default for Strategy {
    fn default() -> Self {
        Self::Fallback
    }
}

words! {
    /// A day of the week.
    Day {
        Mon = "mon",
        Tue = "tue",
        Wed = "wed",
        Thu = "thu",
        Fri = "fri",
        Sat = "sat",
        Sun = "sun",
    }
}

words! {
    /// A language, by its code of two letters (ISO 639-1).
    Language {
        /// Arabic.
        Ar = "ar",
        /// German.
        De = "de",
        /// Greek.
        El = "el",
        /// English.
        En = "en",
        /// Spanish.
        Es = "es",
        /// French.
        Fr = "fr",
        /// Hebrew.
        He = "he",
        /// Hindi.
        Hi = "hi",
        /// Italian.
        It = "it",
        /// Japanese.
        Ja = "ja",
        /// Korean.
        Ko = "ko",
        /// Dutch.
        Nl = "nl",
        /// Portuguese.
        Pt = "pt",
        /// Russian.
        Ru = "ru",
        /// Thai.
        Th = "th",
        /// Ukrainian.
        Uk = "uk",
        /// Chinese.
        Zh = "zh",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_reads_back_and_another_is_told_the_nearest() {
        for (word, task) in Task::NAMED {
            assert_eq!((word.parse(), task.to_string().as_str()), (Ok(*task), *word));
            assert_eq!(serde_json::to_string(task).expect("serialises"), format!("{word:?}"));
        }
        assert_eq!("sumary".parse::<Task>().expect_err("no task"), "did you mean \"summary\"?");
        let all = "gardening".parse::<Need>().expect_err("no need");
        assert_eq!(all, "known here: vision, tools, thinking, json");
    }
}

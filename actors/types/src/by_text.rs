//! Types that are one text wherever they are written down.

/// Has a type read from its text and written as it, by its `FromStr` and its `Display`; for serde's `try_from` and `into`.
macro_rules! by_text {
    ($name:ty) => {
        impl TryFrom<String> for $name {
            type Error = <$name as std::str::FromStr>::Err;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    };
}

pub(crate) use by_text;

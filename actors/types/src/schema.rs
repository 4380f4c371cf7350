//! What the document of the API says of types that are written as plain text.

use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaFormat, Type};

/// A name: 1 to `max` characters of the alphabet that all names share.
pub(crate) fn name(description: &str, max: usize) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .pattern(Some("^[A-Za-z0-9_-]+$"))
        .min_length(Some(1))
        .max_length(Some(max))
        .build()
}

/// A text in a format that JSON Schema knows.
pub(crate) fn format(description: &str, format: &str, example: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::Custom(format.to_owned())))
        .description(Some(description))
        .examples([example])
        .build()
}

/// A text of a pattern.
pub(crate) fn pattern(description: &str, pattern: &str) -> Object {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description)).pattern(Some(pattern)).build()
}

/// One of a list of words.
pub(crate) fn words(description: &str, words: impl IntoIterator<Item = &'static str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description)).enum_values(Some(words)).build()
}

/// Gives a type the schema that an expression makes.
macro_rules! schema {
    ($name:ty, $schema:expr) => {
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                $schema.into()
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}

pub(crate) use schema;

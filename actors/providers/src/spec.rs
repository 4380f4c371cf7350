//! What an adapter is built from.

use std::collections::BTreeMap;

use mosaic_types::{ProviderName, Secret};

/// A key beyond the first, under the name of where it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedKey {
    /// Of its variable or file; never the key.
    pub name: String,
    pub key: Secret,
}

/// A provider as configured, in the terms every adapter shares.
#[derive(Debug, Clone)]
pub struct ProviderSpec {
    pub name: ProviderName,
    /// Up to and with the version, as in `https://api.openai.com/v1`; a slash at the end does not matter.
    pub base_url: String,
    /// None where the server asks for none.
    pub api_key: Option<Secret>,
    /// Where that is kept.
    pub key_name: String,
    /// Keys to use in turn with it.
    pub more_keys: Vec<NamedKey>,
    /// Tokens of the windows that the config names, by model: some servers must be told.
    pub windows: BTreeMap<String, u64>,
    /// Azure's version of its API, where one is named.
    pub api_version: Option<String>,
}

impl ProviderSpec {
    /// One of which no more is known.
    pub fn new(name: ProviderName, base_url: impl Into<String>, api_key: Option<Secret>) -> Self {
        Self {
            name,
            base_url: base_url.into(),
            api_key,
            key_name: "key".to_owned(),
            more_keys: Vec::new(),
            windows: BTreeMap::new(),
            api_version: None,
        }
    }
}

//! What an adapter is built from.

use mosaic_types::{ProviderName, Secret};

/// A provider as configured, in the terms every adapter shares.
#[derive(Debug, Clone)]
pub struct ProviderSpec {
    pub name: ProviderName,
    /// Up to and with the version, as in `https://api.openai.com/v1`; a slash at the end does not matter.
    pub base_url: String,
    /// None where the server asks for none.
    pub api_key: Option<Secret>,
}

//! Every kind of provider that is built in: one line each.

use std::sync::Arc;

use crate::Provider;
use crate::openai;
use crate::spec::ProviderSpec;

/// A kind of provider.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// What `kind` says in the config.
    pub kind: &'static str,
    /// Makes the adapter; costs no call. The error is a sentence for the person who wrote the config.
    pub build: fn(ProviderSpec) -> Result<Arc<dyn Provider>, String>,
}

/// All kinds.
pub const ENTRIES: &[Entry] = &[openai::ENTRY];

/// Makes the adapter for a `kind`.
pub fn build(kind: &str, spec: ProviderSpec) -> Result<Arc<dyn Provider>, String> {
    match ENTRIES.iter().find(|entry| entry.kind == kind) {
        Some(entry) => (entry.build)(spec),
        None => {
            let kinds: Vec<_> = ENTRIES.iter().map(|entry| entry.kind).collect();
            Err(format!("Provider {} is of kind {kind:?}; this build knows {}.", spec.name, kinds.join(", ")))
        }
    }
}

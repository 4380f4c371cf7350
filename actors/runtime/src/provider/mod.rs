//! One actor per configured provider: who may call it, and whether it can be called now.

mod actor;
mod directory;
mod state;
#[cfg(test)]
mod tests;

pub use actor::ProviderActor;
pub use directory::{ModelFacts, ProviderHandle, ProviderSettings, Providers};

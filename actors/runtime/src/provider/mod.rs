//! One actor per configured provider: who may call it, and whether it can be called now.

mod actor;
mod directory;
mod state;
#[cfg(test)]
mod tests;
mod trial;

pub use actor::ProviderActor;
pub use directory::{LastCall, ModelFacts, ProviderHandle, ProviderSettings, Providers};
pub use trial::Tried;

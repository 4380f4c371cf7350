//! One actor per configured provider: who may call it, and whether it can be called now.

mod actor;
mod directory;
mod health;
mod keys;
mod queue;
mod rate;
#[cfg(test)]
mod tests;
mod trial;

pub use actor::ProviderActor;
pub use directory::{LastCall, ModelFacts, ProviderHandle, ProviderSettings, Providers};
pub use keys::KeyState;
pub use rate::Limits;
pub use trial::Tried;

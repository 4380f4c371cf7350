//! One turn's work: the prompt, the calls, what is chosen when one fails.

mod actor;
mod call;
mod plan;
mod prompt;
mod sink;
#[cfg(test)]
mod tests;

pub use actor::{Keeper, RunActor, died};
pub use call::{Chosen, RunInput, RunOrder};
pub use sink::{Piece, Sink};

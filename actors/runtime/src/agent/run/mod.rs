//! One turn's work: the prompt, the calls, what is chosen when one fails.

mod actor;
mod again;
mod asked;
mod bill;
mod books;
mod call;
mod compare;
mod course;
mod fare;
mod foresee;
mod lanes;
mod order;
mod panel;
mod plan;
mod prompt;
mod race;
mod shelf;
mod sink;
#[cfg(test)]
mod tests;
mod tools;

pub use actor::{Keeper, RunActor, died};
pub(crate) use foresee::{CutOff, may_have_cost};
pub use order::{Chosen, RunInput, RunOrder};
pub(crate) use prompt::ends_exchange;
pub use shelf::Shelf;
pub(crate) use shelf::is_blind;
pub use sink::{Piece, Sink};
pub use tools::ToolWork;

//! The one writer of the store.

mod actor;

pub use actor::WriterActor;

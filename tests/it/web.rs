//! The dashboard, in a real browser.

mod again;
mod chat;
mod choices;
mod door;
mod files;
mod first;
mod hostile;
mod house;
mod reach;
mod sessions;
pub(crate) mod visitor;

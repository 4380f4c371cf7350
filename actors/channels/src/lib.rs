//! Second floor: the bridges to people on chat platforms.
//!
//! A [`Channel`] is one platform's adapter: it hears, shows and asks, and decides nothing. [`ChannelActor`] owns it, keeps
//! its connection and answers the outbox; [`Talk`] decides what becomes of what was heard. What they need of the house
//! they reach through [`House`], so that nothing here learns of the runtime or the store.
//!
//! To add a platform: make its folder, implement [`Channel`], add its line to `registry.rs`, and run the suite of
//! `tests/contract/` over a stand-in of it.

mod actor;
pub mod allow;
mod aside;
mod bots;
mod branch;
mod button;
mod channel;
pub mod chunk;
pub mod config;
mod deeds;
pub mod discord;
mod house;
mod late;
pub mod pace;
mod page;
pub mod pairs;
mod reconnect;
mod registry;
mod status;
mod talk;
pub mod telegram;
mod voice;

pub use actor::{Called, ChannelActor, Check};
pub use channel::{Channel, Cut, Heard, HeardFile, Hearing, Note, Preview, Sender, Unfetched, Unopened, Unshown};
pub use config::ChannelConfig;
pub use house::{House, Look, Reader, Typed, Work};
pub use pairs::Pairs;
pub use registry::{KINDS, Kind};
pub use status::{Health, Status};
pub use talk::Talk;

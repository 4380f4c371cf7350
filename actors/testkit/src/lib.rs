//! Beside the house: fakes of the outside world that speak the real wire.
//!
//! For tests and benches only. It knows no room of ours, so that what a test proves is proven over the same socket and
//! the same bytes that a stranger would send.

pub mod browser;
pub mod collector;
pub mod discord;
#[cfg(target_os = "linux")]
pub mod disk;
mod form;
pub mod http;
mod platform;
pub mod postgres;
pub mod provider;
pub mod proxy;
pub mod pty;
mod request;
pub mod telegram;
pub mod ws;

pub use browser::{Browser, Key, Page};
pub use collector::Collector;
pub use discord::Discord;
pub use provider::{Gate, StandIn, Step};
pub use proxy::Proxy;
pub use pty::Pty;
pub use telegram::Telegram;

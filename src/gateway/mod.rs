//! The HTTP side of the daemon.
//!
//! Handlers translate: a request becomes a message to the router or a read of the store, and what comes back becomes
//! JSON. Who may do what stands in `routes` and is decided in `auth`, before any handler runs.

mod access;
mod actor;
pub(crate) mod attachments;
mod auth;
mod back;
mod body;
mod border;
#[cfg(feature = "chaos")]
mod chaos;
pub mod config;
mod document;
mod error;
mod events;
mod health;
mod hooks;
mod info;
mod input;
mod lately;
mod messages;
mod models;
mod observe;
mod openai;
mod pairings;
mod principals;
mod refusals;
mod routes;
mod routing;
mod server;
mod sessions;
mod setup;
mod signin;
mod sse;
mod tls;
mod tokens;
mod trial;
mod unread;
mod usage;
pub(crate) mod users;
mod web;
mod ws;
mod zip;

pub use access::Access;
pub use actor::Server;
pub use document::{document, documented};
pub use lately::Before;
pub use models::Listed;
pub use principals::{Credential, End, Ending, Principals, Refused, hash_of};
pub use routes::{RouteRow, table};
pub use server::{Gate, serve};
pub use tls::Tls;
pub use ws::FRAMES;

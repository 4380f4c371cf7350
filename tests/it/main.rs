//! The whole daemon, as strangers meet it: the real binary on a home of its own, over real sockets, with a stand-in for
//! the model.
//!
//! Nothing here sleeps to let something happen: each wait is for an event, or asks again and again up to a limit.

mod testbed;

mod api;
mod attachments;
mod border;
mod browser;
mod budgets;
mod cancel;
#[cfg(feature = "chaos")]
mod chaos;
mod chat;
#[cfg(feature = "chaos")]
mod crash;
mod cut;
mod discord;
#[cfg(target_os = "linux")]
mod disk;
mod doctor;
mod fanout;
#[cfg(feature = "chaos")]
mod faults;
mod house;
mod lately;
mod ledger;
#[cfg(feature = "chaos")]
mod logs;
mod messages;
mod metrics;
mod migrate;
mod modes;
mod openai;
mod openapi;
mod panics;
mod people;
mod postgres;
mod providers;
mod refused;
mod remote;
mod restart;
mod reuse;
mod routing;
mod secrets;
mod sessions;
mod sse;
mod store;
mod telegram;
mod tls;
mod tokens;
#[cfg(feature = "chaos")]
mod tools;
mod traces;
mod tui;
mod usage;
mod web;
mod ws;
mod zip;

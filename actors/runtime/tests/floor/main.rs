//! The second floor, wired as the daemon does it, with a provider that misbehaves.

mod budgets;
mod channel;
mod commands;
mod cut;
mod fanout;
mod flood;
mod house;
mod models;
mod modes;
mod order;
mod panic;
mod places;
#[path = "../simulation/world/platform.rs"]
mod platform;
mod run_panics;

/// How long a test waits for what must come.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

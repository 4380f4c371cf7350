//! Mosaic: one daemon that runs a team of AI agents.
//!
//! The top floor: everything below is wired together in [`app`] and reached through [`cli`] and [`gateway`].

pub mod app;
pub mod channels;
pub mod cli;
pub mod code;
pub mod config;
pub mod detect;
pub mod gateway;
pub mod home;
pub mod link;
pub mod outside;
pub mod owner;
pub mod setup;
pub mod submission;
pub mod telemetry;
pub mod token;
pub mod tui;

//! The WebSocket: frames, limits, resumption, slow readers and many of them.

mod commands;
mod connect;
mod ends;
mod frames;
mod many;
mod resume;

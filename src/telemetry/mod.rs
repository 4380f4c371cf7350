//! How the daemon is seen from outside: logs, metrics, and (where a collector is named) traces.

mod logs;
pub(crate) mod metrics;
mod page;
mod process;

pub use logs::start;

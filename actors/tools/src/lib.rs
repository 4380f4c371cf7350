//! First floor: what a model may ask to be done.
//!
//! One trait, one folder per tool, one line per tool in [`registry`]. A tool does one thing and says what came of it; it
//! knows nothing of sessions, and never tries again: whether a call that was cut off may run once more is its to say,
//! and the runtime's to do.
//!
//! What runs inside the daemon touches nothing: `clock` reads the time. A tool that reaches files, programs or the
//! network is to run in a process of its own, behind this same trait.

pub mod call;
pub mod clock;
#[cfg(feature = "chaos")]
pub mod planted;
pub mod registry;

use std::pin::Pin;
use std::time::Duration;

use mosaic_types::chat::ToolOffer;

pub use call::Verdict;
pub use registry::Tools;

/// A tool runs for so long unless it says otherwise. Half a minute is what people wait for in a chat.
pub const LIMIT: Duration = Duration::from_secs(30);

/// A future that may be run on any thread. Dropping it ends the call.
pub type Work<'a> = Pin<Box<dyn Future<Output = Result<String, String>> + Send + 'a>>;

/// Something that a model may ask for.
pub trait Tool: Send + Sync {
    /// What a model is told of it: its name (1-64 of `A-Za-z0-9_-`), what it does, and a JSON Schema of its arguments.
    fn offer(&self) -> ToolOffer;

    /// Whether a call that was cut off may run again: it has no effect, or the same key has its effect only once.
    fn repeatable(&self) -> bool;

    /// A call that takes longer is cut off.
    fn limit(&self) -> Duration {
        LIMIT
    }

    /// Carries out one call and answers what the model is told; an error is told too, as a failure. `arguments`: a JSON
    /// object, not checked against the schema. `key`: the same for a call that is repeated, and for no other.
    fn run<'a>(&'a self, arguments: &'a str, key: &'a str) -> Work<'a>;
}

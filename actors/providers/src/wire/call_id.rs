//! Names for tool calls where the provider gives none.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// What such a name begins with: it is not sent to a provider that has names of its own.
const OURS: &str = "mosaic_";

/// A name that no other call of a dialogue has, also not one from before a restart.
pub(crate) fn made() -> String {
    static LIFE: LazyLock<u64> =
        LazyLock::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()));
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{OURS}{:x}_{:x}", *LIFE, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The name that the provider itself gave, if it did.
pub(crate) fn given(id: &str) -> Option<&str> {
    (!id.starts_with(OURS)).then_some(id)
}

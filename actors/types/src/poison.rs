//! A message that kills whoever takes it up, for tests.
//!
//! Without the feature `chaos` there is none. With it, the top floor may [`brew`] one: a run whose last input holds that
//! text panics, each time.

/// A run takes up what was said. In a build for tests it may panic over it.
#[inline]
pub fn taste(said: &str) {
    #[cfg(feature = "chaos")]
    if BREWED.get().is_some_and(|poison| said.contains(poison.as_str())) {
        panic!("planted: a message that is poison");
    }
    #[cfg(not(feature = "chaos"))]
    let _ = said;
}

#[cfg(feature = "chaos")]
static BREWED: std::sync::OnceLock<String> = std::sync::OnceLock::new();

/// Has each input that holds `text` kill its run. The first call counts.
#[cfg(feature = "chaos")]
pub fn brew(text: String) {
    let _ = BREWED.set(text);
}

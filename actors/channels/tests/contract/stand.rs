//! What the suite needs of a platform's stand-in.

use std::time::Duration;

use tokio::sync::watch;

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// One who may talk.
    Ada,
    /// One of many who may not.
    Stranger(u32),
}

/// Where something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Between the two alone.
    Direct,
    /// Among several people.
    Room,
}

/// A platform with a bot of ours.
pub(crate) trait Stand: Sized {
    /// Units of UTF-16 that a message of its holds.
    const UNITS: usize;

    /// Starts one with Ada, a room that she is in, and strangers.
    fn start() -> Self;

    /// The token of the bot.
    fn token(&self) -> &str;

    /// The channel's table, without the token; Ada alone is let in.
    fn table(&self) -> String;

    /// Somebody says something; with our name where `named`.
    fn say(&self, who: Who, place: Place, named: bool, text: &str);

    /// The last that was said is told once more, as if it were new.
    fn tell_again(&self);

    /// The next message of ours is refused, with a wish for silence.
    fn ask_for_silence(&self, wait: Duration);

    /// The next message of ours is taken, and the answer is lost.
    fn cut_off(&self);

    /// The next so many messages of ours are neither taken nor answered.
    fn fall_mute(&self, times: usize);

    /// Nobody may write there any more.
    fn close(&self, place: Place);

    /// The texts of ours that people see there, oldest first.
    fn texts(&self, place: Place) -> Vec<String>;

    /// Changes whenever anything happens there.
    fn changes(&self) -> watch::Receiver<u64>;

    /// How often we sent a message or changed one.
    fn writes(&self) -> usize;
}

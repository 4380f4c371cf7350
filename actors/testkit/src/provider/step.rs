//! What the stand-in does with one call, named by how it misbehaves.

use std::time::Duration;

use super::gate::Gate;

/// The way one call is answered. Where the caller did not ask for a stream, the same misfortune befalls the plain JSON
/// answer.
#[derive(Debug, Clone)]
pub enum Step {
    /// Says the text, in word pieces, all in one write.
    Say(String),
    /// Says the text in so many pieces, each in a write of its own, with a pause before each; pauses below a millisecond
    /// are kept on average.
    SayIn { text: String, pieces: usize, delay: Duration },
    /// Says what time it is, in nanoseconds since 1970 and with a space after it, so many times, each in a write of its
    /// own with a pause before it as in `SayIn`. A reader on the same machine can tell how long each piece was under way.
    SayTimes { pieces: usize, delay: Duration },
    /// Thinks (`reasoning_content`), then says.
    ThinkSay { thinking: String, text: String },
    /// Says the text (may be empty), then asks for tools: name and JSON arguments of each.
    CallTools { text: String, calls: Vec<(String, String)> },
    /// Sends the head of a good answer, then nothing more.
    Stall,
    /// Uses all that it may: takes so many bytes that were said for a token, and thinks as long as it is let, or for so many
    /// tokens where nobody bounds it. Says two words. On OpenAI's wire.
    Devour { bytes: usize, tokens: u64 },
    /// Falls silent after so many word pieces.
    Mute { text: String, after: usize },
    /// Reads the call and never sends a byte.
    Silence,
    /// Says this many bytes of text, in pieces of 1 KiB.
    Flood { bytes: usize },
    /// Sends one event (or one JSON text) with this many bytes in a single line.
    LongLine { bytes: usize },
    /// Says the text and ends in good order, but without the finish.
    Truncate { text: String },
    /// Sends a piece, then an event that is not JSON.
    Garbage,
    /// Sends a piece, then an event that is not UTF-8.
    BadUtf8,
    /// Answers 200 and sends a piece, then an error object with this `code` and `message`.
    ErrorEvent { code: String, message: String },
    /// Answers 200 with an HTML page.
    WrongType,
    /// Answers 200 in a content encoding nobody asked for.
    Compressed,
    /// Refuses with this status, where the wire has it for this code; codes are OpenAI's.
    Refuse { status: u16, code: String, message: String },
    /// Answers with this status, further headers and body.
    Status { status: u16, headers: Vec<(String, String)>, body: String },
    /// Answers 429 with `Retry-After` (and `retry-after-ms` below a second).
    RateLimit(Duration),
    /// Says the text one byte at a time, with this pause before each.
    SlowBytes { text: String, delay: Duration },
    /// Closes the socket without an answer.
    Drop,
    /// Closes the socket in mid-stream, after so many word pieces.
    DropAfter { text: String, after: usize },
    /// Waits at the gate, then does the step.
    Hold { gate: Gate, then: Box<Self> },
    /// Says so many word pieces, waits at the gate, then says the rest.
    HoldAfter { gate: Gate, text: String, after: usize },
    /// Answers 200 with this text as the whole event stream, as it stands.
    Sse(String),
    /// Answers 200 with this text as the whole JSON answer, as it stands.
    Json(String),
}

impl Step {
    /// Says the text, in word pieces.
    pub fn say(text: impl Into<String>) -> Self {
        Self::Say(text.into())
    }

    /// Says the text in so many pieces with a pause before each.
    pub fn say_in(text: impl Into<String>, pieces: usize, delay: Duration) -> Self {
        Self::SayIn { text: text.into(), pieces, delay }
    }

    /// Thinks, then says.
    pub fn think_say(thinking: impl Into<String>, text: impl Into<String>) -> Self {
        Self::ThinkSay { thinking: thinking.into(), text: text.into() }
    }

    /// Asks for one tool.
    pub fn call_tool(name: impl Into<String>, arguments: impl Into<String>) -> Self {
        Self::CallTools { text: String::new(), calls: vec![(name.into(), arguments.into())] }
    }

    /// Falls silent after `after` word pieces of a text that has more.
    pub fn mute_after(after: usize) -> Self {
        Self::Mute { text: "one two three four five six seven eight".into(), after }
    }

    /// Says the text without the finish.
    pub fn truncate(text: impl Into<String>) -> Self {
        Self::Truncate { text: text.into() }
    }

    /// Sends an error object in a stream that began well.
    pub fn error_event(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::ErrorEvent { code: code.into(), message: message.into() }
    }

    /// Refuses with an HTTP error, told as the wire tells it.
    pub fn status(status: u16, code: &str, message: &str) -> Self {
        Self::Refuse { status, code: code.into(), message: message.into() }
    }

    /// Says the text when the gate opens.
    pub fn hold(gate: &Gate, text: impl Into<String>) -> Self {
        Self::Hold { gate: gate.clone(), then: Box::new(Self::say(text)) }
    }

    /// Says `after` word pieces, and the rest when the gate opens.
    pub fn hold_after(gate: &Gate, text: impl Into<String>, after: usize) -> Self {
        Self::HoldAfter { gate: gate.clone(), text: text.into(), after }
    }

    /// Whether the step comes to an end without the caller giving up.
    pub fn ends_by_itself(&self) -> bool {
        !matches!(self, Self::Stall | Self::Mute { .. } | Self::Silence | Self::Hold { .. } | Self::HoldAfter { .. })
    }
}

//! Plays one step to one call.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::asked::Asked;
use super::record::{End, Shared};
use super::speech::{Voice, Wire};
use super::step::Step;
use super::wire;
use crate::request::{Connection, Gone, Request};

/// Answers a call by its step, and tells how it ended.
pub(super) async fn call(
    to: &mut Connection,
    wire: Wire,
    request: &Request,
    number: usize,
    shared: &Shared,
) -> Result<End, Gone> {
    let path = request.path.split('?').next().unwrap_or_default();
    let Ok(asked) = Asked::read(wire, path, &request.body) else {
        to.send(&wire::error(400, "invalid_json", "The stand-in could not read the body.")).await?;
        return Ok(End::Answered);
    };
    let mut step =
        shared.next_step(|| asked.last_user()).unwrap_or_else(|| Step::Say(format!("You said: {}", asked.last_user())));
    while let Step::Hold { gate, then } = step {
        to.until(gate.pass()).await?;
        step = *then;
    }
    let mut player = Player { to, wire, asked: &asked, answer: wire.voice(&asked, number) };
    player.play(step).await
}

struct Player<'a> {
    to: &'a mut Connection,
    wire: Wire,
    asked: &'a Asked<'a>,
    answer: Box<dyn Voice + 'a>,
}

impl Player<'_> {
    async fn play(&mut self, step: Step) -> Result<End, Gone> {
        match step {
            Step::Say(text) => self.say("", &text, &[]).await,
            Step::ThinkSay { thinking, text } => self.say(&thinking, &text, &[]).await,
            Step::CallTools { text, calls } => self.say("", &text, &calls).await,
            Step::SayIn { text, pieces, delay } => self.say_in(&text, pieces, delay).await,
            Step::SayTimes { pieces, delay } => self.say_times(pieces, delay).await,
            Step::SlowBytes { text, delay } => self.slowly(&text, delay).await,
            Step::Flood { bytes } => self.flood(bytes).await,
            Step::LongLine { bytes } => self.say_at_once(&"x".repeat(bytes)).await,
            Step::Devour { bytes, tokens } => self.devour(bytes, tokens).await,
            Step::Stall => self.begin("", 0).await?.forever().await,
            Step::Mute { text, after } => self.begin(&text, after).await?.forever().await,
            Step::Silence => self.forever().await,
            Step::HoldAfter { gate, text, after } => {
                self.begin(&text, after).await?;
                self.to.until(gate.pass()).await?;
                self.go_on(&text, after).await
            }
            Step::Truncate { text } => self.truncate(&text).await,
            Step::DropAfter { text, after } => self.begin(&text, after).await.map(|_| End::Cut),
            Step::Drop => Ok(End::Cut),
            Step::Garbage => self.spoil(b"{\"choices\":[{\"delta\":{\"content\":\"b").await,
            Step::BadUtf8 => self.spoil(b"{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\xff\xfe\"}}]}").await,
            Step::ErrorEvent { code, message } => {
                let error = self.wire.error_event(&code, &message);
                self.spoil(error.as_bytes()).await
            }
            Step::WrongType => self.whole(200, "text/html; charset=utf-8", &[], b"<html>a captive portal</html>").await,
            Step::Compressed => {
                let headers = [("content-encoding".to_owned(), "gzip".to_owned())];
                let kind = if self.asked.stream { self.wire.stream_type() } else { "application/json" };
                self.whole(200, kind, &headers, b"\x1f\x8b\x08\x00\x00\x00").await
            }
            Step::Status { status, headers, body } => {
                self.whole(status, "application/json", &headers, body.as_bytes()).await
            }
            Step::Refuse { status, code, message } => {
                let (status, kind, body) = self.wire.refusal(status, &code, &message, self.asked.stream);
                self.whole(status, kind, &[], body.as_bytes()).await
            }
            Step::RateLimit(wait) => self.rate_limit(wait).await,
            Step::Sse(text) => self.whole(200, "text/event-stream", &[], text.as_bytes()).await,
            Step::Json(text) => self.whole(200, "application/json", &[], text.as_bytes()).await,
            Step::Hold { .. } => unreachable!("gates are passed before the step is played"),
        }
    }

    /// The head of a streamed answer, and what comes before its first piece.
    fn head(&mut self) -> Vec<u8> {
        let mut out = wire::stream_head(self.wire.stream_type());
        self.answer.begin(&mut out);
        out
    }

    /// The finish of a streamed answer.
    fn end(&mut self, out: &mut Vec<u8>, tools: bool) {
        self.answer.finish(out, tools);
        out.extend_from_slice(wire::STREAM_END);
    }

    async fn whole(
        &mut self,
        status: u16,
        content_type: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<End, Gone> {
        self.to.send(&wire::response(status, content_type, headers, body)).await?;
        Ok(End::Answered)
    }

    async fn json(&mut self, text: &str) -> Result<End, Gone> {
        let body = self.answer.whole("", text, &[], wire::words(text).len());
        self.whole(200, "application/json", &[], &body).await
    }

    async fn say(&mut self, thinking: &str, text: &str, tools: &[(String, String)]) -> Result<End, Gone> {
        let words = wire::words(text);
        if !self.asked.stream {
            let body = self.answer.whole(thinking, text, tools, words.len());
            return self.whole(200, "application/json", &[], &body).await;
        }
        let mut out = self.head();
        out.reserve(256 * words.len());
        for word in wire::words(thinking) {
            self.answer.thinking(&mut out, word);
        }
        for word in words {
            self.answer.text(&mut out, word);
        }
        for (index, (name, arguments)) in tools.iter().enumerate() {
            self.answer.tool(&mut out, index, name, arguments);
        }
        self.end(&mut out, !tools.is_empty());
        self.to.send(&out).await?;
        Ok(End::Answered)
    }

    async fn say_at_once(&mut self, text: &str) -> Result<End, Gone> {
        if !self.asked.stream {
            return self.json(text).await;
        }
        let mut out = self.head();
        self.answer.text(&mut out, text);
        self.end(&mut out, false);
        self.to.send(&out).await?;
        Ok(End::Answered)
    }

    async fn say_in(&mut self, text: &str, pieces: usize, delay: Duration) -> Result<End, Gone> {
        let parts = wire::pieces(text, pieces);
        if !self.asked.stream {
            let whole = delay.saturating_mul(u32::try_from(parts.len()).unwrap_or(u32::MAX));
            self.pause(whole).await?;
            return self.json(text).await;
        }
        let head = self.head();
        self.to.send(&head).await?;
        let mut next = Instant::now();
        for part in parts {
            self.keep_pace(&mut next, delay).await?;
            let mut out = Vec::new();
            self.answer.text(&mut out, &part);
            self.to.send(&out).await?;
        }
        self.finish().await
    }

    async fn say_times(&mut self, pieces: usize, delay: Duration) -> Result<End, Gone> {
        if !self.asked.stream {
            return self.json(&time()).await;
        }
        let head = self.head();
        self.to.send(&head).await?;
        let mut next = Instant::now();
        for _ in 0..pieces {
            self.keep_pace(&mut next, delay).await?;
            let mut out = Vec::new();
            self.answer.text(&mut out, &time());
            self.to.send(&out).await?;
        }
        self.finish().await
    }

    async fn devour(&mut self, bytes: usize, tokens: u64) -> Result<End, Gone> {
        let (asked, told) = (self.asked.bytes().div_ceil(bytes), self.asked.max_tokens.unwrap_or(tokens));
        let usage = format!(r#"{{"prompt_tokens":{asked},"completion_tokens":{told}}}"#);
        let reason = if self.asked.max_tokens.is_some() { "length" } else { "stop" };
        if !self.asked.stream {
            let message = r#"{"role":"assistant","content":"so much"}"#;
            let choice = format!(r#"{{"index":0,"message":{message},"finish_reason":"{reason}"}}"#);
            let body = format!(r#"{{"id":"x","object":"chat.completion","choices":[{choice}],"usage":{usage}}}"#);
            return self.whole(200, "application/json", &[], body.as_bytes()).await;
        }
        let choice = format!(r#"{{"index":0,"delta":{{"content":"so much"}},"finish_reason":"{reason}"}}"#);
        let text = format!("data: {{\"id\":\"x\",\"choices\":[{choice}],\"usage\":{usage}}}\n\ndata: [DONE]\n\n");
        self.whole(200, "text/event-stream", &[], text.as_bytes()).await
    }

    async fn pause(&mut self, delay: Duration) -> Result<(), Gone> {
        if delay.is_zero() { Ok(()) } else { self.to.until(tokio::time::sleep(delay)).await }
    }

    /// Waits for the next piece's time. A timer counts whole milliseconds: what is due oftener comes some at once.
    async fn keep_pace(&mut self, next: &mut Instant, delay: Duration) -> Result<(), Gone> {
        *next += delay;
        if *next > Instant::now() { self.to.until(tokio::time::sleep_until(*next)).await } else { Ok(()) }
    }

    async fn finish(&mut self) -> Result<End, Gone> {
        let mut out = Vec::new();
        self.end(&mut out, false);
        self.to.send(&out).await?;
        Ok(End::Answered)
    }

    async fn slowly(&mut self, text: &str, delay: Duration) -> Result<End, Gone> {
        let mut out;
        if self.asked.stream {
            out = self.head();
            self.answer.text(&mut out, text);
            self.end(&mut out, false);
        } else {
            let body = self.answer.whole("", text, &[], 1);
            out = wire::response(200, "application/json", &[], &body);
        }
        for byte in out {
            self.pause(delay).await?;
            self.to.send(&[byte]).await?;
        }
        Ok(End::Answered)
    }

    async fn flood(&mut self, bytes: usize) -> Result<End, Gone> {
        const PIECE: usize = 1 << 10;
        if !self.asked.stream {
            return self.json(&"x".repeat(bytes)).await;
        }
        let head = self.head();
        self.to.send(&head).await?;
        let piece = "x".repeat(PIECE);
        let mut left = bytes;
        while left > 0 {
            let mut out = Vec::with_capacity(80 << 10);
            for _ in 0..64.min(left.div_ceil(PIECE)) {
                let size = PIECE.min(left);
                self.answer.text(&mut out, &piece[..size]);
                left -= size;
            }
            self.to.send(&out).await?;
        }
        self.finish().await
    }

    /// Sends the head and the first words; of a plain answer the first half.
    async fn begin(&mut self, text: &str, after: usize) -> Result<&mut Self, Gone> {
        let mut out;
        if self.asked.stream {
            out = self.head();
            for word in wire::words(text).into_iter().take(after) {
                self.answer.text(&mut out, word);
            }
        } else {
            let body = self.answer.whole("", text, &[], wire::words(text).len());
            out = wire::head(200, "application/json", &[], body.len());
            out.extend_from_slice(&body[..body.len() / 2]);
        }
        self.to.send(&out).await?;
        Ok(self)
    }

    /// Sends what [`Player::begin`] left out.
    async fn go_on(&mut self, text: &str, after: usize) -> Result<End, Gone> {
        if !self.asked.stream {
            let body = self.answer.whole("", text, &[], wire::words(text).len());
            self.to.send(&body[body.len() / 2..]).await?;
            return Ok(End::Answered);
        }
        let mut out = Vec::new();
        for word in wire::words(text).into_iter().skip(after) {
            self.answer.text(&mut out, word);
        }
        self.to.send(&out).await?;
        self.finish().await
    }

    async fn forever(&mut self) -> Result<End, Gone> {
        self.to.until(std::future::pending()).await
    }

    /// Ends in good order, as far as HTTP goes, before the answer is complete.
    async fn truncate(&mut self, text: &str) -> Result<End, Gone> {
        if !self.asked.stream {
            let body = self.answer.whole("", text, &[], 0);
            return self.whole(200, "application/json", &[], &body[..body.len() / 2]).await;
        }
        let words = wire::words(text).len();
        self.begin(text, words).await?;
        self.to.send(wire::STREAM_END).await?;
        Ok(End::Answered)
    }

    /// Begins well, then sends an event with this data as it stands. A plain answer is the data alone.
    async fn spoil(&mut self, data: &[u8]) -> Result<End, Gone> {
        if !self.asked.stream {
            return self.whole(200, "application/json", &[], data).await;
        }
        self.begin("well ", 1).await?;
        let mut out = Vec::new();
        self.wire.event(&mut out, data);
        self.end(&mut out, false);
        self.to.send(&out).await?;
        Ok(End::Answered)
    }

    async fn rate_limit(&mut self, wait: Duration) -> Result<End, Gone> {
        let mut headers = vec![("retry-after".to_owned(), wait.as_secs_f64().ceil().to_string())];
        if wait.subsec_millis() > 0 {
            headers.push(("retry-after-ms".to_owned(), wait.as_millis().to_string()));
        }
        let (status, kind, body) = self.wire.refusal(429, "rate_limit_exceeded", "Rate limit reached.", false);
        self.whole(status, kind, &headers, body.as_bytes()).await
    }
}

fn time() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
    format!("{} ", since.as_nanos())
}

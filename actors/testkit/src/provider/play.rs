//! Plays one step to one call.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::answer::{Answer, Asked};
use super::record::{End, Shared};
use super::step::Step;
use super::wire;
use crate::request::{Connection, Gone, Request};

/// Answers a call by its step, and tells how it ended.
pub(super) async fn call(to: &mut Connection, request: &Request, number: usize, shared: &Shared) -> Result<End, Gone> {
    let Ok(asked) = serde_json::from_slice::<Asked<'_>>(&request.body) else {
        to.send(&wire::error(400, "invalid_json", "The stand-in could not read the body.")).await?;
        return Ok(End::Answered);
    };
    let mut step =
        shared.next_step(|| asked.last_user()).unwrap_or_else(|| Step::Say(format!("You said: {}", asked.last_user())));
    while let Step::Hold { gate, then } = step {
        to.until(gate.pass()).await?;
        step = *then;
    }
    let mut player = Player { to, asked: &asked, answer: Answer::new(&asked, number) };
    player.play(step).await
}

struct Player<'a> {
    to: &'a mut Connection,
    asked: &'a Asked<'a>,
    answer: Answer<'a>,
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
            Step::Garbage => self.spoil(b"data: {\"choices\":[{\"delta\":{\"content\":\"b\n\n").await,
            Step::BadUtf8 => {
                self.spoil(b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\xff\xfe\"}}]}\n\n").await
            }
            Step::ErrorEvent { code, message } => {
                let error = serde_json::json!({"error": {"message": message, "type": "error", "code": code}});
                self.spoil(format!("data: {error}\n\n").as_bytes()).await
            }
            Step::WrongType => self.whole(200, "text/html; charset=utf-8", &[], b"<html>a captive portal</html>").await,
            Step::Compressed => {
                let headers = [("content-encoding".to_owned(), "gzip".to_owned())];
                let kind = if self.asked.stream { "text/event-stream" } else { "application/json" };
                self.whole(200, kind, &headers, b"\x1f\x8b\x08\x00\x00\x00").await
            }
            Step::Status { status, headers, body } => {
                self.whole(status, "application/json", &headers, body.as_bytes()).await
            }
            Step::RateLimit(wait) => self.rate_limit(wait).await,
            Step::Sse(text) => self.whole(200, "text/event-stream", &[], text.as_bytes()).await,
            Step::Json(text) => self.whole(200, "application/json", &[], text.as_bytes()).await,
            Step::Hold { .. } => unreachable!("gates are passed before the step is played"),
        }
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
        let mut out = Vec::with_capacity(512 + 256 * words.len());
        out.extend_from_slice(wire::STREAM_HEAD);
        for word in wire::words(thinking) {
            self.answer.thinking(&mut out, word);
        }
        for word in words {
            self.answer.text(&mut out, word);
        }
        for (index, (name, arguments)) in tools.iter().enumerate() {
            self.answer.tool(&mut out, index, name, arguments);
        }
        self.answer.finish(&mut out, if tools.is_empty() { "stop" } else { "tool_calls" });
        self.to.send(&out).await?;
        Ok(End::Answered)
    }

    async fn say_at_once(&mut self, text: &str) -> Result<End, Gone> {
        if !self.asked.stream {
            return self.json(text).await;
        }
        let mut out = wire::STREAM_HEAD.to_vec();
        self.answer.text(&mut out, text);
        self.answer.finish(&mut out, "stop");
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
        self.to.send(wire::STREAM_HEAD).await?;
        for part in parts {
            self.pause(delay).await?;
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
        self.to.send(wire::STREAM_HEAD).await?;
        for _ in 0..pieces {
            self.pause(delay).await?;
            let mut out = Vec::new();
            self.answer.text(&mut out, &time());
            self.to.send(&out).await?;
        }
        self.finish().await
    }

    async fn pause(&mut self, delay: Duration) -> Result<(), Gone> {
        if delay.is_zero() { Ok(()) } else { self.to.until(tokio::time::sleep(delay)).await }
    }

    async fn finish(&mut self) -> Result<End, Gone> {
        let mut out = Vec::new();
        self.answer.finish(&mut out, "stop");
        self.to.send(&out).await?;
        Ok(End::Answered)
    }

    async fn slowly(&mut self, text: &str, delay: Duration) -> Result<End, Gone> {
        let mut out = Vec::new();
        if self.asked.stream {
            out.extend_from_slice(wire::STREAM_HEAD);
            self.answer.text(&mut out, text);
            self.answer.finish(&mut out, "stop");
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
        self.to.send(wire::STREAM_HEAD).await?;
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
        let mut out = Vec::new();
        if self.asked.stream {
            out.extend_from_slice(wire::STREAM_HEAD);
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

    /// Begins well, then sends `event` as it stands. A plain answer is its data alone.
    async fn spoil(&mut self, event: &[u8]) -> Result<End, Gone> {
        if !self.asked.stream {
            let body = event.strip_prefix(b"data: ").unwrap_or(event);
            return self.whole(200, "application/json", &[], body).await;
        }
        self.begin("well ", 1).await?;
        let mut out = Vec::new();
        wire::chunk(&mut out, event);
        self.answer.finish(&mut out, "stop");
        self.to.send(&out).await?;
        Ok(End::Answered)
    }

    async fn rate_limit(&mut self, wait: Duration) -> Result<End, Gone> {
        let mut headers = vec![("retry-after".to_owned(), wait.as_secs_f64().ceil().to_string())];
        if wait.subsec_millis() > 0 {
            headers.push(("retry-after-ms".to_owned(), wait.as_millis().to_string()));
        }
        let body = serde_json::json!({"error": {"message": "Rate limit reached.", "type": "requests",
            "code": "rate_limit_exceeded"}});
        self.whole(429, "application/json", &headers, body.to_string().as_bytes()).await
    }
}

fn time() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
    format!("{} ", since.as_nanos())
}

//! HTTP, written by hand: heads, chunks, and the cutting of texts.

use std::io::Write;

use serde_json::json;

/// The head of a streamed answer.
pub(super) fn stream_head(content_type: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    line(&mut out, format_args!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\n"));
    out.extend_from_slice(b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n");
    out
}

/// The last chunk of a streamed answer.
pub(super) const STREAM_END: &[u8] = b"0\r\n\r\n";

/// A head with the length of the body that follows.
pub(super) fn head(status: u16, content_type: &str, headers: &[(String, String)], length: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    let reason = if status == 200 { "OK" } else { "Because" };
    line(&mut out, format_args!("HTTP/1.1 {status} {reason}\r\ncontent-type: {content_type}\r\n"));
    for (name, value) in headers {
        line(&mut out, format_args!("{name}: {value}\r\n"));
    }
    line(&mut out, format_args!("content-length: {length}\r\n\r\n"));
    out
}

/// A whole response.
pub(super) fn response(status: u16, content_type: &str, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut out = head(status, content_type, headers, body.len());
    out.extend_from_slice(body);
    out
}

/// A whole error response in OpenAI's shape.
pub(super) fn error(status: u16, code: &str, message: &str) -> Vec<u8> {
    let body = json!({"error": {"message": message, "type": "invalid_request_error", "code": code}}).to_string();
    response(status, "application/json", &[], body.as_bytes())
}

/// Wraps `payload` as one chunk of a chunked body.
pub(super) fn chunk(out: &mut Vec<u8>, payload: &[u8]) {
    line(out, format_args!("{:x}\r\n", payload.len()));
    out.extend_from_slice(payload);
    out.extend_from_slice(b"\r\n");
}

/// Writes formatted text to memory.
pub(super) fn line(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to memory cannot fail");
}

/// Writes `text` as a JSON string.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a string is JSON");
}

/// Cuts a text into words, each with the space after it.
pub(super) fn words(text: &str) -> Vec<&str> {
    text.split_inclusive(' ').collect()
}

/// Cuts a text into `n` pieces of about equal length (fewer if it has not enough characters).
pub(super) fn pieces(text: &str, n: usize) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let size = letters.len().div_ceil(n.max(1)).max(1);
    letters.chunks(size).map(|part| part.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_put_together_are_the_text() {
        for n in [1, 2, 3, 7, 100] {
            assert_eq!(pieces("häl lo du", n).concat(), "häl lo du");
        }
        assert_eq!(words("a  b c").concat(), "a  b c");
        assert!(words("").is_empty());
    }
}

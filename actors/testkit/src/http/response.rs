//! Heads and whole answers.

use std::io;

use bytes::{Bytes, BytesMut};
use serde::de::DeserializeOwned;

use super::{front, wrong};

/// Status and headers of an answer. Headers are kept as they came and looked up when asked for.
#[derive(Debug, Clone)]
pub struct Head {
    pub status: u16,
    raw: Bytes,
}

impl Head {
    /// Takes a whole head off the front of `inbox`, if it is there.
    pub(super) fn take(inbox: &mut BytesMut) -> io::Result<Option<Self>> {
        let mut slots = [httparse::EMPTY_HEADER; 96];
        let mut parsed = httparse::Response::new(&mut slots);
        let (end, status) = match parsed.parse(inbox).map_err(|error| wrong(&error.to_string()))? {
            httparse::Status::Complete(end) => (end, parsed.code.unwrap_or(0)),
            httparse::Status::Partial => return Ok(None),
        };
        Ok(Some(Self { status, raw: front(inbox, end) }))
    }

    /// The value of the first header by that name, in any case; `None` also if it is not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.lines().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All values of that header.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Every header as it came.
    pub fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.raw.split(|byte| *byte == b'\n').skip(1);
        lines.filter_map(|line| {
            let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
            Some((name.trim(), value.trim()))
        })
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Response {
    pub head: Head,
    pub body: Bytes,
}

impl Response {
    /// The status code.
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// The value of the first header by that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON. Panics with the body if it is none, since only tests read it.
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }
}

//! Server-sent events out of bytes, however these are cut; or bare lines, each an event of its own.
//!
//! Follows the WHATWG stream format: lines end in LF, CR or CRLF, a BOM may come first, `data` lines of one event are
//! joined. An event's line, and all of its data, are bounded; what is beyond is an error, not memory.

/// Bytes of one line, and of one event's data, at the most. The longest honest events hold a whole tool call or an
/// inline image; those seen stay below 200 KiB.
pub(crate) const EVENT_BYTES: usize = 1 << 20;

/// Why a stream cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SseError {
    #[error("an event is longer than {EVENT_BYTES} bytes")]
    TooLong,
    #[error("an event is not UTF-8")]
    NotUtf8,
}

/// One event: its `event` field (empty if it has none) and its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    pub(crate) kind: &'a str,
    pub(crate) data: &'a str,
}

/// Takes bytes in and gives events out.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    inbox: Vec<u8>,
    /// Bytes of the inbox already read as lines.
    read: usize,
    /// Bytes of the inbox already searched for a line's end.
    searched: usize,
    data: Vec<u8>,
    kind: Vec<u8>,
    has_data: bool,
    /// The last event was given out and makes room for the next.
    given: bool,
    /// The last line ended in CR; an LF that follows belongs to it.
    after_cr: bool,
    /// The first line, and with it a BOM, is behind us.
    begun: bool,
    /// Each line is an event's data, without a field's name.
    bare: bool,
}

impl Decoder {
    /// One for JSON texts, one a line.
    pub(crate) fn lines() -> Self {
        Self { bare: true, ..Self::default() }
    }

    /// Takes in what a read brought.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.inbox.drain(..self.read);
        // What was searched ends before the last line's end, what was read behind it.
        self.searched = self.searched.saturating_sub(self.read);
        self.read = 0;
        self.inbox.extend_from_slice(bytes);
    }

    /// Says that nothing more will come, so that an event without its empty line is given out too.
    pub(crate) fn end(&mut self) {
        // The first may still belong to a CR, the second ends a line, the third the event.
        self.push(b"\n\n\n");
    }

    /// The next whole event, if it is there.
    pub(crate) fn next(&mut self) -> Result<Option<Event<'_>>, SseError> {
        if std::mem::take(&mut self.given) {
            self.data.clear();
            self.kind.clear();
            self.has_data = false;
        }
        while let Some((start, end)) = self.line()? {
            if self.bare && start < end {
                let data = std::str::from_utf8(&self.inbox[start..end]).map_err(|_| SseError::NotUtf8)?;
                return Ok(Some(Event { kind: "", data }));
            }
            if start == end {
                if self.has_data {
                    self.given = true;
                    let data = std::str::from_utf8(&self.data).map_err(|_| SseError::NotUtf8)?;
                    let kind = std::str::from_utf8(&self.kind).map_err(|_| SseError::NotUtf8)?;
                    return Ok(Some(Event { kind, data }));
                }
                self.kind.clear();
                continue;
            }
            self.field(start, end)?;
        }
        Ok(None)
    }

    /// Where the next whole line lies in the inbox.
    fn line(&mut self) -> Result<Option<(usize, usize)>, SseError> {
        if self.after_cr && self.read < self.inbox.len() {
            self.after_cr = false;
            if self.inbox[self.read] == b'\n' {
                self.read += 1;
            }
        }
        self.searched = self.searched.max(self.read);
        let found = self.inbox[self.searched..].iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let end = found.map_or(self.inbox.len(), |at| self.searched + at);
        if end - self.read > EVENT_BYTES {
            return Err(SseError::TooLong);
        }
        self.searched = end;
        if found.is_none() {
            return Ok(None);
        }
        let mut start = self.read;
        self.after_cr = self.inbox[end] == b'\r';
        self.read = end + 1;
        if !std::mem::replace(&mut self.begun, true) && self.inbox[start..end].starts_with(b"\xef\xbb\xbf") {
            start += 3;
        }
        Ok(Some((start, end)))
    }

    fn field(&mut self, start: usize, end: usize) -> Result<(), SseError> {
        let line = &self.inbox[start..end];
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"data" => {
                if self.data.len() + value.len() >= EVENT_BYTES {
                    return Err(SseError::TooLong);
                }
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            b"event" => {
                self.kind.clear();
                self.kind.extend_from_slice(value);
            }
            // Comments (an empty name), ids, retry times and what is not of this format.
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Seen = Result<Vec<(String, String)>, SseError>;

    fn decode<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Seen {
        let (mut decoder, mut seen) = (Decoder::default(), Vec::new());
        for part in parts {
            decoder.push(part);
            while let Some(event) = decoder.next()? {
                seen.push((event.kind.to_owned(), event.data.to_owned()));
            }
        }
        decoder.end();
        while let Some(event) = decoder.next()? {
            seen.push((event.kind.to_owned(), event.data.to_owned()));
        }
        Ok(seen)
    }

    fn data(text: &str) -> Vec<String> {
        decode([text.as_bytes()]).expect("valid").into_iter().map(|(_, data)| data).collect()
    }

    #[test]
    fn every_line_end_will_do() {
        for text in ["data: a\n\ndata: b\n\n", "data: a\r\n\r\ndata: b\r\n\r\n", "data: a\r\rdata: b\r\r"] {
            assert_eq!(data(text), ["a", "b"], "{text:?}");
        }
    }

    #[test]
    fn the_format_is_followed() {
        assert_eq!(data("\u{feff}data: a\n\n: note\nid: 7\nretry: 1\n\ndata:b\ndata:  c\ndata\n\n"), ["a", "b\n c\n"]);
        let seen = decode([&b"event: error\ndata: x\n\ndata: y\n\nevent: lost\n\ndata: z"[..]]).expect("valid");
        let seen: Vec<_> = seen.iter().map(|(kind, data)| (kind.as_str(), data.as_str())).collect();
        assert_eq!(seen, [("error", "x"), ("", "y"), ("", "z")]);
        assert!(data("data").iter().all(String::is_empty) && data("\n\n: x\n\n").is_empty());
    }

    #[test]
    fn a_bare_line_is_an_event() {
        let mut decoder = Decoder::lines();
        let mut seen = Vec::new();
        for part in ["{\"a\":", "1}\r\n\n{\"data: b\"}\n", "{}"] {
            decoder.push(part.as_bytes());
            while let Some(event) = decoder.next().expect("valid") {
                seen.push(event.data.to_owned());
            }
        }
        assert_eq!(seen, ["{\"a\":1}", "{\"data: b\"}"], "the last line may have more to it");
        decoder.end();
        assert_eq!(decoder.next(), Ok(Some(Event { kind: "", data: "{}" })));
    }

    #[test]
    fn a_long_line_is_refused_at_the_bound() {
        let mut decoder = Decoder::default();
        decoder.push(b"data: ");
        let piece = [b'x'; 4096];
        let mut taken = 0;
        let error = loop {
            decoder.push(&piece);
            taken += piece.len();
            match decoder.next() {
                Ok(event) => assert_eq!(event, None),
                Err(error) => break error,
            }
        };
        assert_eq!((error, taken), (SseError::TooLong, EVENT_BYTES), "with the field's name it is over");
        let many = "data: 0123456789\n".repeat(EVENT_BYTES / 10 + 1);
        assert_eq!(decode([many.as_bytes()]), Err(SseError::TooLong), "many lines of one event count together");
    }

    #[test]
    fn what_is_not_utf8_is_refused() {
        assert_eq!(decode([&b"data: \xff\n\n"[..]]), Err(SseError::NotUtf8));
        assert!(decode([&b": \xff\n\ndata: a\n\n"[..]]).is_ok(), "a comment is not read");
    }

    proptest! {
        #[test]
        fn any_cut_of_the_bytes_gives_the_same_events(
            text in r"(\u{feff})?((data|event|id|x)?(:| :|: )?[aäé𝄞 ]{0,6}(\n|\r|\r\n){1,3}){0,12}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let bytes = text.as_bytes();
            let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).chain([0, bytes.len()]).collect();
            at.sort_unstable();
            prop_assert_eq!(decode(at.windows(2).map(|pair| &bytes[pair[0]..pair[1]])), decode([bytes]));
        }

        #[test]
        fn no_bytes_make_it_panic(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8)) {
            let _ = decode(parts.iter().map(Vec::as_slice));
        }
    }
}

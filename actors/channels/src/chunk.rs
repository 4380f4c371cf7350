//! Cuts a long text into messages, each of which reads well alone.
//!
//! A text is cut where a paragraph ends, else a line, a sentence, a word. Where a cut falls into a fenced block of code,
//! the fence is closed at the end of the one message and opened again in the next, with its language. Where a text was
//! cut is a position in it, so that the rest can be cut again after a crash, in the same way.

use std::ops::Range;

/// The marks of a fence are at least three and seldom more than four; a longer run is taken for text.
const FENCE_LONGEST: usize = 32;

/// Characters of a fence's info string that are said again; a language is shorter.
const INFO_LONGEST: usize = 32;

/// Units of UTF-16, in which Telegram counts a text; a character beyond the basic plane is two.
pub fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// One message's share of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// The fence that was open where it begins.
    opened: Option<Fence>,
    /// What of the text it is.
    pub body: &'a str,
    /// Where it ends in the text.
    pub end: usize,
    /// The fence that is open where it ends.
    closed: Option<Fence>,
    /// Nothing but white space follows.
    pub last: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Fence {
    mark: char,
    length: usize,
    info: String,
}

impl Fence {
    fn marks(&self) -> String {
        self.mark.to_string().repeat(self.length)
    }

    fn opening(&self) -> String {
        format!("{}{}\n", self.marks(), self.info)
    }

    /// The fence that a line opens.
    fn opened_by(line: &str) -> Option<Self> {
        let line = line.trim();
        let mark = line.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
        let length = line.chars().take_while(|char| *char == mark).count();
        let info = line[length..].trim();
        let good = (3..=FENCE_LONGEST).contains(&length) && !(mark == '`' && info.contains('`'));
        good.then(|| Self { mark, length, info: info.chars().take(INFO_LONGEST).collect() })
    }

    fn is_closed_by(&self, line: &str) -> bool {
        let line = line.trim();
        line.len() >= self.length && line.chars().all(|char| char == self.mark)
    }

    /// What is open after some lines, where `open` was before them. A last line without its end is not looked at.
    fn after(open: Option<Self>, lines: &str) -> Option<Self> {
        let whole = lines.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.fold(open, |open, line| match open {
            Some(fence) if fence.is_closed_by(line) => None,
            Some(fence) => Some(fence),
            None => Self::opened_by(line),
        })
    }
}

impl Chunk<'_> {
    /// The message: markdown that is whole in itself.
    pub fn shown(&self) -> String {
        let mut shown = self.opened.as_ref().map(Fence::opening).unwrap_or_default();
        // In code every line counts; elsewhere a message begins with its first words.
        shown += if self.opened.is_some() { self.body } else { self.body.trim_start_matches(['\n', '\r']) };
        if let Some(fence) = &self.closed {
            if !shown.ends_with('\n') {
                shown.push('\n');
            }
            shown += &fence.marks();
        }
        shown
    }

    /// Where the text goes on, for whoever must show the rest.
    pub fn up_to(&self) -> Option<usize> {
        (!self.last).then_some(self.end)
    }
}

/// The share of the next message: `text` from byte `from` on, in at most `limit` units, what is added to it included.
/// `limit` is at least 256. Beyond the end, or within a character, it is empty and the last.
pub fn next(text: &str, from: usize, limit: usize) -> Chunk<'_> {
    let Some(rest) = text.get(from..) else {
        return Chunk { opened: None, body: "", end: text.len(), closed: None, last: true };
    };
    let opened = Fence::after(None, &text[..from]);
    let room = limit.saturating_sub(opened.as_ref().map_or(0, |fence| units(&fence.opening())));
    let chunk = |end: usize| {
        // The last line counts even without its end: a fence may close there.
        let body = &rest[..end];
        let open = Fence::after(opened.clone(), body);
        let tail = body.rsplit('\n').next().unwrap_or_default();
        let closed = match open {
            Some(fence) if end == rest.len() && fence.is_closed_by(tail) => None,
            None if end == rest.len() => Fence::opened_by(tail),
            open => open,
        };
        Chunk { opened: opened.clone(), body, end: from + end, closed, last: rest[end..].trim().is_empty() }
    };
    if units(rest) <= room {
        let whole = chunk(rest.len());
        if units(&whole.shown()) <= limit {
            return whole;
        }
    }
    // What closes a fence needs room too.
    let most = prefix(rest, room.saturating_sub(FENCE_LONGEST + 1));
    chunk(cut(rest, most, opened.as_ref()))
}

/// The messages of a text, at least one.
pub fn all(text: &str, limit: usize) -> impl Iterator<Item = Chunk<'_>> {
    std::iter::successors(Some(next(text, 0, limit)), move |chunk| Some(next(text, chunk.up_to()?, limit)))
}

/// The longest prefix of at most `limit` units, in bytes.
fn prefix(text: &str, limit: usize) -> usize {
    let mut left = limit;
    for (at, char) in text.char_indices() {
        match left.checked_sub(char.len_utf16()) {
            Some(less) => left = less,
            None => return at,
        }
    }
    text.len()
}

/// Where to cut the first `most` bytes of a text: at the best place of their second half.
fn cut(text: &str, most: usize, opened: Option<&Fence>) -> usize {
    let head = &text[..most];
    let half = most / 2;
    let lines = head.rmatch_indices('\n').map(|(at, _)| at + 1).take_while(|at| *at > half);
    let mut line = None;
    for at in lines {
        let open = Fence::after(opened.cloned(), &head[..at]);
        if open.is_none() && (head[..at].ends_with("\n\n") || opens(&text[at..])) {
            return at;
        }
        // Not between a fence and its first line.
        let bare = open.is_some() && Fence::after(opened.cloned(), &head[..before(head, at)]).is_none();
        if line.is_none() && !bare {
            line = Some(at);
        }
    }
    if let Some(at) = line {
        return at;
    }
    let ends = |range: Range<usize>| matches!(&head[range], ". " | "! " | "? " | "… ");
    let words = || head.rmatch_indices(' ').map(|(at, _)| at + 1).take_while(|at| *at > half);
    let fits = |at: &usize| !opens(&text[*at..]);
    let sentence = words().filter(|at| {
        let start = head[..at - 1].char_indices().next_back().map_or(0, |(start, _)| start);
        ends(start..*at)
    });
    let hard = head.char_indices().rev().map(|(at, _)| at).filter(|at| *at > half);
    let chosen = sentence.chain(words()).find(fits).or_else(|| Some(most).filter(fits));
    chosen.or_else(|| hard.into_iter().find(fits)).unwrap_or(most)
}

/// Whether a message that began here would begin with what may be taken for a fence.
fn opens(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with("```") || text.starts_with("~~~")
}

/// Where the line before the one at `at` begins.
fn before(head: &str, at: usize) -> usize {
    head[..at - 1].rfind('\n').map_or(0, |end| end + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &str, limit: usize) -> Vec<Chunk<'_>> {
        let mut chunks: Vec<Chunk<'_>> = Vec::new();
        for chunk in super::all(text, limit) {
            let from = chunks.last().map_or(0, |chunk| chunk.end);
            assert!(chunk.last || chunk.end > from, "it goes on");
            chunks.push(chunk);
        }
        chunks
    }

    /// Whether every fence that is opened is closed.
    fn balanced(shown: &str) -> bool {
        Fence::after(None, &format!("{shown}\n")).is_none()
    }

    #[test]
    fn a_short_text_is_one_message_as_it_stands() {
        let chunks = all("hello\n\nworld", 4_096);
        assert_eq!(chunks.iter().map(Chunk::shown).collect::<Vec<_>>(), ["hello\n\nworld"]);
        assert_eq!(chunks[0].up_to(), None);
        assert!(next("", 0, 4_096).last && next("ab", 9, 4_096).last && next("ä", 1, 4_096).last);
    }

    #[test]
    fn a_fence_that_is_cut_is_closed_and_opened_again_with_its_language() {
        let code: String = (0..100).map(|line| format!("let x{line} = {line};\n")).collect();
        let text = format!("Here it is:\n\n```rust\n{code}```\n\nThat was it.");
        let chunks = all(&text, 400);
        let shown: Vec<String> = chunks.iter().map(Chunk::shown).collect();
        assert!(shown.len() > 3);
        for (number, message) in shown.iter().enumerate() {
            assert!(balanced(message), "{message}");
            assert!(number == 0 || number == shown.len() - 1 || message.starts_with("```rust\nlet x"), "{message}");
        }
        assert!(shown.last().is_some_and(|last| last.ends_with("That was it.")));
    }

    #[test]
    fn a_text_is_cut_where_a_paragraph_ends_else_a_line_a_sentence_a_word() {
        let first = |text: &str| next(text, 0, 256).body.to_owned();
        let (a, b) = ("a".repeat(150), "b".repeat(200));
        assert_eq!(first(&format!("{a}\n\n{b}")), format!("{a}\n\n"));
        assert_eq!(first(&format!("{a}\n{b}")), format!("{a}\n"));
        assert_eq!(first(&format!("{a}. c {b}")), format!("{a}. "));
        assert_eq!(first(&format!("{a} {b}")), format!("{a} "));
        assert!(first(&"x".repeat(400)).len() > 200);
    }

    #[test]
    fn length_is_counted_as_telegram_does() {
        let text = "😀".repeat(3_000);
        let chunks = all(&text, 4_096);
        assert_eq!(chunks.len(), 2);
        assert!(chunks.iter().all(|chunk| units(&chunk.shown()) <= 4_096));
    }

    #[test]
    fn a_block_that_fits_into_the_next_message_is_not_torn() {
        let text = format!("{}\n```\nshort\n```\n{}", "words ".repeat(30), "more ".repeat(60));
        let shown: Vec<String> = all(&text, 256).iter().map(Chunk::shown).collect();
        assert!(shown.iter().any(|message| message.contains("```\nshort\n```")), "{shown:#?}");
    }

    proptest! {
        #[test]
        fn joined_chunks_are_the_text_and_each_is_whole_and_within_the_limit(
            lines in prop::collection::vec(
                prop_oneof![
                    "[a-zäß😀 .]{0,40}",
                    Just(String::new()),
                    Just("```rust".to_owned()),
                    Just("```".to_owned()),
                    Just("~~~~".to_owned()),
                    "[a-z ]{100,900}",
                    Just("  ``` x".to_owned()),
                ],
                0..40,
            ),
            limit in 256_usize..700,
        ) {
            let text = lines.join("\n");
            let chunks = all(&text, limit);
            let joined: String = chunks.iter().map(|chunk| chunk.body).collect();
            prop_assert!(text.starts_with(&joined) && text[joined.len()..].trim().is_empty());
            for chunk in &chunks {
                let shown = chunk.shown();
                prop_assert!(units(&shown) <= limit, "{} of {limit}: {shown:?}", units(&shown));
                prop_assert!(balanced(&shown), "{shown:?}");
            }
        }
    }
}

//! What of a stranger's words may be shown.

use mosaic_types::Secret;

/// Characters of a stranger's text in an error, at the most: enough for every real message seen, and for a log line.
const CHARS: usize = 300;

/// Keys shorter than this are placeholders for servers that want any key; to hide them would only garble the text.
const KEY_BYTES: usize = 5;

/// The text on one line, without control characters, without the key, and cut after 300 characters.
///
/// `cut` tells that `text` is only the beginning of what was sent: then the key may stand half at its end.
pub(crate) fn shown(text: &str, cut: bool, key: Option<&Secret>) -> String {
    // First made plain, then redacted, then cut: in any other order parts of a key could pass.
    let mut plain = String::with_capacity(text.len().min(4 * CHARS));
    for word in text.split(|letter: char| letter.is_whitespace() || letter.is_control()).filter(|word| !word.is_empty())
    {
        if !plain.is_empty() {
            plain.push(' ');
        }
        plain.push_str(word);
    }
    if let Some(key) = key.map(Secret::expose).filter(|key| key.len() >= KEY_BYTES) {
        plain = plain.replace(key, "[redacted]");
        let halves = (KEY_BYTES..key.len()).rev().filter(|at| cut && key.is_char_boundary(*at));
        for half in halves {
            if let Some(rest) = plain.strip_suffix(&key[..half]) {
                plain = format!("{rest}[redacted]");
                break;
            }
        }
    }
    match plain.char_indices().nth(CHARS) {
        Some((end, _)) => {
            plain.truncate(end);
            plain.push('…');
            plain
        }
        None => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> String {
        shown(text, false, Some(&Secret::new("sk-planted-key")))
    }

    #[test]
    fn a_key_is_never_shown() {
        assert_eq!(show("bad key sk-planted-key!"), "bad key [redacted]!");
        assert_eq!(show("sk-planted-keysk-planted-key"), "[redacted][redacted]");
        let late = format!("{} sk-planted-key", "x".repeat(295));
        assert!(!show(&late).contains("sk-"), "not even the part before the cut");
        let half = shown("you sent sk-plant", true, Some(&Secret::new("sk-planted-key")));
        assert_eq!(half, "you sent [redacted]");
    }

    #[test]
    fn text_is_made_plain_and_short() {
        assert_eq!(show(" a\r\n\tb\u{1b}[31m\0c "), "a b [31m c");
        assert_eq!(show(&"ä".repeat(500)).chars().count(), 301);
        assert_eq!(shown("ollama is up", false, Some(&Secret::new("key"))), "ollama is up");
    }
}

//! A session's name, where nobody gave it one.

use mosaic_types::limits;

/// The first words of the first message.
pub(super) fn of(text: &str) -> String {
    let visible: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= limits::TITLE_CHARS {
        return line;
    }
    let cut: String = line.chars().take(limits::TITLE_CHARS).collect();
    let whole = cut.rsplit_once(' ').map_or(cut.as_str(), |(whole, _)| whole);
    format!("{whole}…")
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn a_title_is_the_first_words_on_one_line() {
        assert_eq!(of("  hello\n\tworld \u{7}"), "hello world");
        assert_eq!(of(&"word ".repeat(40)), format!("{}…", "word ".repeat(12).trim_end()));
        assert_eq!(of(&"x".repeat(100)), format!("{}…", "x".repeat(60)));
    }
}

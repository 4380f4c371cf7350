use super::*;

/// What others have used to play tricks on terminals and their readers.
pub(crate) const HOSTILE: &[&str] = &[
    "\u{1b}[2J\u{1b}[H\u{1b}[31mred",
    "\u{1b}]0;title\u{7}\u{1b}]52;c;aGVsbG8=\u{7}",
    "\u{1b}]8;;https://evil.example\u{1b}\\click\u{1b}]8;;\u{1b}\\",
    "\u{9b}31m\u{90}q\u{9c}\u{85}",
    "\u{202e}gnp.exe\u{202c} \u{2066}a\u{2069} \u{200f}b\u{61c}",
    "z\u{200b}e\u{200b}r\u{2060}o\u{feff} \u{ad}soft",
    "\u{e0041}\u{e0042}hidden",
    "H\u{335}\u{335}\u{335}\u{335}\u{335}\u{335}\u{335}\u{335}\u{335}\u{335}\u{335}\u{335}\u{335}\u{335}e",
    "👨‍👩‍👧‍👦👩🏽‍🚀🏴‍☠️🇩🇪",
    "\u{1100}\u{1100}\u{1100}\u{1100}\u{1100}\u{1100}\u{1100}",
    "क्ष्म्य्र्क्ष्म्य्र्क्ष्म्य्र्",
    "\u{7}\u{8}\u{8}\u{8}\u{c}\u{e}\r over\rwritten\u{7f}",
    "<script>alert(1)</script>",
    "﷽﷽﷽",
    "\u{fff9}a\u{fffa}b\u{fffb}\u{2028}\u{2029}",
    "\0\0\0",
];

#[test]
fn nothing_in_a_text_acts_on_the_terminal() {
    for text in HOSTILE {
        let shown = shown(text);
        assert!(!shown.chars().any(|char| char != '\n' && acts(char)), "{text:?} became {shown:?}");
    }
    assert_eq!(shown("a\u{1b}[31m\r\n\tb\u{9b}"), "a␛[31m\n    b‹009B›");
    assert_eq!(shown("x\u{202e}y"), "x‹202E›y");
}

#[test]
fn a_cell_is_one_or_two_columns_whatever_the_text_is_made_of() {
    for text in HOSTILE {
        let shown = shown(text);
        for (cell, width) in cells(&shown) {
            assert!((1..=2).contains(&width) && UnicodeWidthStr::width(cell) == width, "{cell:?} is {width} wide");
        }
        for columns in 2..20 {
            let rows = wrap_text(text, columns, Look::default(), &Row::default(), &Row::default());
            assert!(rows.iter().all(|row| row.width() <= columns), "{text:?} in {columns}");
        }
    }
}

#[test]
fn wrapping_loses_nothing_but_blanks() {
    let text = "one  two threefour 漢字 five";
    for columns in 2..40 {
        let rows = wrap_text(text, columns, Look::default(), &Row::default(), &Row::default());
        let joined: String = rows.iter().map(|row| row.text()).collect();
        let bare = |text: &str| text.replace(' ', "");
        assert_eq!(bare(&joined), bare(text), "{columns}");
    }
}

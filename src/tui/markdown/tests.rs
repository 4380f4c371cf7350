use super::*;

fn text(markdown: &str, columns: usize) -> String {
    prose(markdown, columns).iter().map(|row| row.text().trim_end().to_owned() + "\n").collect()
}

fn find(markdown: &str, piece: &str) -> Look {
    let rows = prose(markdown, 80);
    let span = rows.iter().flat_map(|row| &row.0).find(|span| span.text.contains(piece)).expect("it is shown");
    span.look
}

#[test]
fn what_people_write_is_laid_out() {
    let page = "# Title\n\nOne *two* **three** `four` ~~five~~\nsix\n\n- a\n- b\n  - c\n  - d\n\n3. x\n4. y\n\n> quoted\n\
                > twice\n\n- [x] done\n- [ ] open\n\n---\n\n[site](https://example.org)";
    insta::assert_snapshot!(text(page, 40));
    assert!(find(page, "two").italic && find(page, "three").bold && find(page, "five").struck);
    assert_eq!((find(page, "four").tone, find(page, "Title").tone), (Tone::Code, Tone::Heading));
}

#[test]
fn rows_break_between_words_and_keep_their_indent() {
    assert_eq!(text("- one two three four\n", 12), "• one two\n  three four\n");
    assert_eq!(text("abcdefghij", 4), "abcd\nefgh\nij\n");
    assert_eq!(text("ab 漢字漢字", 5), "ab\n漢字\n漢字\n");
}

#[test]
fn a_table_lines_up_and_fits() {
    let table = "| name | what it is |\n|---|---:|\n| a | one |\n| bcd | a long text that has to be broken |\n";
    insta::assert_snapshot!(text(table, 30));
    for columns in 4..60 {
        let widest = prose(table, columns).iter().map(Row::width).max();
        assert!(columns < 12 || widest <= Some(columns), "{columns}: {widest:?}");
    }
}

#[test]
fn markup_of_other_languages_is_shown_as_it_was_written() {
    assert_eq!(text("<script>alert(1)</script>\n", 80), "<script>alert(1)</script>\n");
    assert_eq!(text("a <b onclick=x>c</b>", 80), "a <b onclick=x>c</b>\n");
}

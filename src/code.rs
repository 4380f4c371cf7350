//! Highlights source code, well enough for reading: words, literals, numbers, comments.
//!
//! A lexer of its own in place of a library: those that know each language's grammar add megabytes and regular
//! expressions that hostile text can stall, and what a reader needs of an answer is told by five colours.

/// What a piece of code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Plain,
    Keyword,
    Literal,
    Number,
    Comment,
}

/// How a family of languages is written.
struct Family {
    names: &'static [&'static str],
    /// What begins a comment to the end of the line.
    line: &'static [&'static str],
    /// What begins and ends a longer one.
    block: Option<(&'static str, &'static str)>,
    quotes: &'static str,
    words: &'static [&'static str],
}

const FAMILIES: &[Family] = &[
    Family {
        names: &["rust", "rs"],
        line: &["//"],
        block: Some(("/*", "*/")),
        quotes: "\"",
        words: &[
            "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern", "false",
            "fn", "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return",
            "self", "Self", "static", "struct", "super", "trait", "true", "type", "unsafe", "use", "where", "while",
        ],
    },
    Family {
        names: &["python", "py"],
        line: &["#"],
        block: None,
        quotes: "\"'",
        words: &[
            "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else",
            "except", "False", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "None",
            "nonlocal", "not", "or", "pass", "raise", "return", "True", "try", "while", "with", "yield", "match",
            "case",
        ],
    },
    Family {
        names: &["sh", "bash", "shell", "zsh", "console", "dockerfile", "make", "makefile"],
        line: &["#"],
        block: None,
        quotes: "\"'`",
        words: &[
            "case",
            "do",
            "done",
            "elif",
            "else",
            "esac",
            "export",
            "fi",
            "for",
            "function",
            "if",
            "in",
            "local",
            "return",
            "then",
            "until",
            "while",
            "FROM",
            "RUN",
            "COPY",
            "ENV",
            "CMD",
            "ENTRYPOINT",
            "sudo",
            "cd",
            "echo",
        ],
    },
    Family {
        names: &["sql", "postgres", "sqlite", "mysql"],
        line: &["--"],
        block: Some(("/*", "*/")),
        quotes: "'\"",
        words: &[
            "and", "as", "by", "create", "delete", "desc", "distinct", "drop", "from", "group", "having", "in",
            "index", "inner", "insert", "into", "is", "join", "left", "limit", "not", "null", "on", "or", "order",
            "outer", "primary", "key", "select", "set", "table", "union", "update", "values", "where", "with", "begin",
            "commit",
        ],
    },
    Family {
        names: &["toml", "yaml", "yml", "ini", "conf", "properties"],
        line: &["#", ";"],
        block: None,
        quotes: "\"'",
        words: &["true", "false", "null", "yes", "no"],
    },
    Family { names: &["json", "jsonc"], line: &["//"], block: None, quotes: "\"", words: &["true", "false", "null"] },
    Family {
        names: &["erlang", "erl", "elixir", "ex", "exs"],
        line: &["%", "#"],
        block: None,
        quotes: "\"'",
        words: &[
            "after",
            "begin",
            "case",
            "catch",
            "def",
            "defmodule",
            "defp",
            "do",
            "else",
            "end",
            "false",
            "fn",
            "fun",
            "if",
            "nil",
            "of",
            "receive",
            "true",
            "try",
            "use",
            "when",
            "with",
        ],
    },
    // What is left is most often a cousin of C.
    Family {
        names: &[
            "c",
            "h",
            "cpp",
            "c++",
            "cc",
            "hpp",
            "java",
            "js",
            "javascript",
            "jsx",
            "ts",
            "typescript",
            "tsx",
            "go",
            "cs",
            "csharp",
            "kotlin",
            "kt",
            "swift",
            "scala",
            "php",
            "dart",
            "zig",
            "css",
            "proto",
            "groovy",
        ],
        line: &["//"],
        block: Some(("/*", "*/")),
        quotes: "\"'`",
        words: &[
            "abstract",
            "as",
            "async",
            "await",
            "bool",
            "break",
            "case",
            "catch",
            "char",
            "class",
            "const",
            "continue",
            "default",
            "defer",
            "delete",
            "do",
            "double",
            "else",
            "enum",
            "export",
            "extends",
            "extern",
            "false",
            "final",
            "finally",
            "float",
            "for",
            "fn",
            "from",
            "fun",
            "func",
            "function",
            "go",
            "if",
            "implements",
            "import",
            "in",
            "int",
            "interface",
            "let",
            "long",
            "map",
            "namespace",
            "new",
            "nil",
            "null",
            "override",
            "package",
            "private",
            "protected",
            "public",
            "return",
            "select",
            "static",
            "string",
            "struct",
            "super",
            "switch",
            "template",
            "this",
            "throw",
            "true",
            "try",
            "type",
            "typeof",
            "undefined",
            "unsigned",
            "using",
            "val",
            "var",
            "void",
            "while",
            "yield",
        ],
    },
];

/// Reads the lines of one piece of code, in order.
#[derive(Clone)]
pub struct Lexer {
    family: Option<&'static Family>,
    /// In the middle of a long comment.
    commented: bool,
}

impl Lexer {
    /// For the language that a fence names; unknown ones stay plain.
    pub fn new(language: &str) -> Self {
        let name = language.split([' ', ',', '{']).next().unwrap_or_default().to_ascii_lowercase();
        let family = FAMILIES.iter().find(|family| family.names.contains(&name.as_str()));
        Self { family, commented: false }
    }

    /// The pieces of a line; all of it, and no two of a kind side by side.
    pub fn line<'a>(&mut self, line: &'a str) -> Vec<(Kind, &'a str)> {
        let Some(family) = self.family else { return vec![(Kind::Plain, line)] };
        let mut pieces: Vec<(Kind, &'a str)> = Vec::new();
        let (mut from, mut at) = (0, 0);
        while let Some(first) = line[at..].chars().next() {
            let (length, kind) = self.piece(family, &line[at..], first);
            if pieces.last().is_none_or(|(last, _)| *last != kind) {
                from = at;
                pieces.push((kind, ""));
            }
            at += length;
            if let Some(last) = pieces.last_mut() {
                last.1 = &line[from..at];
            }
        }
        pieces
    }

    /// How long the next piece is, at least a character, and what it is.
    fn piece(&mut self, family: &Family, rest: &str, first: char) -> (usize, Kind) {
        if let Some((open, close)) = family.block {
            let begun = !self.commented && rest.starts_with(open);
            if self.commented || begun {
                let from = if begun { open.len() } else { 0 };
                let end = rest[from..].find(close).map(|at| from + at + close.len());
                self.commented = end.is_none();
                return (end.unwrap_or(rest.len()), Kind::Comment);
            }
        }
        if family.line.iter().any(|mark| rest.starts_with(mark)) {
            return (rest.len(), Kind::Comment);
        }
        if family.quotes.contains(first) {
            return (quoted(rest, first), Kind::Literal);
        }
        let run = |part: fn(char) -> bool| rest.find(|char| !part(char)).unwrap_or(rest.len());
        if first.is_ascii_digit() {
            return (run(|char| char.is_ascii_alphanumeric() || char == '.' || char == '_'), Kind::Number);
        }
        if first.is_alphabetic() || first == '_' {
            let length = run(|char| char.is_alphanumeric() || char == '_');
            let word = &rest[..length];
            let sql = family.names[0] == "sql";
            let known = family.words.iter().any(|known| *known == word || sql && known.eq_ignore_ascii_case(word));
            return (length, if known { Kind::Keyword } else { Kind::Plain });
        }
        (first.len_utf8(), Kind::Plain)
    }
}

/// The length of a literal: to its closing quote, else to the end of the line.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            char if char == quote => return at + char.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_literals_numbers_and_comments_are_told_apart() {
        let told = Lexer::new("rust").line(r#"let x = "a \" b"; // 4"#);
        assert_eq!(
            told,
            [
                (Kind::Keyword, "let"),
                (Kind::Plain, " x = "),
                (Kind::Literal, "\"a \\\" b\""),
                (Kind::Plain, "; "),
                (Kind::Comment, "// 4")
            ]
        );
        assert_eq!(Lexer::new("SQL").line("Select 1")[0], (Kind::Keyword, "Select"));
        assert_eq!(Lexer::new("brainfuck").line("let"), [(Kind::Plain, "let")]);
    }

    #[test]
    fn a_comment_goes_on_over_lines_and_no_text_is_lost() {
        let mut lexer = Lexer::new("c");
        for (line, kind) in [("int a; /* one", Kind::Keyword), ("two", Kind::Comment), ("three */ b", Kind::Comment)] {
            let pieces = lexer.line(line);
            assert_eq!(pieces[0].0, kind, "{line}");
            assert_eq!(pieces.iter().map(|(_, text)| *text).collect::<String>(), line);
        }
        assert_eq!(lexer.line("b")[0].0, Kind::Plain);
    }
}

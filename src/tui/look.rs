//! How a piece of text looks: by its meaning, which a theme turns into colours.

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Tone {
    #[default]
    Plain,
    /// Beside the matter: hints, frames, what is over.
    Soft,
    /// What the eye should find: names, the prompt, the chosen one.
    Accent,
    /// What a person wrote.
    Person,
    Heading,
    Link,
    Good,
    Warn,
    Bad,
    Code,
    Keyword,
    Literal,
    Number,
    Comment,
}

/// A tone with its emphasis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Look {
    pub(crate) tone: Tone,
    pub(crate) bold: bool,
    pub(crate) italic: bool,
    pub(crate) underlined: bool,
    pub(crate) struck: bool,
    /// On the colour of what is chosen.
    pub(crate) chosen: bool,
    /// Front and back change places: the cursor.
    pub(crate) reversed: bool,
}

impl Look {
    pub(crate) fn of(tone: Tone) -> Self {
        Self { tone, ..Self::default() }
    }

    pub(crate) fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub(crate) fn italic(self) -> Self {
        Self { italic: true, ..self }
    }
}

impl From<Tone> for Look {
    fn from(tone: Tone) -> Self {
        Self::of(tone)
    }
}

/// A piece of a row in one look. Its text is made of what [`super::text::shown`] lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) text: String,
    pub(crate) look: Look,
}

impl Span {
    pub(crate) fn new(text: impl Into<String>, look: impl Into<Look>) -> Self {
        Self { text: text.into(), look: look.into() }
    }
}

/// A row of the screen, or a text that is yet to be wrapped into some.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Row(pub(crate) Vec<Span>);

impl Row {
    pub(crate) fn of(text: impl Into<String>, look: impl Into<Look>) -> Self {
        Self(vec![Span::new(text, look)])
    }

    /// With one more piece; what looks the same becomes one.
    pub(crate) fn with(mut self, text: impl AsRef<str>, look: impl Into<Look>) -> Self {
        self.push(text.as_ref(), look.into());
        self
    }

    pub(crate) fn push(&mut self, text: &str, look: Look) {
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(last) if last.look == look => last.text.push_str(text),
            _ => self.0.push(Span::new(text, look)),
        }
    }

    /// The text alone.
    pub(crate) fn text(&self) -> String {
        self.0.iter().map(|span| span.text.as_str()).collect()
    }

    /// Columns that it takes.
    pub(crate) fn width(&self) -> usize {
        self.0.iter().map(|span| super::text::width(&span.text)).sum()
    }

    /// All of it changed in look.
    pub(crate) fn restyled(mut self, change: impl Fn(Look) -> Look) -> Self {
        for span in &mut self.0 {
            span.look = change(span.look);
        }
        self
    }

    /// Filled up with blanks to `columns`, in the look of its last piece where that is chosen.
    pub(crate) fn padded(mut self, columns: usize) -> Self {
        let missing = columns.saturating_sub(self.width());
        let chosen = self.0.last().is_some_and(|span| span.look.chosen);
        self.push(&" ".repeat(missing), Look { chosen, ..Look::default() });
        self
    }

    /// Cut to `columns`, with an ellipsis where something is missing.
    pub(crate) fn cut(self, columns: usize) -> Self {
        if self.width() <= columns {
            return self;
        }
        let mut cut = Self::default();
        let mut left = columns.saturating_sub(1);
        for span in self.0 {
            for (cell, width) in super::text::cells(&span.text) {
                if width > left {
                    if columns > 0 {
                        cut.push("…", span.look);
                    }
                    return cut;
                }
                left -= width;
                cut.push(cell, span.look);
            }
        }
        cut
    }
}

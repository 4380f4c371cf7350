//! Colours: what each tone looks like on a dark ground, a light one, or where no colour is wanted.

use cursive::theme::{Color, ColorStyle, Effect, Style};

use super::look::{Look, Tone};

/// A set of colours. The ground is always the terminal's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    Dark,
    Light,
    /// Told apart by weight alone.
    Plain,
}

impl Theme {
    /// What fits the terminal: `NO_COLOR` is obeyed, and the ground is taken from `COLORFGBG` where that is set.
    pub(crate) fn fitting(no_color: Option<&str>, ground: Option<&str>) -> Self {
        if no_color.is_some_and(|set| !set.is_empty()) {
            return Self::Plain;
        }
        let ground = ground.and_then(|colors| colors.rsplit(';').next()?.parse::<u8>().ok());
        if matches!(ground, Some(7 | 9..=15)) { Self::Light } else { Self::Dark }
    }

    /// The other one.
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Dark => Self::Light,
            Self::Light | Self::Plain => Self::Dark,
        }
    }

    /// Numbers of the 256 colours; `None`: the terminal's own.
    fn color(self, tone: Tone) -> Option<u8> {
        let (dark, light) = match tone {
            Tone::Plain => return None,
            Tone::Soft => (247, 241),
            Tone::Accent => (75, 25),
            Tone::Person => (110, 24),
            Tone::Heading => (111, 25),
            Tone::Link => (117, 26),
            Tone::Good => (114, 28),
            Tone::Warn => (179, 130),
            Tone::Bad => (174, 124),
            Tone::Code => (180, 94),
            Tone::Keyword => (140, 90),
            Tone::Literal => (150, 28),
            Tone::Number => (216, 130),
            Tone::Comment => (246, 242),
        };
        match self {
            Self::Dark => Some(dark),
            Self::Light => Some(light),
            Self::Plain => None,
        }
    }

    /// A look in these colours.
    pub(crate) fn style(self, look: Look) -> Style {
        let front = self.color(look.tone).map_or(Color::TerminalDefault, Color::from_256colors);
        let ground = match self {
            Self::Dark => Some(237),
            Self::Light => Some(254),
            Self::Plain => None,
        };
        let back = ground.filter(|_| look.chosen).map_or(Color::TerminalDefault, Color::from_256colors);
        let mut style = Style::from(ColorStyle::new(front, back));
        let mut add = |wanted: bool, effect: Effect| {
            if wanted {
                style = style.combine(effect);
            }
        };
        add(look.bold || (self == Self::Plain && look.tone == Tone::Accent), Effect::Bold);
        add(look.italic, Effect::Italic);
        add(look.underlined, Effect::Underline);
        add(look.struck, Effect::Strikethrough);
        add(look.reversed || (self == Self::Plain && look.chosen), Effect::Reverse);
        add(self == Self::Plain && look.tone == Tone::Soft, Effect::Dim);
        style
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a number of the 256 colours looks like: a cube of six, then greys.
    fn rgb(number: u8) -> [f64; 3] {
        let level = |at: u8| if at == 0 { 0.0 } else { f64::from(at) * 40.0 + 55.0 };
        match number.checked_sub(232) {
            Some(grey) => [f64::from(grey) * 10.0 + 8.0; 3],
            None => [(number - 16) / 36, (number - 16) / 6 % 6, (number - 16) % 6].map(level),
        }
    }

    /// Contrast as WCAG 2 reckons it: 4.5 is asked of text, 3 of what is marked besides.
    fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
        let part = |value: f64| match value / 255.0 {
            low if low <= 0.03928 => low / 12.92,
            high => ((high + 0.055) / 1.055).powf(2.4),
        };
        let light = |[r, g, b]: [f64; 3]| 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b) + 0.05;
        let (one, other) = (light(one), light(other));
        one.max(other) / one.min(other)
    }

    #[test]
    fn every_tone_can_be_read_on_its_ground() {
        let tones = [
            Tone::Soft,
            Tone::Accent,
            Tone::Person,
            Tone::Heading,
            Tone::Link,
            Tone::Good,
            Tone::Warn,
            Tone::Bad,
            Tone::Code,
            Tone::Keyword,
            Tone::Literal,
            Tone::Number,
            Tone::Comment,
        ];
        // Dark grounds are seldom quite black.
        for (theme, ground, chosen) in [(Theme::Dark, [30.0; 3], 237), (Theme::Light, [255.0; 3], 254)] {
            for tone in tones {
                let front = rgb(theme.color(tone).expect("a colour of its own"));
                let (plain, marked) = (contrast(front, ground), contrast(front, rgb(chosen)));
                assert!(plain >= 4.5 && marked >= 3.0, "{tone:?} in {theme:?}: {plain:.2}, {marked:.2}");
            }
        }
    }

    #[test]
    fn the_terminal_says_which_colours_fit() {
        assert_eq!(Theme::fitting(None, None), Theme::Dark);
        assert_eq!(Theme::fitting(None, Some("0;15")), Theme::Light);
        assert_eq!(Theme::fitting(None, Some("15;default;0")), Theme::Dark);
        assert_eq!(Theme::fitting(Some("1"), Some("0;15")), Theme::Plain);
        assert_eq!(Theme::fitting(Some(""), None), Theme::Dark);
    }
}

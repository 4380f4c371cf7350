//! The language of a text, by its letters and its smallest words.
//!
//! Our own few lines rather than a library of trigrams: those want a sentence or two before they are sure, and messages
//! to an agent are shorter. Small words are in every sentence, and they are being looked at already.

use mosaic_types::routing::Language;
use mosaic_types::routing::Language::{De, En, Es, Fr, It, Nl, Pt};

/// Words that are in most sentences of a language, in lower case.
#[rustfmt::skip]
const SMALL: &[(Language, &[&str])] = &[
    (En, &["the", "is", "and", "of", "to", "what", "how", "this", "that", "it", "you", "are", "my", "for", "with",
        "please", "can", "do", "does", "why", "be", "have", "your", "i", "from", "not"]),
    (De, &["der", "die", "das", "und", "ist", "ich", "nicht", "ein", "eine", "einen", "den", "dem", "mit", "wie", "für",
        "bitte", "auf", "zu", "von", "mir", "du", "warum", "wer", "diesen", "dieser", "dieses", "im", "es", "sind",
        "kannst"]),
    (Fr, &["le", "la", "les", "et", "est", "un", "une", "des", "je", "pas", "que", "pour", "dans", "ce", "cette", "du",
        "comment", "quelle", "quel", "moi", "vous", "avec", "sur", "pourquoi", "qui", "ces", "mon", "au", "c", "l"]),
    (Es, &["el", "la", "los", "las", "y", "es", "un", "una", "qué", "que", "por", "para", "cómo", "con", "del", "no",
        "en", "este", "esta", "favor", "cuál", "dónde", "mi", "se", "al", "puedes", "lo"]),
    (It, &["il", "lo", "la", "gli", "è", "e", "un", "una", "che", "di", "per", "non", "come", "questo", "questa", "con",
        "sono", "cosa", "mi", "del", "della", "perché", "qual", "i", "puoi", "nel"]),
    (Pt, &["o", "os", "as", "e", "é", "um", "uma", "que", "não", "para", "com", "do", "da", "como", "este", "esta",
        "isso", "por", "em", "no", "na", "qual", "você", "meu", "ao"]),
    (Nl, &["de", "het", "een", "en", "is", "niet", "ik", "van", "dat", "wat", "hoe", "waarom", "voor", "met", "deze",
        "dit", "op", "zijn", "je", "mijn", "kun", "aan", "er", "naar", "wie"]),
];

/// Letters that only one of these languages has much of.
const LETTERS: &[(Language, &[char])] = &[
    (De, &['ä', 'ö', 'ü', 'ß']),
    (Fr, &['ç', 'ê', 'œ', 'û', 'î', 'à']),
    (Es, &['ñ', '¿', '¡']),
    (It, &['ò', 'ì']),
    (Pt, &['ã', 'õ']),
];

/// The language of a text in lower case, whose words these are; `None` where it does not show.
pub(super) fn of<'a>(lower: &str, words: impl Iterator<Item = &'a str>) -> Option<Language> {
    if let Some(language) = by_script(lower) {
        return Some(language);
    }
    let mut points = [0_u32; SMALL.len()];
    for word in words {
        for (at, (_, small)) in SMALL.iter().enumerate() {
            points[at] += u32::from(small.contains(&word));
        }
    }
    for (at, (language, _)) in SMALL.iter().enumerate() {
        let own = LETTERS.iter().find(|(of, _)| of == language).is_some_and(|(_, own)| lower.contains(*own));
        points[at] += 2 * u32::from(own);
    }
    let most = points.iter().max().copied().filter(|most| *most > 0)?;
    let mut with_most =
        SMALL.iter().zip(points).filter(|(_, points)| *points == most).map(|((language, _), _)| *language);
    // Where two are alike, neither shows.
    with_most.next().filter(|_| with_most.next().is_none())
}

/// By its letters, where most of them are not Latin.
fn by_script(lower: &str) -> Option<Language> {
    let (mut latin, mut counts) = (0_u32, [0_u32; 9]);
    let mut ukrainian = false;
    for letter in lower.chars().filter(|letter| letter.is_alphabetic()) {
        let at = match letter {
            '\u{0370}'..='\u{03ff}' => 0,
            '\u{0400}'..='\u{04ff}' => 1,
            '\u{0590}'..='\u{05ff}' => 2,
            '\u{0600}'..='\u{06ff}' => 3,
            '\u{0900}'..='\u{097f}' => 4,
            '\u{0e00}'..='\u{0e7f}' => 5,
            '\u{3040}'..='\u{30ff}' => 6,
            '\u{4e00}'..='\u{9fff}' => 7,
            '\u{ac00}'..='\u{d7af}' => 8,
            _ => {
                latin += 1;
                continue;
            }
        };
        counts[at] += 1;
        ukrainian |= matches!(letter, 'і' | 'ї' | 'є' | 'ґ');
    }
    // Japanese is written with Chinese letters too, and hardly a sentence of it without its own.
    if counts[6] > 0 {
        counts[6] += std::mem::take(&mut counts[7]);
    }
    let (at, most) = counts.iter().copied().enumerate().max_by_key(|(_, count)| *count)?;
    let language = match at {
        0 => Language::El,
        1 if ukrainian => Language::Uk,
        1 => Language::Ru,
        2 => Language::He,
        3 => Language::Ar,
        4 => Language::Hi,
        5 => Language::Th,
        6 => Language::Ja,
        7 => Language::Zh,
        _ => Language::Ko,
    };
    (most > latin).then_some(language)
}

//! What a task is seen by. Four points make one; a cue that means it for sure has more, one that other texts have too has
//! fewer.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use mosaic_types::routing::Task;
use mosaic_types::routing::Task::{Code, Maths, Summary, Translation, Writing};

/// A sign that a text asks for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cue {
    pub(super) task: Task,
    pub(super) points: u8,
    name: &'static str,
    /// Its name is a word of the text.
    is_word: bool,
}

impl Cue {
    const fn shape(task: Task, points: u8, name: &'static str) -> Self {
        Self { task, points, name, is_word: false }
    }

    /// The same sign, be it worth more or less.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.name == other.name && self.task == other.task
    }

    /// It, where it counts twice.
    pub(super) fn twice(self) -> Self {
        Self { points: self.points * 2, ..self }
    }

    /// It, in a sentence.
    pub(super) fn told(&self) -> Cow<'static, str> {
        if self.is_word { format!("the word \u{201c}{}\u{201d}", self.name).into() } else { self.name.into() }
    }
}

/// Words in lower case, as they stand in an instruction.
#[rustfmt::skip]
const PHRASES: &[(Task, u8, &[&str])] = &[
    // To write, mend or explain a program.
    (Code, 6, &["refactor", "unit test", "unit tests", "stack trace", "stacktrace", "segfault", "borrow checker",
        "write a function", "write a program", "write a script", "write a test", "write tests", "write a query",
        "schreibe eine funktion", "schreibe ein programm", "schreibe ein skript", "écris une fonction",
        "écris un programme", "écris un script", "escribe una función", "escribe un programa", "escribe un script",
        "refaktoriere", "refactorise", "refactoriza", "pull request"]),
    (Code, 5, &["debug", "debugge", "débogue", "depura", "implement", "implementiere", "implémente", "implementa",
        "implementeer", "programmiere", "regex", "javascript", "typescript", "kotlin", "golang", "quelltext",
        "quellcode", "stackoverflow", "compiler"]),
    (Code, 4, &["code", "sql", "bash", "compile", "compiles", "algorithm", "algorithmus", "algorithme", "algoritmo",
        "código", "codice", "python", "rustc", "cargo build", "npm", "git rebase", "dockerfile", "kubernetes",
        "null pointer", "nullpointerexception", "endpoint", "codebase"]),
    (Code, 2, &["function", "funktion", "fonction", "función", "funzione", "função", "functie", "fix", "behebe",
        "bug", "script", "skript", "rust", "java", "class", "method", "methode", "méthode", "variable", "api", "json",
        "html", "css", "exception", "error", "fehler", "erreur", "error message", "fehlermeldung", "loop", "git",
        "docker", "database", "library", "struct", "array", "parser"]),
    // To say the same in less.
    (Summary, 6, &["summarise", "summarize", "summarised", "summarized", "summarising", "summarizing", "summary",
        "tldr", "tl dr", "key points", "main points", "in a nutshell", "condense", "zusammenfassung", "zusammenfassen",
        "kernpunkte", "kurzfassung", "résume", "résumez", "résumer", "résumé", "points clés", "resume este",
        "resume esta", "resume esto", "resume el", "resume la", "resume los", "resume las", "resumir", "resumen",
        "resúmeme", "puntos clave", "riassumi", "riassumere", "riassunto", "resuma", "resumo", "samenvatting",
        "samenvatten", "samen te vatten"]),
    (Summary, 4, &["gist", "shorten", "synthèse", "en bref", "sintesi", "síntesis", "takeaways"]),
    (Summary, 3, &["fasse", "fass", "zusammen", "vat", "samen"]),
    // To say the same in another language.
    (Translation, 7, &["translate", "translation", "translating", "how do you say", "how do i say", "übersetze",
        "übersetz", "übersetzen", "übersetzung", "wie sagt man", "traduis", "traduisez", "traduire", "traduction",
        "comment dit on", "traduce", "traducir", "traduzca", "traducción", "cómo se dice", "traduci", "tradurre",
        "traduzione", "come si dice", "traduza", "traduzir", "tradução", "vertaal", "vertalen", "vertaling"]),
    (Translation, 3, &["ins deutsche", "ins englische", "ins französische", "ins spanische", "auf englisch",
        "auf deutsch", "in english", "in german", "in french", "in spanish", "into english", "into german",
        "into french", "into spanish", "en anglais", "en allemand", "en inglés", "al inglés", "in inglese"]),
    // To reckon or to prove.
    (Maths, 5, &["integral", "derivative", "eigenvalue", "eigenvalues", "polynomial", "square root", "dérivée",
        "intégrale", "derivada", "quadratwurzel", "racine carrée", "raíz cuadrada", "differential equation"]),
    (Maths, 4, &["solve", "equation", "equations", "calculate", "theorem", "probability", "logarithm", "factorial",
        "prime number", "prime numbers", "löse", "gleichung", "berechne", "ableitung", "wahrscheinlichkeit",
        "primzahl", "résous", "équation", "calcule", "calculez", "probabilité", "théorème", "resuelve", "ecuación",
        "calcula", "probabilidad", "teorema", "risolvi", "equazione", "calcola", "bereken", "vergelijking"]),
    (Maths, 2, &["prove", "proof", "compute", "percent", "prozent", "matrix", "vector", "sum of", "beweise", "démontre",
        "demuestra", "integrate", "integriere", "wurzel"]),
    // To write or better a text for people.
    (Writing, 6, &["proofread", "rephrase", "paraphrase", "cover letter", "formuliere", "umformulieren", "reformule",
        "reescribe", "haiku", "limerick"]),
    (Writing, 4, &["essay", "poem", "blog post", "rewrite", "lyrics", "slogan", "gedicht", "aufsatz", "korrigiere",
        "rédige", "poème", "dissertation", "redacta", "poema", "ensayo", "poesia", "short story"]),
    (Writing, 3, &["story", "email", "e mail", "draft", "geschichte", "entwurf", "bewerbung", "cuento", "toast"]),
    (Writing, 2, &["write", "letter", "speech", "novel", "edit", "schreibe", "schreib", "brief", "écris", "lettre",
        "escribe", "carta", "scrivi", "lettera", "escreva", "schrijf"]),
];

/// Words with which questions begin.
const ASKING: &[&str] = &[
    "what", "who", "whom", "whose", "when", "where", "why", "how", "which", "is", "are", "was", "were", "do", "does",
    "did", "can", "could", "should", "would", "will", "explain", "define", "tell", "wer", "wann", "wo", "warum", "wie",
    "welche", "welcher", "welches", "wieso", "ist", "sind", "kann", "erkläre", "qui", "quand", "où", "pourquoi",
    "comment", "quel", "quelle", "combien", "explique", "qué", "quién", "cuándo", "dónde", "cómo", "cuál", "cuánto",
    "explica", "chi", "cosa", "quando", "dove", "perché", "quale", "spiega", "quem", "onde", "qual", "wat", "wanneer",
    "waar", "waarom", "hoe", "welke",
];

struct Phrase {
    rest: Vec<&'static str>,
    cue: Cue,
}

/// By their first word, those with the most words first.
static BY_FIRST: LazyLock<HashMap<&'static str, Vec<Phrase>>> = LazyLock::new(|| {
    let mut by_first: HashMap<&'static str, Vec<Phrase>> = HashMap::new();
    for (task, points, names) in PHRASES {
        for name in *names {
            let mut words = name.split(' ');
            let first = words.next().unwrap_or_default();
            let cue = Cue { task: *task, points: *points, name, is_word: true };
            by_first.entry(first).or_default().push(Phrase { rest: words.collect(), cue });
        }
    }
    by_first.values_mut().for_each(|phrases| phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.rest.len())));
    by_first
});

/// The longest phrase with which these words begin.
pub(super) fn phrase(words: &[&str]) -> Option<Cue> {
    let (first, rest) = words.split_first()?;
    let begins = |phrase: &&Phrase| rest.get(..phrase.rest.len()).is_some_and(|rest| rest == phrase.rest);
    BY_FIRST.get(first)?.iter().find(begins).map(|phrase| phrase.cue)
}

/// Whether a question begins with this word.
pub(super) fn asks(word: &str) -> bool {
    ASKING.contains(&word)
}

/// What stands in reports of programs that went wrong, and hardly anywhere else.
const TRACES: &[&str] = &[
    "Traceback (most recent call last)",
    "panicked at",
    "Exception in thread",
    "error[E",
    "Segmentation fault",
    "Caused by:",
    "TypeError:",
    "SyntaxError:",
    "ReferenceError:",
    "NullPointerException",
    "undefined reference to",
    "\n    at ",
    "\n\tat ",
];

/// Ends of the names of files that hold programs.
const FILES: &[&str] = &[
    ".rs", ".py", ".js", ".ts", ".tsx", ".jsx", ".java", ".kt", ".go", ".rb", ".php", ".cs", ".cpp", ".hpp", ".c",
    ".h", ".swift", ".sh", ".sql", ".toml", ".yaml", ".yml", ".json", ".html", ".css",
];

/// Signs of programs that are no words. They may be of what is pasted below an instruction, so that all of them together
/// are worth little more than the strongest.
pub(super) fn shapes(text: &str) -> Vec<Cue> {
    let mut found = Vec::new();
    if text.contains("```") || text.contains("~~~") {
        found.push(Cue::shape(Code, 5, "a code fence"));
    }
    if TRACES.iter().any(|trace| text.contains(trace)) {
        found.push(Cue::shape(Code, 5, "a stack trace or compiler message"));
    }
    let ends = |line: &&str| line.trim_end().ends_with(['{', ';', '}']);
    if text.lines().filter(ends).take(2).count() == 2 {
        found.push(Cue::shape(Code, 5, "lines of code"));
    }
    let (mut name, mut file) = (false, false);
    for token in text.split_whitespace() {
        let bare = token.trim_matches(|letter: char| !letter.is_alphanumeric() && letter != '_');
        name |= is_identifier(bare, token);
        file |= !bare.contains("://") && FILES.iter().any(|end| bare.len() > end.len() && bare.ends_with(end));
    }
    if name {
        found.push(Cue::shape(Code, 4, "an identifier"));
    }
    if file {
        found.push(Cue::shape(Code, 3, "the name of a source file"));
    }
    found.iter_mut().skip(1).for_each(|cue| cue.points = 1);
    found
}

/// `a_name`, `aName(`, `a::b`, `a->b`, `call()`: names that no prose has. A link is none.
fn is_identifier(bare: &str, token: &str) -> bool {
    if bare.contains("://") || bare.contains('@') {
        return false;
    }
    let between = |pair: &str| {
        bare.split_once(pair).is_some_and(|(before, after)| {
            before.ends_with(|letter: char| letter.is_ascii_alphanumeric())
                && after.starts_with(|letter: char| letter.is_ascii_alphanumeric())
        })
    };
    let camel = || {
        let bytes = bare.as_bytes();
        let humps = bytes.windows(2).filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
        bytes.first().is_some_and(u8::is_ascii_lowercase) && humps.count() > 0 && token.contains('(')
    };
    let called =
        token.find("()").is_some_and(|at| token[..at].ends_with(|letter: char| letter.is_ascii_alphanumeric()));
    between("_") || between("::") || between("->") || called || camel()
}

/// What stands in formulas.
const FORMULAS: &[&str] = &["\\frac", "\\int", "\\sum", "\\sqrt", "$$", "\u{222b}", "\u{2211}", "\u{221a}"];

/// Signs of reckoning that are no words.
pub(super) fn formula(text: &str) -> Option<Cue> {
    if FORMULAS.iter().any(|part| text.contains(part)) {
        return Some(Cue::shape(Maths, 5, "a formula"));
    }
    // A sign with a number on one side and a number or a letter on the other. Neither minus nor slash, which dates have.
    let letters: Vec<char> = text.chars().filter(|letter| !letter.is_whitespace()).collect();
    let reckons = letters.windows(3).any(|three| {
        matches!(three[1], '+' | '*' | '\u{d7}' | '\u{f7}' | '^' | '=')
            && three[0].is_alphanumeric()
            && three[2].is_alphanumeric()
            && (three[0].is_numeric() || three[2].is_numeric())
    });
    reckons.then(|| Cue::shape(Maths, 4, "an arithmetic expression"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_phrase_is_there_twice_and_each_is_found_by_its_own_words() {
        let all: Vec<(&str, Task)> =
            PHRASES.iter().flat_map(|(task, _, names)| names.iter().map(|name| (*name, *task))).collect();
        for (at, (name, task)) in all.iter().enumerate() {
            assert!(all[..at].iter().all(|(other, _)| other != name), "{name} stands there twice");
            let words: Vec<&str> = name.split(' ').collect();
            assert!(words.len() <= 4 && *name == name.to_lowercase(), "{name}");
            assert_eq!(phrase(&words).map(|cue| (cue.name, cue.task)), Some((*name, *task)));
        }
    }

    #[test]
    fn names_of_programs_are_told_from_prose() {
        for name in ["a_name", "std::mem", "foo()", "getUser(id)", "x->y", "`do_it`,"] {
            assert!(shapes(name).iter().any(|cue| cue.task == Code), "{name}");
        }
        for prose in
            ["McDonald", "iPhone", "hello_ there", "https://example.org/a_b", "me@a_b.org", "_so_", "(see)", "e.g."]
        {
            assert_eq!(shapes(prose), [], "{prose}");
        }
    }
}

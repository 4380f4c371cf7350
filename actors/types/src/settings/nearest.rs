//! Guesses which name was meant.

use strsim::damerau_levenshtein;

/// The known name that `name` most likely stands for: a third of its letters may be wrong, in short names one.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let forgiven = (name.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|known| (damerau_levenshtein(&name, &known.to_lowercase()), known))
        .filter(|(distance, _)| *distance <= forgiven)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// What to say of a name that is not known: the nearest one, else all of them.
pub(crate) fn suggest(name: &str, known: &[&str]) -> String {
    match (nearest(name, known.iter().copied()), known) {
        (Some(near), _) => format!("did you mean \"{near}\"?"),
        (None, []) => "nothing is set here".to_owned(),
        (None, [only]) => format!("only \"{only}\" is known here"),
        (None, _) => format!("known here: {}", known.join(", ")),
    }
}

/// Whether a key's name says that its value is a secret.
pub(super) fn names_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["key", "token", "secret", "password", "passwd"].iter().any(|end| key.ends_with(end))
}

/// Whether a text must not be shown: what stands under a key of secrets, what looks like a well-known kind of key, and
/// an address that may hold a password.
pub(super) fn is_hushed(key: &str, text: &str) -> bool {
    const KNOWN_STARTS: &[&str] = &["sk-", "sk_", "gsk_", "xai-", "aiza", "ghp_", "hf_", "bearer "];
    let start = text.trim_start().to_ascii_lowercase();
    names_secret(key)
        || (key.ends_with("_env") && !is_variable(text))
        || key.ends_with("_file")
        || (text.contains("://") && text.contains(['@', '?']))
        || KNOWN_STARTS.iter().any(|known| start.starts_with(known))
}

/// Whether a text is a variable's name beyond doubt, not a key that was put in its place.
fn is_variable(text: &str) -> bool {
    let usual = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    text.len() <= 64 && text.contains('_') && text.bytes().all(usual)
}

//! Fetches the keys of providers, and the password of a database, from where the settings say they are kept.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use mosaic_channels::config::TokenSource;
use mosaic_providers::config::KeySource;
use mosaic_types::Secret;

use super::Env;

/// Bytes of a key file that are looked at; the longest keys known have some hundreds.
const KEY_BYTES: u64 = 16 * 1024;

/// Gets a key, or says what is the matter without repeating what may be the key itself, set there by mistake.
pub(super) fn fetch(source: &KeySource, home: &Path, env: &Env) -> Result<Secret, String> {
    let (key, what) = find(source, home, env, "; leave the line out if no key is needed")?;
    clean(&key, what)
}

/// Gets a channel's token, or says what is the matter in the same way.
pub(super) fn fetch_token(source: &TokenSource, home: &Path, env: &Env) -> Result<Secret, String> {
    let source = match source {
        TokenSource::Variable(name) => KeySource::Variable(name.clone()),
        TokenSource::File(path) => KeySource::File(path.clone()),
    };
    let (token, what) = find(&source, home, env, "")?;
    clean(&token, what)
}

/// Gets a password, which may hold what a key may not, without the line break at its end.
pub(super) fn password(source: &KeySource, home: &Path, env: &Env) -> Result<Secret, String> {
    let (password, what) = find(source, home, env, "")?;
    match password.trim_end_matches(['\r', '\n']) {
        "" => Err(format!("{what} is empty")),
        password => Ok(Secret::new(password)),
    }
}

/// What is kept there, and how to speak of the place.
fn find(source: &KeySource, home: &Path, env: &Env, hint: &str) -> Result<(String, &'static str), String> {
    match source {
        KeySource::Variable(name) => {
            let kept = env.get(name).ok_or_else(|| format!("this environment variable is not set{hint}"))?;
            Ok((kept.to_owned(), "this environment variable"))
        }
        KeySource::File(path) => {
            let mut kept = String::new();
            File::open(home.join(path))
                .and_then(|file| file.take(KEY_BYTES).read_to_string(&mut kept))
                .map_err(|error| unread(Path::new(path), home, &error))?;
            Ok((kept, "this file"))
        }
    }
}

/// Names the file where its folder is there: a key that was set in its place names none.
fn unread(path: &Path, home: &Path, error: &std::io::Error) -> String {
    let folder = path.parent().filter(|folder| *folder != Path::new("") && home.join(folder).is_dir());
    let file = folder.map_or_else(|| "this file".to_owned(), |_| home.join(path).display().to_string());
    format!("{file} cannot be read ({error}); a relative path starts at the home")
}

/// A key as it can be sent: without the line break that editors and `echo` add, and fit for a header.
pub(crate) fn clean(key: &str, what: &str) -> Result<Secret, String> {
    let key = key.trim();
    if key.is_empty() {
        return Err(format!("{what} is empty"));
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("{what} holds characters that a key cannot have"));
    }
    Ok(Secret::new(key))
}

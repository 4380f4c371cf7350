//! Fetches the keys of providers from where the settings say they are kept.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use mosaic_providers::config::KeySource;
use mosaic_types::Secret;

use super::Env;

/// Bytes of a key file that are looked at; the longest keys known have some hundreds.
const KEY_BYTES: u64 = 16 * 1024;

/// Gets a key, or says what is the matter without repeating what the settings say: a key may stand there by mistake.
pub(super) fn fetch(source: &KeySource, home: &Path, env: &Env) -> Result<Secret, String> {
    match source {
        KeySource::Variable(name) => {
            let key =
                env.get(name).ok_or("this environment variable is not set; leave the line out if no key is needed")?;
            clean(key, "this environment variable")
        }
        KeySource::File(path) => {
            let mut key = String::new();
            File::open(home.join(path))
                .and_then(|file| file.take(KEY_BYTES).read_to_string(&mut key))
                .map_err(|error| format!("this file cannot be read ({error}); a relative path starts at the home"))?;
            clean(&key, "this file")
        }
    }
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

//! A file that goes with a message: read when it is named, shown as a chip, sent with the text.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mosaic_types::limits::{FILE_NAME_CHARS, PICTURE_BYTES, TEXT_FILE_BYTES};
use serde_json::{Value, json};

use super::text::one_line;

/// A file, as it was when it was named.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct File {
    name: String,
    /// Where it was found; `None`: it came from the daemon.
    path: Option<PathBuf>,
    media_type: &'static str,
    data: Arc<[u8]>,
}

impl File {
    /// Reads the file at a path as people type it or terminals paste it: perhaps quoted, perhaps from `~` on.
    ///
    /// # Errors
    /// It cannot go with a message; in a sentence.
    pub(crate) fn read(typed: &str) -> Result<Self, String> {
        let typed = typed.trim();
        let quoted = ['"', '\''].iter().find_map(|quote| typed.strip_prefix(*quote)?.strip_suffix(*quote));
        let typed = quoted.unwrap_or(typed);
        if typed.is_empty() {
            return Err("Name a file: /attach PATH.".to_owned());
        }
        let home = std::env::var_os("HOME").filter(|_| typed.starts_with("~/"));
        let path = home.map_or_else(|| PathBuf::from(typed), |home| PathBuf::from(home).join(&typed[2..]));
        Self::open(&path)
    }

    /// Reads the file at a path.
    ///
    /// # Errors
    /// It cannot go with a message; in a sentence.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let shown = one_line(&path.display().to_string());
        let cannot = |error: std::io::Error| format!("{shown} cannot be read: {error}.");
        let told = std::fs::metadata(path).map_err(cannot)?;
        // What is no file may never end.
        if !told.is_file() {
            return Err(format!("{shown} is not a file."));
        }
        if told.len() > PICTURE_BYTES as u64 {
            return Err(format!("{shown} is too large: a picture may have 5 MiB, a text 256 KiB."));
        }
        let data = std::fs::read(path).map_err(cannot)?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name: String = name.chars().filter(|char| !char.is_control()).take(FILE_NAME_CHARS).collect();
        let file = Self::of(name, data)?;
        Ok(Self { path: std::path::absolute(path).ok(), ..file })
    }

    /// A file of that name.
    ///
    /// # Errors
    /// It cannot go with a message; in a sentence.
    pub(crate) fn of(name: String, data: Vec<u8>) -> Result<Self, String> {
        let picture = match data.as_slice() {
            [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
            [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
            [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
            _ => None,
        };
        let shown = one_line(&name);
        if picture.is_none() && (data.contains(&0) || std::str::from_utf8(&data).is_err()) {
            return Err(format!("{shown} is neither text in UTF-8 nor a picture (PNG, JPEG, WebP or GIF)."));
        }
        if picture.is_none() && data.len() > TEXT_FILE_BYTES {
            return Err(format!("{shown} is over the 256 KiB that a text file may have. Make it smaller."));
        }
        Ok(Self { name, path: None, media_type: picture.unwrap_or("text/plain"), data: data.into() })
    }

    /// Where it was found, whatever the working folder becomes.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// As it is shown.
    pub(crate) fn label(&self) -> String {
        label(&self.name, self.data.len() as u64)
    }

    /// As it is sent.
    pub(crate) fn json(&self) -> Value {
        json!({"name": self.name, "media_type": self.media_type, "data": STANDARD.encode(&self.data)})
    }
}

/// A file in few words.
pub(crate) fn label(name: &str, bytes: u64) -> String {
    let size = match bytes {
        0..=1_023 => format!("{bytes} B"),
        1_024..=1_048_575 => format!("{} KiB", bytes >> 10),
        _ => format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20),
    };
    format!("▤ {} {size}", one_line(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_what_is_in_it_and_refused_in_a_sentence() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, data: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, data).expect("it is written");
            path.display().to_string()
        };
        let notes = File::read(&format!("'{}'", write("my notes.txt", b"milk"))).expect("a text");
        assert_eq!((notes.media_type, notes.label().as_str()), ("text/plain", "▤ my notes.txt 4 B"));
        assert_eq!(notes.json()["data"], "bWlsaw==");
        let picture = File::read(&write("a.txt", b"\x89PNG\r\n\x1a\n\0\0")).expect("a picture, whatever it is called");
        assert_eq!(picture.media_type, "image/png");
        for (path, why) in [
            (write("bytes", b"a\0b"), "neither text"),
            (write("long.txt", &vec![b'x'; TEXT_FILE_BYTES + 1]), "over the 256 KiB"),
            (write("huge.png", &vec![b'x'; PICTURE_BYTES + 1]), "too large"),
            (folder.path().display().to_string(), "not a file"),
            (folder.path().join("none").display().to_string(), "cannot be read"),
            (String::new(), "Name a file"),
        ] {
            let refused = File::read(&path).expect_err(why);
            assert!(refused.contains(why) && refused.ends_with('.'), "{refused}");
        }
        assert_eq!(label("b\u{1b}", 3 << 19), "▤ b␛ 1.5 MiB");
    }
}

//! Forms with a file in them, as far as platforms are sent such.

use serde_json::{Value, json};

/// The fields of a form (RFC 7578), and the name and the text of the one file in it.
pub(crate) fn form(body: &[u8]) -> Value {
    let (text, mut fields) = (String::from_utf8_lossy(body), json!({}));
    let Some((boundary, _)) = text.split_once("\r\n") else { return fields };
    for part in text.split(boundary) {
        let Some((head, value)) = part.split_once("\r\n\r\n") else { continue };
        let value = value.strip_suffix("\r\n").unwrap_or(value);
        let quoted = |key: &str| head.split_once(&format!("{key}=\""))?.1.split('"').next();
        if let Some(name) = quoted("filename") {
            fields["file_name"] = json!(name);
            fields["file_text"] = json!(value);
        } else if let Some(name) = quoted("name") {
            fields[name] = json!(value);
        }
    }
    fields
}

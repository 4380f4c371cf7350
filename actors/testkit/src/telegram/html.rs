//! Reads the HTML of messages as strictly as Telegram does.

const TAGS: [&str; 10] = ["b", "strong", "i", "em", "u", "s", "code", "pre", "a", "blockquote"];

/// What people see of a text in HTML.
///
/// # Errors
/// What Telegram would say.
pub(super) fn visible(html: &str) -> Result<String, String> {
    let (mut out, mut open) = (String::new(), Vec::<String>::new());
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        out += &rest[..at];
        rest = &rest[at..];
        if rest.starts_with('&') {
            let end = rest.find(';').ok_or("can't parse entities: unclosed entity")?;
            out.push(match &rest[..=end] {
                "&amp;" => '&',
                "&lt;" => '<',
                "&gt;" => '>',
                "&quot;" => '"',
                other => return Err(format!("can't parse entities: unknown entity {other}")),
            });
            rest = &rest[end + 1..];
            continue;
        }
        let end = rest.find('>').ok_or("can't parse entities: unclosed start tag")?;
        let tag = &rest[1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop().as_deref() != Some(name) {
                return Err(format!("can't parse entities: unexpected end tag {name}"));
            }
        } else {
            let name = tag.split(' ').next().unwrap_or_default();
            if !TAGS.contains(&name) {
                return Err(format!("can't parse entities: unsupported start tag {name:?}"));
            }
            if name == "blockquote" && open.iter().any(|open| open == "blockquote") {
                return Err("can't parse entities: nested blockquote".to_owned());
            }
            open.push(name.to_owned());
        }
    }
    match open.pop() {
        Some(name) => Err(format!("can't parse entities: can't find end tag corresponding to start tag {name}")),
        None => Ok(out + rest),
    }
}

//! Files that come with messages: checked before they are stored, and handed out again.

use actix_web::http::header::{Charset, ContentDisposition, DispositionParam, DispositionType, ETAG, ExtendedValue};
use actix_web::web::{self, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mosaic_messages::SubmitTurn;
use mosaic_types::attachment::PICTURES;
use mosaic_types::chat::Image;
use mosaic_types::limits::{ATTACHMENTS, FILE_NAME_CHARS, PICTURE_BYTES, TEXT_FILE_BYTES};
use mosaic_types::{Attachment, AttachmentRow, Code, Failure, Outside, SessionId};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::auth::Asker;
use super::error::{Answer, ApiError};
use super::refusals;
use super::server::Gate;
use super::sessions::{named, visible};

/// What a page that is made of a file may do: nothing.
const POLICY: &str = "default-src 'none'; sandbox; frame-ancestors 'none'";

/// A file that comes with a message: text in UTF-8 of at most 256 KiB, or a picture (PNG, JPEG, WebP, GIF) of at most
/// 5 MiB. It has `text` or `data`.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "notes.txt", "media_type": "text/plain", "text": "milk, bread"}))]
pub(super) struct NewAttachment {
    /// What it is called, for people and models.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Left out: that of the picture that it is, else `text/plain`.
    #[serde(default)]
    #[schema(max_length = 100, example = json!("text/plain"))]
    media_type: Option<String>,
    /// What is in it, in base64.
    #[serde(default)]
    data: Option<String>,
    /// What is in it, where it is text.
    #[serde(default)]
    text: Option<String>,
}

impl NewAttachment {
    /// A picture that came without a name.
    pub(super) fn picture(number: usize, image: &Image) -> Self {
        let kind = image.media_type.rsplit('/').next().unwrap_or_default();
        Self {
            name: format!("picture-{number}.{kind}"),
            media_type: Some(image.media_type.clone()),
            data: Some(image.data.as_ref().to_owned()),
            text: None,
        }
    }
}

/// The files of one message, checked.
#[derive(Debug, Default)]
pub(super) struct Taken {
    files: Vec<Attachment>,
    /// What tells these files from others under the same idempotency key.
    digest: Option<[u8; 32]>,
}

impl Taken {
    /// The message with its files.
    pub(super) fn put(self, ask: SubmitTurn) -> SubmitTurn {
        let Some(digest) = self.digest else { return ask };
        let both = Sha256::new().chain_update("attachments\n").chain_update(digest).chain_update(ask.body_hash);
        SubmitTurn { attachments: self.files.into(), body_hash: both.finalize().into(), ..ask }
    }
}

/// Checks what came with a message, off the worker's thread: megabytes are decoded and hashed.
///
/// # Errors
/// What is wrong with which of them, and what to do.
pub(super) async fn take(files: Vec<NewAttachment>, outside: Outside) -> Result<Taken, ApiError> {
    if files.is_empty() {
        return Ok(Taken::default());
    }
    if files.len() > ATTACHMENTS {
        let sentence = format!("A message takes {ATTACHMENTS} files, and these are {}. Send several.", files.len());
        return Err(ApiError(Failure::new(Code::BadRequest, sentence)));
    }
    let work = web::block(move || {
        let mut taken = Taken::default();
        let mut all = Sha256::new();
        for file in files {
            let file = file.read(&outside)?;
            for part in [file.row.name.as_bytes(), file.row.media_type.as_bytes(), &file.data] {
                all.update(part.len().to_le_bytes());
                all.update(part);
            }
            taken.files.push(file);
        }
        taken.digest = Some(all.finalize().into());
        Ok(taken)
    });
    let taken = work.await.map_err(|_| Failure::new(Code::Internal, "The files could not be read."))?;
    taken.map_err(ApiError)
}

impl NewAttachment {
    fn read(self, outside: &Outside) -> Result<Attachment, Failure> {
        let Self { name, media_type, data, text } = self;
        let wrong = |what: &str| Failure::new(Code::BadRequest, format!("attachments: {name} {what}."));
        let bytes = match (data, text) {
            (Some(data), None) => STANDARD
                .decode(data)
                .map_err(|_| wrong("has data that is not base64 (padded, without \"data:...\" before it)"))?,
            (None, Some(text)) => text.into_bytes(),
            _ => return Err(wrong("has to have \"data\" or \"text\", one of them")),
        };
        let media_type = media_type.as_deref().unwrap_or_else(|| found(&bytes).unwrap_or("text/plain"));
        checked(name, media_type, bytes, outside)
    }
}

/// A file that may come with a message, by whichever way.
///
/// # Errors
/// What is wrong with it, and what to do.
pub(crate) fn checked(
    name: String,
    media_type: &str,
    bytes: Vec<u8>,
    outside: &Outside,
) -> Result<Attachment, Failure> {
    if name.trim().is_empty() || name.chars().count() > FILE_NAME_CHARS || name.chars().any(char::is_control) {
        let sentence = format!(
            "attachments: a file's name has 1 to {FILE_NAME_CHARS} characters and none that controls a terminal."
        );
        return Err(Failure::new(Code::BadRequest, sentence));
    }
    let wrong = |what: &str| Failure::new(Code::BadRequest, format!("attachments: {name} {what}."));
    let media_type = kind(media_type).ok_or_else(|| wrong("has no media type, such as text/plain or image/png"))?;
    let is_picture = PICTURES.contains(&media_type.as_str());
    let (limit, size) = if is_picture { (PICTURE_BYTES, "5 MiB") } else { (TEXT_FILE_BYTES, "256 KiB") };
    if bytes.len() > limit {
        let what = if is_picture { "picture" } else { "text file" };
        let sentence = format!("attachments: {name} is over the {size} that a {what} may have. Make it smaller.");
        return Err(Failure::new(Code::TooLarge, sentence));
    }
    if is_picture && found(&bytes) != Some(&media_type) {
        return Err(wrong(&format!("is said to be {media_type}, and what is in it is not")));
    }
    if !is_picture && (bytes.contains(&0) || std::str::from_utf8(&bytes).is_err()) {
        return Err(wrong("is neither text in UTF-8 nor a picture (PNG, JPEG, WebP or GIF)"));
    }
    let row = AttachmentRow { id: outside.attachment_id(), name, media_type, size_bytes: bytes.len() as u64 };
    Ok(Attachment { row, data: bytes.into() })
}

/// A media type without its parameters, in lower case; `None`: it is none.
fn kind(media_type: &str) -> Option<String> {
    let kind = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|letter| letter.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&letter))
    };
    let (first, second) = kind.split_once('/')?;
    let good = kind.len() <= 100 && word(first) && word(second);
    good.then(|| if kind == "image/jpg" { "image/jpeg".to_owned() } else { kind })
}

/// Which picture this is, by its first bytes.
fn found(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

/// Reads a file that came with a message
///
/// Pictures as what they are, all else as plain text to be saved, whatever its media type: nothing in a file is carried
/// out by a browser.
#[utoipa::path(
    get,
    path = "/api/v1/sessions/{id}/attachments/{attachment}",
    operation_id = "show_attachment",
    tag = "sessions",
    params(("id" = SessionId, Path), ("attachment" = mosaic_types::AttachmentId, Path)),
    responses(
        (status = 200, description = "What is in it.", content(
            (Vec<u8> = "text/plain"),
            (Vec<u8> = "image/png"),
            (Vec<u8> = "image/jpeg"),
            (Vec<u8> = "image/webp"),
            (Vec<u8> = "image/gif"),
        )),
        (status = 304, description = "It is what you have: a file never changes."),
        refusals::OneSession
    )
)]
pub(super) async fn show(
    gate: Data<Gate>,
    Asker(who): Asker,
    path: Path<(String, String)>,
    request: HttpRequest,
) -> Answer {
    let (session, id) = path.into_inner();
    let row = visible(&gate, &named(&session)?, who).await?;
    let id = id.parse().map_err(|_| ApiError(Failure::not_found("file")))?;
    let found = gate.doors.store.attachment(&row.id, id).await?.ok_or_else(|| Failure::not_found("file"))?;
    // It is asked for each time whether it may be seen; what was seen need not be sent again.
    let tag = format!("\"{id}\"");
    let known = request.headers().get("if-none-match").is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut answer = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer.insert_header((ETAG, tag)).insert_header(("cache-control", "private, no-cache"));
    answer.insert_header(("content-security-policy", POLICY));
    if known {
        return Ok(answer.finish());
    }
    let is_picture = found.row.is_picture();
    let named = ExtendedValue {
        charset: Charset::Ext("UTF-8".to_owned()),
        language_tag: None,
        value: found.row.name.into_bytes(),
    };
    let disposition = if is_picture { DispositionType::Inline } else { DispositionType::Attachment };
    answer.insert_header(ContentDisposition { disposition, parameters: vec![DispositionParam::FilenameExt(named)] });
    let kind = if is_picture { found.row.media_type.as_str() } else { "text/plain; charset=utf-8" };
    Ok(answer.content_type(kind).body(found.data.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, media_type: &str, data: Option<&[u8]>, text: Option<&str>) -> Result<AttachmentRow, Code> {
        let data = data.map(|data| STANDARD.encode(data));
        let file = NewAttachment {
            name: name.into(),
            media_type: Some(media_type.into()),
            data,
            text: text.map(str::to_owned),
        };
        let outside = crate::outside::system();
        file.read(&outside).map(|file| file.row).map_err(|failure| failure.code)
    }

    #[test]
    fn a_file_is_what_its_bytes_say() {
        let pictures: [(&str, &[u8]); 4] = [
            ("image/png", b"\x89PNG\r\n\x1a\n"),
            ("image/jpeg", b"\xff\xd8\xff\xe0"),
            ("image/gif", b"GIF89a"),
            ("image/webp", b"RIFF\x04\0\0\0WEBP"),
        ];
        for (said, _) in pictures {
            for (is, bytes) in pictures {
                let taken = read("x", said, Some(bytes), None).map(|row| row.media_type);
                assert_eq!(taken, if said == is { Ok(said.to_owned()) } else { Err(Code::BadRequest) });
            }
            assert_eq!(read("x", said, None, Some("a text")).err(), Some(Code::BadRequest), "{said}");
        }
        assert_eq!(read("x", "image/JPG", Some(b"\xff\xd8\xff"), None).expect("known").media_type, "image/jpeg");
        let svg = read("x.svg", "image/svg+xml", Some(b"<svg/>"), None).expect("it is a text");
        assert!(!svg.is_picture());
        for binary in [&b"\xff\xfe"[..], b"a\0b", b"BM\xff"] {
            assert_eq!(read("x", "text/plain", Some(binary), None).err(), Some(Code::BadRequest), "{binary:?}");
        }
    }

    #[test]
    fn a_file_without_a_type_is_what_is_in_it() {
        let outside = crate::outside::system();
        let read = |data: &[u8]| {
            let data = Some(STANDARD.encode(data));
            let file = NewAttachment { name: "x".into(), media_type: None, data, text: None };
            file.read(&outside).map(|file| file.row.media_type).map_err(|failure| failure.code)
        };
        assert_eq!(read(b"# notes"), Ok("text/plain".to_owned()));
        assert_eq!(read(b"\x89PNG\r\n\x1a\n"), Ok("image/png".to_owned()));
        assert_eq!(read(b"a\0b"), Err(Code::BadRequest), "neither text nor a picture");
    }

    #[test]
    fn a_file_has_bounds_and_a_name() {
        let text = |bytes| read("x", "text/plain", None, Some(&"x".repeat(bytes)));
        assert_eq!(text(TEXT_FILE_BYTES).map(|row| row.size_bytes), Ok(262_144));
        assert_eq!(text(TEXT_FILE_BYTES + 1).err(), Some(Code::TooLarge));
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        png.resize(PICTURE_BYTES, 0);
        assert!(read("x", "image/png", Some(&png), None).is_ok());
        png.push(0);
        assert_eq!(read("x", "image/png", Some(&png), None).err(), Some(Code::TooLarge));
        for name in ["", " ", "a\nb", "\u{9b}2J", &"x".repeat(201)] {
            assert_eq!(read(name, "text/plain", None, Some("")).err(), Some(Code::BadRequest), "{name:?}");
        }
        for media_type in ["", "text", "/", "text/", "text/pl ain", "text/\"x\""] {
            assert_eq!(read("x", media_type, None, Some("")).err(), Some(Code::BadRequest), "{media_type:?}");
        }
        assert_eq!(read("x", "text/plain", None, None).err(), Some(Code::BadRequest));
        assert_eq!(read("x", "text/plain", Some(b""), Some("")).err(), Some(Code::BadRequest));
        let plain = read("x", "Text/Plain; charset=utf-8", None, Some("ü")).map(|row| (row.media_type, row.size_bytes));
        assert_eq!(plain, Ok(("text/plain".to_owned(), 2)));
    }
}

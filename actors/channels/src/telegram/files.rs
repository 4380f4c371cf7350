//! Files that people send: found in a message, and fetched.

use futures_util::StreamExt;
use teloxide_core::net::Download;
use teloxide_core::payloads::GetFile;
use teloxide_core::types::{FileId, Message};

use super::Inner;
use super::trouble::Trouble;
use crate::channel::{HeardFile, Unfetched};

/// The files of a message that can be read or looked at: a document, or the largest form of a picture.
pub(super) fn of(message: &Message) -> Vec<HeardFile> {
    let document = message.document().map(|document| HeardFile {
        id: document.file.id.0.as_str().into(),
        name: document.file_name.clone().unwrap_or_else(|| "file".to_owned()),
        media_type: document.mime_type.as_ref().map_or("text/plain", |kind| kind.as_ref()).to_owned(),
        size_bytes: document.file.size.into(),
    });
    // Telegram keeps pictures as JPEG.
    let picture = message.photo().and_then(|sizes| sizes.iter().max_by_key(|size| size.width * size.height));
    let picture = picture.map(|size| HeardFile {
        id: size.file.id.0.as_str().into(),
        name: "photo.jpg".to_owned(),
        media_type: "image/jpeg".to_owned(),
        size_bytes: size.file.size.into(),
    });
    document.into_iter().chain(picture).collect()
}

impl Inner {
    /// What is in a file.
    pub(super) async fn download(&self, id: &str, limit: usize) -> Result<Vec<u8>, Unfetched> {
        let file = self.ask(GetFile::new(FileId(id.to_owned()))).await.map_err(|trouble| match trouble {
            Trouble::Never(_) => Unfetched::Never,
            _ => Unfetched::Later,
        })?;
        let size = usize::try_from(file.meta.size).unwrap_or(usize::MAX);
        if size > limit {
            return Err(Unfetched::Never);
        }
        let mut pieces = self.bot.download_file_stream(&file.path);
        let mut data = Vec::with_capacity(size);
        while let Some(piece) = pieces.next().await {
            // What it says of the error holds the token.
            data.extend_from_slice(&piece.map_err(|_| Unfetched::Later)?);
            if data.len() > limit {
                return Err(Unfetched::Never);
            }
        }
        // An answer that is no file is not of its size.
        if size > 0 && data.len() != size { Err(Unfetched::Later) } else { Ok(data) }
    }
}

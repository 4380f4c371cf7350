//! A picture as OpenAI's clients send it: inside the address that names it.

use mosaic_types::attachment::PICTURES;
use mosaic_types::chat::Image;
use mosaic_types::limits::PICTURE_BYTES;
use mosaic_types::{Code, Failure};

use crate::gateway::error::ApiError;

/// The picture in a `data:` address. One that lies elsewhere is not fetched: whoever names an address must not make
/// this machine go there.
pub(super) fn read(url: &str) -> Result<Image, ApiError> {
    let bad = |sentence| ApiError(Failure::new(Code::BadRequest, sentence));
    let Some((media_type, data)) = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) else {
        return Err(bad("A picture is taken as data:TYPE;base64,… only; none is fetched from elsewhere."));
    };
    if !PICTURES.contains(&media_type) {
        return Err(bad("A picture is image/png, image/jpeg, image/webp or image/gif."));
    }
    let letters = data.trim_end_matches('=');
    let is_base64 = !letters.is_empty()
        && data.len().is_multiple_of(4)
        && data.len() - letters.len() <= 2
        && letters.bytes().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, b'+' | b'/'));
    if !is_base64 {
        return Err(bad("A picture's data is not base64."));
    }
    if letters.len() / 4 * 3 > PICTURE_BYTES {
        let sentence = "A picture is over 5 MiB: send a smaller one.";
        return Err(ApiError(Failure::new(Code::TooLarge, sentence)));
    }
    Ok(Image { media_type: media_type.to_owned(), data: data.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> Code {
        read(url).expect_err("it is no picture").0.code
    }

    #[test]
    fn a_picture_is_taken_from_its_own_address_and_from_nowhere_else() {
        let image = Image { media_type: "image/png".into(), data: "aWNvbg==".into() };
        assert_eq!(read("data:image/png;base64,aWNvbg==").ok(), Some(image));
        for bad in [
            "https://example.org/cat.png",
            "data:image/svg+xml;base64,aWNv",
            "data:image/png,aWNv",
            "data:image/png;base64,",
            "data:image/png;base64,aWN",
            "data:image/png;base64,a===",
            "data:image/png;base64,aW\n8",
            "",
        ] {
            assert_eq!(refused(bad), Code::BadRequest, "{bad}");
        }
        let large = "A".repeat(7 << 20);
        assert_eq!(refused(&format!("data:image/png;base64,{large}")), Code::TooLarge);
    }
}

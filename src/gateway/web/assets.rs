//! Scripts, styles and pictures of the dashboard, as they stand in this folder.

use std::sync::OnceLock;

use actix_web::HttpResponse;
use actix_web::web::Path;
use mosaic_types::{Code, Failure};
use sha2::{Digest, Sha256};

use crate::gateway::error::{Answer, ApiError};

/// A file of the dashboard.
struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

/// The files, each with what it is.
macro_rules! assets {
    ($($name:literal: $kind:ident,)+) => {
        const ASSETS: &[Asset] = &[
            $(Asset { name: $name, kind: $kind, bytes: include_bytes!(concat!("assets/", $name)) },)+
        ];
    };
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

assets! {
    "api.js": SCRIPT,
    "app.js": SCRIPT,
    "chat.js": SCRIPT,
    "choices.js": SCRIPT,
    "composer.js": SCRIPT,
    "dom.js": SCRIPT,
    "files.js": SCRIPT,
    "firstrun.js": SCRIPT,
    "icon.svg": PICTURE,
    "kept.js": SCRIPT,
    "message.js": SCRIPT,
    "metrics.js": SCRIPT,
    "observe.js": SCRIPT,
    "plot.js": SCRIPT,
    "render.js": SCRIPT,
    "sessions.js": SCRIPT,
    "signin.js": SCRIPT,
    "socket.js": SCRIPT,
    "style.css": STYLE,
    "talk.js": SCRIPT,
    "usage.js": SCRIPT,
}

/// A year, and never asked again: what changes has another address.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// The folder that this build's files are in. Its name is made of all of them, so that a module names another one as
/// `./other.js` and is never mixed with one of another build.
pub(in crate::gateway) fn folder() -> &'static str {
    static FOLDER: OnceLock<String> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let all =
            ASSETS.iter().fold(Sha256::new(), |all, asset| all.chain_update(asset.name).chain_update(asset.bytes));
        let hash: String = all.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("/assets/{hash}")
    })
}

/// Serves a file of the dashboard
///
/// Its folder is named in the page and changes with every build, so a file is kept for good once it was fetched.
#[utoipa::path(
    get,
    path = "/assets/{build}/{name}",
    operation_id = "show_asset",
    tag = "browsers",
    params(("build" = String, Path), ("name" = String, Path)),
    responses(
        (status = 200, description = "The file.", content(
            (String = "text/javascript"),
            (String = "text/css"),
            (String = "image/svg+xml"),
        )),
        crate::gateway::refusals::OneAsset
    )
)]
pub(in crate::gateway) async fn asset(path: Path<(String, String)>) -> Answer {
    let (build, name) = path.into_inner();
    let here = folder().strip_prefix("/assets/") == Some(&build);
    let asset = ASSETS.iter().find(|asset| here && asset.name == name).ok_or_else(|| {
        let sentence = "There is no such file in this build of the dashboard. Load the page again.";
        ApiError(Failure::new(Code::NotFound, sentence))
    })?;
    let mut answer = HttpResponse::Ok();
    answer.content_type(asset.kind).insert_header(("cache-control", FOR_GOOD));
    // A picture that is opened by itself is a page of its own, and gets what such a page may: nothing.
    Ok(answer
        .insert_header(("content-security-policy", "default-src 'none'; frame-ancestors 'none'"))
        .body(asset.bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn text(asset: &Asset) -> &'static str {
        std::str::from_utf8(asset.bytes).expect("every asset is text")
    }

    #[test]
    fn every_file_of_the_folder_is_served_and_no_other() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gateway/web/assets");
        let files = std::fs::read_dir(folder).expect("the folder is there");
        let there: BTreeSet<String> = files
            .map(|file| file.expect("it can be listed").file_name().to_string_lossy().into_owned())
            .filter(|name| !name.ends_with(".html"))
            .collect();
        assert_eq!(there, ASSETS.iter().map(|asset| asset.name.to_owned()).collect());
    }

    #[test]
    fn modules_name_one_another_and_nothing_elsewhere() {
        for asset in ASSETS.iter().filter(|asset| asset.kind == SCRIPT) {
            for line in text(asset).lines().filter(|line| line.starts_with("import ")) {
                let named = line.split('"').nth(1).and_then(|from| from.strip_prefix("./"));
                assert!(ASSETS.iter().any(|other| Some(other.name) == named), "{}: {line}", asset.name);
            }
        }
    }

    #[test]
    fn text_becomes_html_in_one_module_only() {
        const DOORS: [&str; 8] = [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "createContextualFragment",
            "DOMParser",
            "eval(",
            "new Function",
        ];
        for asset in ASSETS.iter().filter(|asset| asset.kind == SCRIPT && asset.name != "render.js") {
            for door in DOORS {
                assert!(!text(asset).contains(door), "{} in {}", door, asset.name);
            }
        }
        let render = ASSETS.iter().find(|asset| asset.name == "render.js").expect("it is there");
        assert_eq!(text(render).matches("innerHTML").count(), 1, "and there in one place");
    }

    #[test]
    fn nothing_is_fetched_from_elsewhere() {
        for asset in ASSETS {
            let text = text(asset).replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("http://") && !text.contains("https://"), "{}", asset.name);
            assert!(!text.contains("@import") && !text.contains("url("), "{}", asset.name);
        }
    }
}

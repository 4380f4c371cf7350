//! Markdown in, HTML out, for pages.

use actix_web::web::{self, Payload};
use actix_web::{HttpRequest, HttpResponse};
use mosaic_types::{Code, Failure};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::markdown;
use crate::gateway::error::{Answer, ApiError};
use crate::gateway::{body, refusals};

/// Texts of one request; a page of a transcript has no more.
const TEXTS: usize = 200;

/// Bytes that are rendered where the request is read: some tens of microseconds. More is done beside it.
const AT_ONCE: usize = 2 << 10;

/// Texts in Markdown.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"texts": ["**hello**"]}))]
struct Texts {
    #[schema(max_items = 200)]
    texts: Vec<String>,
}

/// The same texts in HTML that is safe to show.
#[derive(Serialize, ToSchema)]
struct Rendered {
    /// In the order in which they were sent.
    html: Vec<String>,
}

/// Makes HTML of Markdown
///
/// What comes back holds no script, no style, no picture and no form; its links lead to `http`, `https` and `mailto`
/// only. HTML in a text is shown as text. Control characters and those that turn the direction of writing are shown,
/// not obeyed.
#[utoipa::path(
    post,
    path = "/api/v1/render",
    operation_id = "render_markdown",
    tag = "house",
    request_body = Texts,
    responses((status = 200, description = "HTML.", body = Rendered), refusals::Rendering)
)]
pub(in crate::gateway) async fn render(request: HttpRequest, payload: Payload) -> Answer {
    let Texts { texts } = body::json(&request, payload, body::API_BYTES).await?;
    if texts.len() > TEXTS {
        let sentence = format!("At most {TEXTS} texts are rendered at once.");
        return Err(ApiError(Failure::new(Code::BadRequest, sentence)));
    }
    let all = move || texts.iter().map(|text| markdown::html(text)).collect();
    let html: Vec<String> = if request_is_small(&request) {
        all()
    } else {
        let gone = |_| ApiError(Failure::new(Code::Unavailable, "Mosaic is stopping; nothing is rendered any more."));
        web::block(all).await.map_err(gone)?
    };
    Ok(HttpResponse::Ok().json(Rendered { html }))
}

fn request_is_small(request: &HttpRequest) -> bool {
    let length = request.headers().get("content-length").and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    length.is_some_and(|length| length <= AT_ONCE)
}

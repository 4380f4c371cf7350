//! Calls of platforms that tell what is new by calling us.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use mosaic_channels::{Called, Hearing};
use mosaic_runtime::doors::unreached;
use mosaic_types::{Code, Failure};
use subtle::ConstantTimeEq;

use super::error::{Answer, ApiError};
use super::server::Gate;
use super::{body, refusals};

/// Takes a platform's call
///
/// Where a channel has a `webhook_url`, its platform says here what is new, and says it again until the answer is 200: then
/// it is stored. It is known by the secret that it was told, in a header of its own
/// (`X-Telegram-Bot-Api-Secret-Token`).
#[utoipa::path(
    post,
    path = "/hooks/{channel}",
    operation_id = "take_call",
    tag = "house",
    params(("channel" = String, Path)),
    request_body(content = String, content_type = "application/json", description = "As the platform says it."),
    responses((status = 200, description = "It is done with."), refusals::Call)
)]
pub(super) async fn take(gate: Data<Gate>, name: Path<String>, request: HttpRequest, payload: Payload) -> Answer {
    let known = gate.channels.iter().find(|channel| *channel.name == **name);
    let hooked = known.and_then(|channel| channel.hook.as_ref().map(|hook| (channel, hook)));
    let (channel, (header, secret)) = hooked.ok_or_else(|| ApiError(Failure::not_found("channel that is called")))?;
    let sent = request.headers().get(*header).map(|sent| sent.as_bytes()).unwrap_or_default();
    if !bool::from(sent.ct_eq(secret.as_bytes())) {
        let sentence = "The secret of this channel's platform is wanted, and this is not it.";
        return Err(ApiError(Failure::new(Code::Unauthorized, sentence)));
    }
    let said = body::whole(&request, payload, body::API_BYTES).await?;
    match channel.link.ask(Called(said)).await {
        Ok(Hearing::Done) => Ok(HttpResponse::Ok().finish()),
        Ok(Hearing::Again(wait)) => {
            Err(ApiError(Failure::new(Code::Unavailable, "It cannot be taken in now. Say it again.").after(wait)))
        }
        Err(error) => Err(ApiError(unreached("The channel", &error))),
    }
}

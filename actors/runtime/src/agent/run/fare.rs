//! What a call may cost, by what it sends and what is known of its model.

use mosaic_types::{ChatMessage, ChatRequest};

use crate::budget::Quote;
use crate::provider::ModelFacts;

/// Bytes of text that make a token at the least where nobody means harm: English has four, Chinese and source code about
/// three, and newer tokenizers make more tokens of the same.
const CAUTIOUS_BYTES: u64 = 2;

/// Tokens that a message has beside its text, at the most: its role and what separates it from others.
const AROUND_MESSAGE: u64 = 16;

/// Tokens that a call has beside its messages, at the most. Anthropic's own words about tools are 346 and fewer.
/// <https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview>
const AROUND_CALL: u64 = 512;

/// Tokens of a picture, at the most: what gpt-4o-mini counts for eight tiles; others count a tenth of that.
/// <https://developers.openai.com/api/docs/guides/images-vision>
const PICTURE_AT_MOST: u64 = 50_000;

/// Tokens of an answer where neither the limit of the model nor its window is known. What the smallest of the models
/// that are still asked for can write.
const UNKNOWN_OUTPUT: u64 = 4_096;

/// Tokens of what is sent that are no message: the tools, and the shape of the answer.
fn beside(request: &ChatRequest) -> u64 {
    let json = |value: &serde_json::Value| value.to_string().len();
    let offer = |offer: &mosaic_types::chat::ToolOffer| {
        tokens(offer.name.len() + offer.description.len() + json(&offer.parameters)) + AROUND_MESSAGE
    };
    let format = request.sampling.response_format.as_ref().map_or(0, |format| tokens(json(format)));
    request.tools.iter().map(offer).sum::<u64>() + format
}

/// No text has more tokens than bytes: tokenizers fall back to bytes.
fn tokens(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn of_message(message: &ChatMessage) -> u64 {
    let calls = message.tool_calls.iter().map(|call| call.id.len() + call.name.len() + call.arguments.len());
    let signatures = message.tool_calls.iter().filter_map(|call| call.signature.as_ref()).map(String::len);
    let answers = message.tool_call_id.as_ref().map_or(0, String::len);
    tokens(message.text.len() + calls.sum::<usize>() + signatures.sum::<usize>() + answers)
}

/// Tokens that a request is at the most.
fn at_most(request: &ChatRequest) -> u64 {
    let message =
        |message: &ChatMessage| of_message(message) + AROUND_MESSAGE + tokens(message.images.len()) * PICTURE_AT_MOST;
    request.messages.iter().map(message).sum::<u64>() + beside(request) + AROUND_CALL
}

/// Tokens that a request is where nobody means harm.
fn cautious(request: &ChatRequest) -> u64 {
    use mosaic_types::attachment::PICTURE_TOKENS;
    let message = |message: &ChatMessage| {
        of_message(message) / CAUTIOUS_BYTES + 4 + tokens(message.images.len() * PICTURE_TOKENS)
    };
    request.messages.iter().map(message).sum::<u64>() + beside(request) / CAUTIOUS_BYTES
}

/// What the call may cost; `None`: its model has no price.
pub(super) fn quote(request: &ChatRequest, facts: ModelFacts) -> Option<Quote> {
    const MANY: u32 = 1_000_000;
    let price = facts.price?;
    let window = facts.window.map(tokens);
    let most = at_most(request).min(window.unwrap_or(u64::MAX));
    // A prompt and its answer share the window; for the answer, a fifth of it is always left.
    let room = window.map(|window| window.saturating_sub(most).max(window / 5).max(1));
    let limit = match (facts.output_tokens, room) {
        (Some(limit), room) => limit.min(room.unwrap_or(limit)),
        (None, Some(room)) => room,
        (None, None) => UNKNOWN_OUTPUT,
    };
    let input_most = price.at_most(most, 0);
    let token = (price.at_most(most, MANY.into()) - input_most) / f64::from(MANY);
    let input = price.at_most(cautious(request).min(most), 0);
    Some(Quote { input, input_most, token, asked: request.sampling.max_tokens, limit })
}

/// Bounds the answer by what is paid for. Answers whether it may be cut short by that.
pub(super) fn bound(request: &mut ChatRequest, facts: ModelFacts, tokens: u64) -> bool {
    let own = request.sampling.max_tokens.or(facts.output_tokens);
    let bounds = own.is_none_or(|own| tokens < own);
    if bounds {
        request.sampling.max_tokens = Some(tokens);
    }
    bounds
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mosaic_types::chat::{Image, Sampling, ToolOffer};
    use mosaic_types::{Price, Role};

    use super::*;

    fn request(text: &str) -> ChatRequest {
        ChatRequest {
            model: "m".into(),
            messages: Arc::new([ChatMessage::new(Role::User, text)]),
            tools: Arc::default(),
            sampling: Sampling::default(),
            stream: false,
        }
    }

    /// A token of input costs a dollar, one of output two.
    fn facts(window: Option<usize>, output_tokens: Option<u64>) -> ModelFacts {
        ModelFacts { window, output_tokens, price: Some(Price::new(1e6, 2e6)), ..ModelFacts::default() }
    }

    fn tokens_of(request: &ChatRequest) -> (f64, f64) {
        let quote = quote(request, facts(None, None)).expect("it has a price");
        (quote.input.round(), quote.input_most.round())
    }

    #[test]
    fn all_that_is_sent_is_counted_and_each_byte_may_be_a_token() {
        assert_eq!(tokens_of(&request(&"x".repeat(100))), (54.0, 100.0 + 16.0 + 512.0));
        let mut seen = request("");
        Arc::make_mut(&mut seen.messages)[0].images = vec![Image { media_type: "image/png".into(), data: "".into() }];
        assert_eq!(tokens_of(&seen), (1_604.0, 50_528.0));
        let mut tools = request("");
        let parameters = serde_json::json!({"type": "object"});
        tools.tools = Arc::new([ToolOffer { name: "clock".into(), description: "tells".into(), parameters }]);
        tools.sampling.response_format = Some(serde_json::json!({"type": "json_object"}));
        assert_eq!(tokens_of(&tools).1, 528.0 + 10.0 + 17.0 + 16.0 + 22.0);
    }

    #[test]
    fn an_answer_is_bounded_by_its_model_by_the_window_or_by_what_all_can() {
        let limit = |window, output| quote(&request(&"x".repeat(100)), facts(window, output)).expect("a price").limit;
        assert_eq!(limit(None, Some(64_000)), 64_000);
        assert_eq!(limit(Some(10_000), Some(64_000)), 10_000 - 628);
        assert_eq!(limit(Some(10_000), None), 10_000 - 628);
        assert_eq!(limit(Some(700), None), 140, "a fifth of the window");
        assert_eq!(limit(None, None), UNKNOWN_OUTPUT);
        assert_eq!(quote(&request("x"), ModelFacts::default()), None, "no price");
        let full = quote(&request(&"x".repeat(9_000)), facts(Some(1_000), None)).expect("a price");
        assert_eq!(full.input_most, 1_000.0, "more than the window is not read");
    }

    #[test]
    fn writing_to_a_cache_is_thought_of() {
        let price = Price { cache_write_usd_per_mtok: Some(1.25e6), ..Price::new(1e6, 2e6) };
        let facts = ModelFacts { price: Some(price), ..ModelFacts::default() };
        let quote = quote(&request(&"x".repeat(100)), facts).expect("a price");
        assert_eq!((quote.input, quote.input_most, quote.token), (54.0 * 1.25, 628.0 * 1.25, 2.0));
    }

    #[test]
    fn an_answer_is_bounded_only_where_nobody_bounds_it_lower() {
        let bounded = |asked, known, tokens| {
            let mut request = request("x");
            request.sampling.max_tokens = asked;
            (bound(&mut request, facts(None, known), tokens), request.sampling.max_tokens)
        };
        assert_eq!(bounded(None, Some(100), 100), (false, None), "its provider does");
        assert_eq!(bounded(None, Some(100), 99), (true, Some(99)));
        assert_eq!(bounded(None, None, 4_096), (true, Some(4_096)));
        assert_eq!(bounded(Some(10), Some(100), 10), (false, Some(10)));
        assert_eq!(bounded(Some(10), None, 9), (true, Some(9)));
    }
}

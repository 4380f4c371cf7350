//! Which models there are, how much they read at once, and what they cost.

use mosaic_types::Price;
use serde::{Deserialize, Serialize};

use crate::cli::client::Client;
use crate::cli::output::{Out, one_line};
use crate::cli::{CliError, Common};

/// A model as lists show it.
#[derive(Serialize, Deserialize)]
struct Shown {
    id: String,
    /// The config names it; else only its provider's list does.
    configured: bool,
    #[serde(default)]
    agents: Vec<String>,
    #[serde(default)]
    context_tokens: Option<u64>,
    #[serde(default)]
    price: Option<Price>,
}

#[derive(Deserialize)]
struct List {
    items: Vec<Shown>,
}

pub(super) async fn run(common: Common) -> Result<(), CliError> {
    let Some(client) = Client::find(&common)? else {
        let sentence = "--models takes a daemon, which knows them: start one with `mosaic up`.";
        return Err(CliError::Unavailable(sentence.to_owned()));
    };
    let mut models = client.get::<List>("/api/v1/models?listed=true").await?.items;
    models.sort_by_key(|model| !model.configured);
    let mut out = Out::new();
    if common.json {
        models.iter().try_for_each(|model| out.json(model))?;
    } else {
        let cells = |model: &Shown| {
            let window = model.context_tokens.map_or_else(|| "unknown".to_owned(), |tokens| tokens.to_string());
            let named = match model.agents.as_slice() {
                [] if model.configured => "the config".to_owned(),
                [] => "its provider".to_owned(),
                agents => one_line(&agents.join(", ")),
            };
            vec![one_line(&model.id), named, window, told(model.price)]
        };
        out.table(
            &["MODEL", "NAMED BY", "WINDOW", "PRICE PER MILLION TOKENS"],
            &models.iter().map(cells).collect::<Vec<_>>(),
        )?;
    }
    out.end()
}

/// `$1 in ($0.1 cached), $5 out`
fn told(price: Option<Price>) -> String {
    let Some(price) = price else { return "unpriced".to_owned() };
    let cached = price.cached_input_usd_per_mtok.map_or_else(String::new, |cached| format!(" (${cached} cached)"));
    format!("${} in{cached}, ${} out", price.input_usd_per_mtok, price.output_usd_per_mtok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_without_a_price_is_said_to_have_none() {
        assert_eq!(told(None), "unpriced");
        assert_eq!(told(Some(Price::new(0.25, 2.0))), "$0.25 in, $2 out");
        let cached = Price { cached_input_usd_per_mtok: Some(0.1), ..Price::new(1.0, 5.0) };
        assert_eq!(told(Some(cached)), "$1 in ($0.1 cached), $5 out");
    }
}

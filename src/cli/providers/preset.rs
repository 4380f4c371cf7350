//! What can be added by a name alone.

use crate::detect::{KEYS, LOCALS};

/// A place whose address is known. All of them speak the OpenAI wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Preset {
    pub(super) name: &'static str,
    pub(super) base_url: String,
    /// The model to begin with, where one is sure to be there.
    pub(super) model: Option<&'static str>,
}

/// Every place that detection knows: those with a key, then servers on this machine.
pub(super) fn presets() -> impl Iterator<Item = Preset> {
    let keyed = KEYS.iter().map(|known| Preset {
        name: known.name,
        base_url: known.base_url.to_owned(),
        model: Some(known.model),
    });
    let local = LOCALS.iter().map(|known| Preset {
        name: known.name,
        base_url: format!("http://127.0.0.1:{}/v1", known.port),
        model: None,
    });
    keyed.chain(local)
}

#[cfg(test)]
mod tests {
    use mosaic_providers::config::KINDS;
    use mosaic_types::ProviderName;

    use super::presets;

    #[test]
    fn a_preset_has_a_name_that_a_provider_can_have() {
        for preset in presets() {
            assert!(preset.name.parse::<ProviderName>().is_ok(), "{preset:?}");
        }
    }

    #[test]
    fn the_default_kind_is_a_preset_with_its_own_address() {
        let openai = presets().find(|preset| preset.name == KINDS[0].name).expect("openai");
        assert_eq!(openai.base_url, KINDS[0].base_url);
    }
}

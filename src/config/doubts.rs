//! What is no mistake in the settings, and yet hardly what was meant.

use mosaic_types::settings::nearest;

use super::{Config, Env, UNNAMED};

/// Variables of Mosaic's own, beside those that override settings.
const VARIABLES: [&str; 7] =
    ["MOSAIC_CONFIG", "MOSAIC_DIE_AT", "MOSAIC_HOME", "MOSAIC_LOG", "MOSAIC_POISON", "MOSAIC_TOKEN", "MOSAIC_URL"];

impl Config {
    /// Sentences about what somebody should look at.
    pub fn doubts(&self, env: &Env) -> Vec<String> {
        let mut doubts = Vec::new();
        let bind = self.gateway.bind;
        if !bind.ip().to_canonical().is_loopback() && self.gateway.hosts.is_empty() {
            doubts.push(format!(
                "{bind} is reached from beyond this machine, and gateway.hosts is empty: only requests by address will \
                 be let in. Name the host in gateway.hosts."
            ));
        }
        if self.effective.iter().any(|shown| shown.path == ["default_agent"] && shown.origin == UNNAMED) {
            doubts.push(format!(
                "there are several agents and no default_agent, so {} answers where nobody else is asked for, as the first \
                 of the file. Set default_agent to the one that you mean.",
                self.default_agent
            ));
        }
        let settings = self.to_toml();
        let keys: Vec<String> = self.effective.iter().map(|shown| variable(&shown.path)).collect();
        for (name, _) in env.iter().filter(|(name, _)| name.starts_with("MOSAIC_") && !name.starts_with("MOSAIC__")) {
            // The settings may name any variable as the one that holds a key.
            if VARIABLES.contains(&name) || settings.contains(&format!("\"{name}\"")) {
                continue;
            }
            // One that is like none of ours is somebody else's: Kubernetes sets MOSAIC_PORT for a service of that name.
            let key = keys.iter().find(|key| key.replace("__", "_") == name);
            let own = || nearest(bare(name), VARIABLES.map(bare)).map(|near| format!("MOSAIC_{near}"));
            if let Some(near) = key.cloned().or_else(own) {
                doubts.push(format!("nothing reads the variable {name}; did you mean {near}?"));
            }
        }
        doubts
    }
}

/// A variable's name without what all of ours have in common, which would make any two alike.
fn bare(name: &str) -> &str {
    name.trim_start_matches("MOSAIC_")
}

/// The variable that overrides a setting.
fn variable(path: &[String]) -> String {
    path.iter().fold("MOSAIC".to_owned(), |name, part| name + "__" + &part.to_ascii_uppercase())
}

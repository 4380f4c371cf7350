//! The table of rules, `[routing]`.

use mosaic_types::limits;
use mosaic_types::routing::Rule;
use mosaic_types::settings::Section;

/// Rules for everyone, in the order in which they are looked at.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RoutingConfig {
    pub rules: Vec<Rule>,
}

impl RoutingConfig {
    /// Reads the table. Whether models and agents exist is not seen from here.
    pub fn read(section: &Section<'_>) -> Self {
        let mut rules: Vec<Rule> = Vec::new();
        let tables = section.tables("rules");
        if tables.len() > limits::RULES {
            section.wrong("rules", format!("{} rules at the most", limits::RULES));
        }
        for table in &tables {
            let rule = Rule::read(table);
            if rules.iter().any(|other| other.name == rule.name) && table.given("name") {
                table.wrong("name", "another rule has this name already");
            }
            rules.push(rule);
        }
        Self { rules }
    }
}

#[cfg(test)]
mod tests {
    use mosaic_types::settings::Settings;

    use super::*;

    fn read(text: &str) -> Result<RoutingConfig, String> {
        let settings = Settings::parse(text, "config.toml").expect("valid TOML");
        let config = RoutingConfig::read(&settings.root().section("routing"));
        settings.finish().map(|_| config).map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn without_a_table_there_are_no_rules() {
        assert_eq!(read(""), Ok(RoutingConfig::default()));
    }

    #[test]
    fn a_name_that_is_there_twice_and_too_many_rules_are_told() {
        let one = "[[routing.rules]]\nname = \"a\"\nmodels = [\"lab/m\"]\n";
        assert_eq!(
            read(&one.repeat(2)).expect_err("twice"),
            "config.toml:5: routing.rules[2].name: found \"a\"; another rule has this name already"
        );
        let many: String = (0..=limits::RULES).map(|n| one.replace("\"a\"", &format!("\"a{n}\""))).collect();
        assert_eq!(
            read(&many).expect_err("too many"),
            "config.toml:1: routing.rules: found a list; 100 rules at the most"
        );
    }
}

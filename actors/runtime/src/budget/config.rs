//! The table `[budgets]`.

use mosaic_types::settings::Section;

/// What may be spent from one kind of account.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// US dollars.
    pub usd: f64,
    /// Calls are refused when it is spent; otherwise that is only told.
    pub hard: bool,
}

impl Budget {
    pub(super) fn billionths(&self) -> u64 {
        super::billionths(self.usd)
    }
}

/// What may be spent; `None`: without a bound.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BudgetConfig {
    /// By all together, a day of UTC.
    pub day: Option<Budget>,
    /// By each agent, a day.
    pub agent: Option<Budget>,
    /// By each user, a day.
    pub user: Option<Budget>,
    /// By each session, ever.
    pub session: Option<Budget>,
}

impl BudgetConfig {
    /// Reads the table.
    pub fn read(section: &Section<'_>) -> Self {
        let budget = |key| read(&section.section(key));
        Self { day: budget("day"), agent: budget("agent"), user: budget("user"), session: budget("session") }
    }

    /// Whether there is any.
    pub fn any(&self) -> bool {
        [self.day, self.agent, self.user, self.session].iter().any(Option::is_some)
    }
}

fn read(section: &Section<'_>) -> Option<Budget> {
    let usd = section.opt_real("usd", 0.0..=1_000_000.0);
    // Where there is no budget, it is neither hard nor soft.
    let hard = section.given("hard") || usd.is_some();
    let hard = hard && section.flag("hard", true);
    if section.given("hard") && usd.is_none() {
        section.wrong("usd", "a budget says how many US dollars it holds, as in usd = 5.0");
    }
    usd.map(|usd| Budget { usd, hard })
}

#[cfg(test)]
mod tests {
    use mosaic_types::settings::Settings;

    use super::*;

    #[test]
    fn a_budget_is_hard_unless_it_says_otherwise_and_holds_an_amount() {
        let read = |text: &str| {
            let settings = Settings::parse(text, "config.toml").expect("valid TOML");
            let config = BudgetConfig::read(&settings.root());
            settings.finish().map(|_| config).map_err(|mistakes| mistakes.to_string())
        };
        let config = read("[day]\nusd = 5\n[session]\nusd = 0.5\nhard = false\n").expect("all is well");
        assert_eq!(config.day, Some(Budget { usd: 5.0, hard: true }));
        assert_eq!(config.session, Some(Budget { usd: 0.5, hard: false }));
        assert!(config.any() && config.agent.is_none());
        assert_eq!(read(""), Ok(BudgetConfig::default()));
        let told = read("[day]\nhard = true\n[user]\nusd = -1\n").expect_err("much is wrong");
        assert!(told.contains("usd") && told.contains("a number from 0"), "{told}");
    }
}

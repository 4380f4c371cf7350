//! Whether a rule holds for a turn, and why. Facts in, verdicts out; what no rule asks for is not looked at.

use std::cell::OnceCell;
use std::fmt::Write as _;

use mosaic_types::routing::{Language, Need, Rule, RuleSource, Task};
use mosaic_types::{AgentName, ModelRef, SessionId, Timestamp, UserId};

use super::classify::{Classified, Classifier};
use crate::budget::Payer;

/// A turn that is to begin, as far as rules look at it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Who asks, and pays.
    pub user: UserId,
    /// `None`: a call that no session keeps.
    pub session: Option<&'a SessionId>,
    /// What was said in it, input by input.
    pub texts: &'a [&'a str],
    /// Text in the files that came with it, in bytes, which are taken for characters.
    pub attached: usize,
    pub agent: &'a AgentName,
    /// `api`, or a channel's name.
    pub channel: &'a str,
    pub needs: &'a [Need],
    /// Tokens that must be read whatever is left out.
    pub tokens: u64,
    pub at: Timestamp,
}

impl Asked<'_> {
    /// Whose budgets it is paid from.
    pub fn payer(&self) -> Payer {
        Payer { user: self.user, agent: self.agent.clone(), session: self.session.cloned() }
    }
}

/// Says why a model cannot take a turn with these needs and so many tokens of input; `None`: it can, or nobody knows.
pub(super) type Lacks<'a> = &'a dyn Fn(&ModelRef, &[Need], u64) -> Option<String>;

/// Facts of a turn, each found out when the first rule asks for it.
pub(super) struct Facts<'a> {
    pub(super) asked: Asked<'a>,
    classifier: &'a dyn Classifier,
    budget: &'a dyn Fn() -> Option<f64>,
    text: OnceCell<String>,
    task: OnceCell<Classified>,
    language: OnceCell<Option<Language>>,
    chars: OnceCell<usize>,
    left: OnceCell<Option<f64>>,
}

/// A condition of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Task,
    MinChars,
    MaxChars,
    Needs(Need),
    Language,
    Channel,
    Agent,
    Hours,
    Days,
    Budget,
}

impl<'a> Facts<'a> {
    pub(super) fn new(asked: Asked<'a>, classifier: &'a dyn Classifier, budget: &'a dyn Fn() -> Option<f64>) -> Self {
        let (text, task, language) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { asked, classifier, budget, text, task, language, chars: OnceCell::new(), left: OnceCell::new() }
    }

    fn text(&self) -> &str {
        match self.asked.texts {
            [] => "",
            [only] => only,
            several => self.text.get_or_init(|| several.join("\n")),
        }
    }

    pub(super) fn task(&self) -> &Classified {
        self.task.get_or_init(|| self.classifier.task(self.text()))
    }

    /// The task, where some rule asked for it.
    pub(super) fn task_seen(&self) -> Option<Task> {
        self.task.get().map(|seen| seen.task)
    }

    pub(super) fn language(&self) -> Option<Language> {
        *self.language.get_or_init(|| self.classifier.language(self.text()))
    }

    /// Characters of all inputs together, with the text that is attached.
    pub(super) fn chars(&self) -> usize {
        let said = || self.asked.texts.iter().map(|text| text.chars().count()).sum::<usize>();
        *self.chars.get_or_init(|| said().saturating_add(self.asked.attached))
    }

    pub(super) fn budget_left(&self) -> Option<f64> {
        *self.left.get_or_init(self.budget)
    }

    /// The first condition of a rule that does not hold; those that cost nothing are looked at first.
    pub(super) fn fails(&self, rule: &Rule) -> Option<Condition> {
        let asked = &self.asked;
        let lengths = rule.min_chars.is_some() || rule.max_chars.is_some();
        let chars = if lengths { self.chars() } else { 0 };
        let some = |list_is_empty: bool, holds: bool| list_is_empty || holds;
        if !some(rule.agent.is_empty(), rule.agent.contains(asked.agent)) {
            return Some(Condition::Agent);
        }
        if !some(rule.channel.is_empty(), rule.channel.iter().any(|channel| channel.as_str() == asked.channel)) {
            return Some(Condition::Channel);
        }
        if let Some(missing) = rule.needs.iter().find(|need| !asked.needs.contains(need)) {
            return Some(Condition::Needs(*missing));
        }
        if rule.hours.is_some() || !rule.days.is_empty() {
            let (day, minute) = rule.timezone.at(asked.at);
            if rule.hours.is_some_and(|hours| !hours.holds(minute)) {
                return Some(Condition::Hours);
            }
            if !some(rule.days.is_empty(), rule.days.contains(&day)) {
                return Some(Condition::Days);
            }
        }
        if rule.min_chars.is_some_and(|min| chars < min) {
            return Some(Condition::MinChars);
        }
        if rule.max_chars.is_some_and(|max| chars > max) {
            return Some(Condition::MaxChars);
        }
        if let Some(below) = rule.budget_left_below
            && self.budget_left().is_none_or(|left| left >= below)
        {
            return Some(Condition::Budget);
        }
        if !rule.language.is_empty() && self.language().is_none_or(|language| !rule.language.contains(&language)) {
            return Some(Condition::Language);
        }
        if !some(rule.task.is_empty(), rule.task.is_empty() || rule.task.contains(&self.task().task)) {
            return Some(Condition::Task);
        }
        None
    }

    /// Says how it is with a condition: what there is, and where it fails what was wanted.
    pub(super) fn why_not(&self, rule: &Rule, failed: Condition) -> String {
        let there = self.tell(rule, failed);
        let wanted = match failed {
            Condition::Task => or(&rule.task),
            Condition::MinChars => format!("{} or more", rule.min_chars.unwrap_or_default()),
            Condition::MaxChars => format!("{} or fewer", rule.max_chars.unwrap_or_default()),
            Condition::Needs(need) => return format!("it does not need {need}"),
            Condition::Language => or(&rule.language),
            Condition::Channel => or(&rule.channel),
            Condition::Agent => or(&rule.agent),
            Condition::Hours => rule.hours.map(|hours| hours.to_string()).unwrap_or_default(),
            Condition::Days => or(&rule.days),
            Condition::Budget => format!("less than {:.0} %", rule.budget_left_below.unwrap_or_default() * 100.0),
        };
        format!("{there}, not {wanted}")
    }

    /// Says why a rule holds.
    pub(super) fn why(&self, rule: &Rule) -> String {
        let mut named: Vec<Condition> = Vec::new();
        let mut add = |named_there: bool, condition| {
            if named_there {
                named.push(condition);
            }
        };
        add(!rule.task.is_empty(), Condition::Task);
        add(rule.min_chars.is_some(), Condition::MinChars);
        add(rule.max_chars.is_some() && rule.min_chars.is_none(), Condition::MaxChars);
        rule.needs.iter().for_each(|need| add(true, Condition::Needs(*need)));
        add(!rule.language.is_empty(), Condition::Language);
        add(!rule.channel.is_empty(), Condition::Channel);
        add(!rule.agent.is_empty(), Condition::Agent);
        add(rule.hours.is_some(), Condition::Hours);
        add(!rule.days.is_empty(), Condition::Days);
        add(rule.budget_left_below.is_some(), Condition::Budget);
        if named.is_empty() {
            return "it holds always".to_owned();
        }
        let told: Vec<String> = named.into_iter().map(|condition| self.tell(rule, condition)).collect();
        told.join("; ")
    }

    /// How it is with what a condition looks at.
    fn tell(&self, rule: &Rule, of: Condition) -> String {
        let asked = &self.asked;
        let (day, minute) = rule.timezone.at(asked.at);
        match of {
            Condition::Task => {
                let Classified { task, cues, .. } = self.task();
                format!("task is {task} ({})", cues.join(", "))
            }
            Condition::MinChars | Condition::MaxChars => format!("{} characters", self.chars()),
            Condition::Needs(need) => format!("it needs {need}"),
            Condition::Language => match self.language() {
                Some(language) => format!("language is {language}"),
                None => "the language is not known".to_owned(),
            },
            Condition::Channel => format!("channel is {}", asked.channel),
            Condition::Agent => format!("agent is {}", asked.agent),
            Condition::Hours => format!("it is {:02}:{:02} in {}", minute / 60, minute % 60, rule.timezone),
            Condition::Days => format!("it is {day} in {}", rule.timezone),
            Condition::Budget => match self.budget_left() {
                Some(left) => format!("{:.0} % of a budget are left", left * 100.0),
                None => "no budget is known to be spent".to_owned(),
            },
        }
    }

    /// Those of a rule's models that can take the turn, and why the others cannot.
    pub(super) fn fit(&self, models: &[ModelRef], lacks: Lacks<'_>) -> (Vec<ModelRef>, Vec<String>) {
        let (mut fit, mut unfit) = (Vec::new(), Vec::new());
        for model in models {
            match lacks(model, self.asked.needs, self.asked.tokens) {
                None => fit.push(model.clone()),
                Some(why) => unfit.push(format!("{model} {why}")),
            }
        }
        (fit, unfit)
    }
}

/// What an answer says of the rule that decided: `rule "code": task is code (a code fence)`.
pub(super) fn reason(source: RuleSource, rule: &Rule, why: &str, left_out: &[String]) -> String {
    let whose = match source {
        RuleSource::User => "your rule",
        RuleSource::Config => "rule",
    };
    let mut reason = format!("{whose} \"{}\": {why}", rule.name);
    for left in left_out {
        let _ = write!(reason, "; {left}");
    }
    reason
}

fn or<T: ToString>(words: &[T]) -> String {
    words.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

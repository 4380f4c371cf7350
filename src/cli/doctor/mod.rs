//! `mosaic doctor`: looks at everything a turn needs and says what to do where something is missing.

mod checks;
mod home;
mod house;

use clap::Args;
use serde::Serialize;

use super::client::Source;
use super::output::{Out, count, one_line};
use super::{CliError, Common, wrap};
use crate::home::Home;

#[derive(Debug, Args)]
#[command(after_help = "Exit code 1 if a check failed. With --json, one object a line: check, state, message, next.")]
pub(super) struct Doctor {}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    /// Works, and yet somebody should look.
    Warn,
    Fail,
}

/// What one look found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    check: String,
    state: State,
    message: String,
    /// What to do; `None` where there is nothing to do, or the message says it.
    next: Option<String>,
}

impl Finding {
    fn new(state: State, check: &str, message: impl Into<String>) -> Self {
        Self { check: check.to_owned(), state, message: message.into(), next: None }
    }

    fn ok(check: &str, message: impl Into<String>) -> Self {
        Self::new(State::Ok, check, message)
    }

    fn warn(check: &str, message: impl Into<String>) -> Self {
        Self::new(State::Warn, check, message)
    }

    fn fail(check: &str, message: impl Into<String>) -> Self {
        Self::new(State::Fail, check, message)
    }

    #[must_use]
    fn next(mut self, what: impl Into<String>) -> Self {
        self.next = Some(what.into());
        self
    }
}

pub(super) async fn run(common: Common, _: Doctor) -> Result<(), CliError> {
    // Looking makes no home.
    let home = Home::locate(common.home.as_deref(), &common.env())?;
    let mut findings = home::look(&home);
    let (config, told) = checks::config(&common, &home);
    findings.extend(told);
    let login = match home.login() {
        Ok(login) => login,
        Err(error) => {
            findings.push(Finding::fail("login", error.to_string()));
            None
        }
    };
    let (daemon, client) = checks::daemon(&common, &home, login.is_some()).await;
    findings.extend(daemon);
    if let Some(client) = &client {
        // The settings of this home are those of its own daemon only.
        let own = config.as_ref().filter(|_| client.sources().0 == Source::Home);
        findings.extend(house::look(client, own).await);
    }
    if let (Some(login), None) = (&login, home.daemon()) {
        // No daemon is to run here, so nothing that one needs is missed.
        let message = format!("commands talk to {}; its store and providers are looked at there only", login.url);
        findings.push(
            Finding::ok("login", message).next("`mosaic doctor` on that machine, or `mosaic logout` to look here."),
        );
    } else if let Some(config) = &config {
        findings.push(checks::store(&home, config).await);
        findings.extend(checks::providers(&common, config).await);
    }
    let said = say(&common, &findings);
    // The verdict stands, also where nobody read the report to its end.
    if findings.iter().any(|finding| finding.state == State::Fail) { Err(CliError::Told) } else { said }
}

fn say(common: &Common, findings: &[Finding]) -> Result<(), CliError> {
    let mut out = Out::new();
    if common.json {
        findings.iter().try_for_each(|finding| out.json(finding))?;
    } else {
        report(findings, wrap::columns(&std::io::stdout())).iter().try_for_each(|line| out.line(line))?;
    }
    out.end()
}

/// The lines of the report, for a terminal of so many columns. Advice that was given already is not repeated.
fn report(findings: &[Finding], columns: Option<usize>) -> Vec<String> {
    let width = findings.iter().map(|finding| finding.check.chars().count()).max().unwrap_or(0);
    let mut lines = Vec::new();
    let mut said: Vec<&String> = Vec::new();
    // What goes on stands under its beginning.
    let told = |start: String, indent: usize, text: &str| match columns.filter(|columns| *columns > indent + 20) {
        Some(columns) => {
            let text = wrap::wrapped(&one_line(text), columns - indent);
            start + &text.replace('\n', &format!("\n{:indent$}", ""))
        }
        None => start + &one_line(text),
    };
    for Finding { check, state, message, next } in findings {
        let state = match state {
            State::Ok => "ok",
            State::Warn => "warn",
            State::Fail => "fail",
        };
        lines.push(told(format!("{state:<4}  {check:<width$}  "), width + 8, message));
        if let Some(next) = next {
            let next = if said.contains(&next) { "as above" } else { next };
            lines.push(told(format!("{:<4}  {:<width$}  -> ", "", ""), width + 11, next));
        }
        said.extend(next);
    }
    let of = |state| findings.iter().filter(|finding| finding.state == state).count();
    lines.push(String::new());
    lines.push(match (of(State::Fail), of(State::Warn)) {
        (0, 0) => "All is well.".to_owned(),
        (0, warned) => format!("Nothing failed; {} to look at.", count(warned, "thing")),
        (failed, _) => format!("{} of {} failed.", failed, count(findings.len(), "check")),
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_lines_up_and_says_what_to_do() {
        let mut findings = vec![Finding::ok("home", "/h"), Finding::warn("provider x", "slow\u{7}").next("wait")];
        let lines = ["ok    home        /h", "warn  provider x  slow␇", "                  -> wait", ""];
        assert_eq!(report(&findings, None)[..4], lines);
        assert_eq!(report(&findings, None)[4], "Nothing failed; 1 thing to look at.");
        findings.push(Finding::fail("store", "full").next("wait"));
        assert_eq!(report(&findings, None)[4], "                  -> as above", "said once");
        assert_eq!(report(&findings, None).last().map(String::as_str), Some("1 of 3 checks failed."));
        let long = [Finding::fail("store", "what is told here is longer than the terminal")];
        let wrapped = "fail  store  what is told here is\n             longer than the\n             terminal";
        assert_eq!(report(&long, Some(35))[0], wrapped);
    }
}

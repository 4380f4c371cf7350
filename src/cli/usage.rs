//! `mosaic usage`: what was spent.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use mosaic_types::Timestamp;
use mosaic_types::ledger::{UsageBy, UsageQuery, UsageSum};
use mosaic_types::limits;
use mosaic_types::page::{Limit, Page};

use super::output::{Out, note, one_line};
use super::reach::Books;
use super::{CliError, Common};

/// Sum up what answered turns used and cost; without a daemon, straight from the home
#[derive(Debug, Args)]
#[command(after_help = "mosaic usage --by model --since 2026-11-01\n\n\
                        It is told of your own turns, and to an owner of everyone's. What has no price in the config is\n\
                        counted and costs nothing here.")]
pub(super) struct Usage {
    /// What is summed up together
    #[arg(long, default_value = "day", value_parser = kinds())]
    by: UsageBy,
    /// Turns that ended then or later: 2026-11-23, or 2026-11-23T08:00:00Z
    #[arg(long, value_name = "MOMENT")]
    since: Option<Timestamp>,
    /// Turns that ended before
    #[arg(long, value_name = "MOMENT")]
    until: Option<Timestamp>,
    /// Print all columns as CSV, as a spreadsheet reads it
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

fn kinds() -> impl TypedValueParser<Value = UsageBy> {
    PossibleValuesParser::new(UsageBy::ALL.iter().map(|by| by.as_str())).try_map(|by| by.parse::<UsageBy>())
}

pub(super) async fn run(common: Common, usage: Usage) -> Result<(), CliError> {
    let ask = UsageQuery { by: usage.by, since: usage.since, until: usage.until, ..UsageQuery::default() };
    let books = Books::open(&common).await?;
    let mut sums = Vec::new();
    let mut cursor = None;
    loop {
        let page = books.usage(ask.clone(), cursor).await?;
        sums.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let mut out = Out::new();
    if common.json {
        sums.iter().try_for_each(|sum| out.json(sum))?;
    } else if usage.csv {
        csv(&sums).iter().try_for_each(|line| out.line(line))?;
    } else if sums.is_empty() {
        note("Nothing was spent in that time.");
    } else {
        out.table(&[&usage.by.as_str().to_uppercase(), "TURNS", "INPUT", "OUTPUT", "COST"], &rows(&sums))?;
    }
    out.end()
}

/// A line with the names of the columns, and one a sum (RFC 4180). What has no price has an empty cost.
fn csv(sums: &[UsageSum]) -> Vec<String> {
    let head = "key,turns,calls,input_tokens,output_tokens,cost_usd,unpriced_turns".to_owned();
    let lines = sums.iter().map(|sum| {
        // Spaces in front of what a spreadsheet would take for a formula keep it a name.
        let guard = if sum.key.starts_with(['=', '+', '-', '@']) { " " } else { "" };
        let key = format!("\"{guard}{}\"", one_line(&sum.key).replace('"', "\"\""));
        let cost = sum.cost_usd.map(|cost| format!("{cost:.9}")).unwrap_or_default();
        let (turns, calls, input, output) = (sum.turns, sum.calls, sum.input_tokens, sum.output_tokens);
        format!("{key},{turns},{calls},{input},{output},{cost},{}", sum.unpriced_turns)
    });
    std::iter::once(head).chain(lines).collect()
}

/// A row a sum and, where there are several, one for all.
fn rows(sums: &[UsageSum]) -> Vec<Vec<String>> {
    let mut all = UsageSum {
        key: "all".to_owned(),
        turns: 0,
        calls: 0,
        input_tokens: 0,
        output_tokens: 0,
        cost_usd: None,
        unpriced_turns: 0,
    };
    for sum in sums {
        all.add(sum);
    }
    let cells = |sum: &UsageSum| {
        let (turns, input, output) = (sum.turns, sum.input_tokens, sum.output_tokens);
        vec![one_line(&sum.key), turns.to_string(), input.to_string(), output.to_string(), sum.cost()]
    };
    let mut rows: Vec<_> = sums.iter().map(cells).collect();
    if sums.len() > 1 {
        rows.push(cells(&all));
    }
    rows
}

impl Books {
    async fn usage(&self, ask: UsageQuery, cursor: Option<String>) -> Result<Page<UsageSum>, CliError> {
        match self {
            Self::Daemon(client) => {
                let mut path = format!("/api/v1/usage?limit={}&by={}", limits::PAGE.1, ask.by);
                let moments = [("since", ask.since), ("until", ask.until)];
                moments.iter().filter_map(|(name, at)| Some((name, (*at)?))).for_each(|(name, at)| {
                    path.push_str(&format!("&{name}={at}"));
                });
                // Cursors are made to stand in a URL.
                cursor.iter().for_each(|cursor| path.push_str(&format!("&cursor={cursor}")));
                client.get(&path).await
            }
            Self::Here(held) => {
                Ok(held.store.usage(ask, cursor, Limit::new(Some(limits::PAGE.1)).unwrap_or_default()).await?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spreadsheet_reads_every_column_and_no_name_as_a_formula() {
        let sum = UsageSum {
            key: "=1+\"2\",lab/m".to_owned(),
            turns: 1,
            calls: 3,
            input_tokens: 20,
            output_tokens: 5,
            cost_usd: Some(0.000_026),
            unpriced_turns: 0,
        };
        let free = UsageSum { key: "lab/free".to_owned(), cost_usd: None, unpriced_turns: 1, ..sum.clone() };
        assert_eq!(
            csv(&[sum, free]),
            [
                "key,turns,calls,input_tokens,output_tokens,cost_usd,unpriced_turns",
                "\" =1+\"\"2\"\",lab/m\",1,3,20,5,0.000026000,0",
                "\"lab/free\",1,3,20,5,,1",
            ]
        );
    }

    #[test]
    fn several_sums_have_one_for_all_and_what_has_no_price_is_said() {
        let sum = |key: &str, turns, cost_usd, unpriced_turns| UsageSum {
            key: key.to_owned(),
            turns,
            calls: turns,
            input_tokens: 10 * turns,
            output_tokens: turns,
            cost_usd,
            unpriced_turns,
        };
        assert_eq!(rows(&[sum("a", 1, None, 1)]), [["a", "1", "10", "1", "no price"]]);
        let told = rows(&[sum("a", 1, None, 1), sum("b", 2, Some(0.5), 0)]);
        assert_eq!(told[1], ["b", "2", "20", "2", "$0.5000"]);
        assert_eq!(told[2], ["all", "3", "30", "3", "$0.5000, 1 without a price"]);
    }
}

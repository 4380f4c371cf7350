//! The figures that Mosaic is judged by, each beside a baseline of the same run. One command prints the table:
//!
//! `cargo bench --bench figures` (some five minutes), or `cargo bench --bench figures -- turns` for one part.

#![allow(clippy::disallowed_methods)] // a bench reads the real clock

mod bed;
mod calls;
mod channels;
mod durable;
mod fanout;
mod faults;
mod hop;
mod lists;
mod long;
mod neighbours;
mod poison;
mod recovery;
mod report;
mod routing;
mod screen;
mod sessions;
mod sockets;
mod start;
mod stock;
mod streams;
mod supervise;
mod tui;
mod turns;

use report::Report;

type Part = (&'static str, fn(&mut Report));

const PARTS: &[Part] = &[
    ("supervise", supervise::measure),
    ("sessions", sessions::measure),
    ("calls", calls::measure),
    ("fanout", fanout::measure),
    ("streams", streams::measure),
    ("turns", turns::measure),
    ("durable", durable::measure),
    ("long", long::measure),
    ("hop", hop::measure),
    ("start", start::measure),
    ("recovery", recovery::measure),
    ("lists", lists::measure),
    ("routing", routing::measure),
    ("sockets", sockets::measure),
    ("screen", screen::measure),
    ("tui", tui::measure),
    ("faults", faults::measure),
    ("poison", poison::measure),
    ("channels", channels::measure),
];

fn main() {
    // Cargo passes `--bench`; whatever else is there names the parts that are wanted.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let mut report = Report::default();
    for (name, measure) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|wish| wish == name) {
            eprintln!("measuring: {name}");
            measure(&mut report);
        }
    }
    report.print();
}

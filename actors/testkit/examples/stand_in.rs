//! A model provider to try things with, on any wire: says back what it hears, piece by piece. Who says `[think]` makes it
//! think first, who says `[tool]` makes it call the tool `clock`, who says `[busy]` is refused.
//!
//! `cargo run -p mosaic-testkit --example stand_in -- 8123 [DELAY_MS]`

use std::time::Duration;

use mosaic_testkit::{StandIn, Step};

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<u64>().expect("a number is wanted"));
    let port = u16::try_from(args.next().unwrap_or(8123)).expect("a port is wanted");
    let stand_in = StandIn::builder()
        .port(port)
        .when_last_user_contains("[think]", Step::think_say("let me see", "It is so."))
        .when_last_user_contains("[tool]", Step::call_tool("clock", r#"{"tz":"UTC"}"#))
        .when_last_user_contains("[busy]", Step::RateLimit(Duration::from_secs(2)));
    let stand_in = match args.next() {
        None => stand_in,
        Some(delay) => {
            let text = "This answer takes its time, word by word, until somebody has heard enough of it.";
            stand_in.always(Step::say_in(text, 16, Duration::from_millis(delay)))
        }
    };
    let stand_in = stand_in.start();
    println!("a stand-in listens at {}", stand_in.base_url());
    loop {
        std::thread::park();
    }
}

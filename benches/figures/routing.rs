//! What does it cost to decide which models answer?

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use mosaic::app::App;
use mosaic::config::{Config, Env};
use mosaic::outside;
use mosaic_runtime::routing::{Asked, tokens_of};
use mosaic_testkit::{StandIn, Step};

use crate::bed::home;
use crate::report::{Report, spread};

const TAKES: usize = 9;
const DECISIONS: u32 = 2_000;

/// As many rules as a config may have: all look at what the text asks for, and the last one holds.
fn rules() -> String {
    let mut text = String::new();
    for n in 0..99 {
        let _ = writeln!(
            text,
            "[[routing.rules]]\nname = \"r{n}\"\ntask = [\"maths\"]\nlanguage = [\"th\"]\nmin_chars = 1\nhours = \"00:00-24:00\"\n\
             timezone = \"Europe/Berlin\"\nstrategy = \"race\""
        );
    }
    let _ = writeln!(
        text,
        "[[routing.rules]]\nname = \"last\"\ntask = [\"code\", \"question\", \"summary\"]\nstrategy = \"race\""
    );
    text
}

pub(crate) fn measure(report: &mut Report) {
    let upstream = StandIn::builder().always(Step::say("one")).keep(0).start();
    let paste = "The river rose by a metre overnight, and the lower streets were closed. ".repeat(1_388);
    let texts = [
        ("30 characters", "What is the capital of France?".to_owned()),
        ("2,000 characters of code", format!("Fix this:\n```\n{}```", "let a_b = call(c::d);\n".repeat(90))),
        ("100,000 characters", format!("Summarise this:\n{paste}")),
    ];
    for (name, text) in &texts {
        let [none, one, all] = [
            "",
            "[[routing.rules]]\nname = \"one\"\ntask = [\"code\", \"question\", \"summary\"]\nstrategy = \"race\"\n",
            &rules(),
        ]
        .map(|rules| took(&upstream, rules, text));
        report.row(
            &format!("which models answer, {name}, 1 rule"),
            format!("{} µs", spread(one, 2).text),
            format!("no rules: {} µs", spread(none, 3).text),
            "none",
        );
        report.row(
            &format!("which models answer, {name}, 100 rules of which the last holds"),
            format!("{} µs", spread(all, 2).text),
            "the same".to_owned(),
            "none",
        );
    }
}

/// Microseconds of a decision, take by take.
fn took(upstream: &StandIn, rules: &str, text: &str) -> Vec<f64> {
    let home = home(upstream);
    let file = home.path().join("config.toml");
    let config = std::fs::read_to_string(&file).expect("it is there");
    std::fs::write(&file, format!("{config}\n{rules}")).expect("written");
    let config = Config::load(None, home.path(), &Env::default()).expect("good settings");
    actix::System::new().block_on(async {
        let app = App::start(&config, &Env::default(), outside::system()).await.expect("the house starts");
        let (routing, agent) = (&app.doors.routing, &config.default_agent);
        let (user, at, texts) = (app.owner().user, app.doors.outside.now(), [text]);
        let take = |_| {
            let began = Instant::now();
            for _ in 0..DECISIONS {
                let tokens = tokens_of(texts.into_iter());
                let (session, needs) = (None, &[][..]);
                let asked =
                    Asked { user, session, texts: &texts, attached: 0, agent, channel: "api", needs, tokens, at };
                let route = black_box(routing.route(black_box(asked)));
                assert_eq!(route.is_some(), !rules.is_empty());
            }
            began.elapsed().as_secs_f64() * 1e6 / f64::from(DECISIONS)
        };
        let takes = (0..TAKES).map(take).collect();
        app.stop().await;
        takes
    })
}

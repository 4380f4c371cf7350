//! Does a turn cost more in a session that is old?

use std::time::Instant;

use mosaic_testkit::http::Client;
use mosaic_testkit::{StandIn, Step};
use mosaic_types::SessionId;

use crate::bed::{Bed, block_on, home};
use crate::report::{Report, Tries, ms};
use crate::stock::Stock;

/// Messages of the sessions.
const AGES: [usize; 3] = [10, 100, 100_000];
/// Lives of the daemon, each with young sessions of its own, since every turn makes them older.
const LIVES: usize = 20;
/// Turns of each session in each life, after the one that wakes it.
const TURNS: usize = 8;

pub(crate) fn measure(report: &mut Report) {
    let upstream = StandIn::builder().always(Step::say("one two three four five")).keep(0).start();
    let mut home = home(&upstream);
    let ids: Vec<Vec<SessionId>> = actix::System::new().block_on(async {
        let mut stock = Stock::open(home.path(), 2 * LIVES + 1).await;
        let mut ids = Vec::new();
        for (age, count) in AGES.into_iter().zip([LIVES, LIVES, 1]) {
            let mut same = Vec::new();
            for _ in 0..count {
                same.push(stock.talk(age).await);
            }
            ids.push(same);
        }
        ids
    });
    let (mut first, mut later) = ([(); 3].map(|()| Tries::default()), [(); 3].map(|()| Tries::default()));
    for life in 0..LIVES {
        let bed = Bed::start(home);
        block_on(async {
            let mut client = bed.client().await;
            for turn in 0..=TURNS {
                for age in 0..AGES.len() {
                    let began = Instant::now();
                    ask(&bed, &mut client, &ids[age][life % ids[age].len()]).await;
                    let tries = if turn == 0 { &mut first } else { &mut later };
                    tries[age].push(began.elapsed());
                }
            }
        });
        home = bed.stop();
    }
    for (what, tries, goal) in [("a turn", &mut later, "<= 1.2x"), ("the turn that wakes it", &mut first, "none")] {
        let [ten, hundred, many] = [0, 1, 2].map(|age| tries[age].quantile(0.5));
        let ratio = |young: std::time::Duration| many.as_secs_f64() / young.as_secs_f64();
        let p99 = tries[2].quantile(0.99);
        let value = format!("p50 {}, p99 {}; {:.2}x and {:.2}x", ms(many), ms(p99), ratio(hundred), ratio(ten));
        let baseline = format!("of 100: p50 {}, of 10: p50 {}", ms(hundred), ms(ten));
        report.row(&format!("{what} in a session of 100,000 messages, context of 4,096"), value, baseline, goal);
    }
}

async fn ask(bed: &Bed, client: &mut Client, session: &SessionId) {
    let bearer = format!("Bearer {}", bed.token);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let path = format!("/api/v1/sessions/{session}/messages?wait=true");
    let answer = client.request("POST", &path, &headers, br#"{"text":"and now?"}"#).await.expect("an answer");
    assert_eq!(answer.status(), 200, "{}", answer.text());
}

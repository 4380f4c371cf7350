//! Does a page of the list of sessions, or a search in it, cost more where there are many sessions?

use std::time::Instant;

use mosaic_testkit::http::Client;
use mosaic_testkit::{StandIn, Step};
use serde_json::Value;

use crate::bed::{Bed, block_on, home};
use crate::report::{Report, Tries, ms};
use crate::stock::Stock;

const FEW: usize = 100;
const MANY: usize = 100_000;
/// Rows of a page that is measured.
const PAGE: usize = 20;
const WARM: usize = 100;
const CALLS: usize = 1_000;
/// Sessions that are talked in, the newest; a search looks into the messages of no more.
const TALKED: usize = 1_000;
/// Messages of each of them.
const MESSAGES: usize = 20;
/// What is looked for: what every talked session says, and what none says or is called.
const SOUGHT: [(&str, &str); 2] = [("less", "what many say"), ("zebra", "what is nowhere")];
const SEARCHES: usize = 200;

pub(crate) fn measure(report: &mut Report) {
    let upstream = StandIn::builder().always(Step::say("one")).keep(0).start();
    let beds = [FEW, MANY].map(|count| filled(&upstream, count));
    let [few, many] = block_on(async { [pages(&beds[0], FEW).await, pages(&beds[1], MANY).await] });
    let mut tries = block_on(read(&beds, &[few, many]));
    for (place, name) in ["first", "middle"].into_iter().enumerate() {
        let [few, many] = &mut tries;
        let (few, many) = (&mut few[place], &mut many[place]);
        let ratio = many.quantile(0.5).as_secs_f64() / few.quantile(0.5).as_secs_f64();
        let value = format!("p50 {}, p99 {}; {ratio:.2}x", ms(many.quantile(0.5)), ms(many.quantile(0.99)));
        let baseline = format!("{FEW} sessions: p50 {}, p99 {}", ms(few.quantile(0.5)), ms(few.quantile(0.99)));
        report.row(&format!("{name} page of the list, {PAGE} of {MANY} sessions"), value, baseline, "none");
    }
    let mut tries = block_on(search(&beds));
    for (place, (_, what)) in SOUGHT.into_iter().enumerate() {
        let [few, many] = &mut tries;
        let (few, many) = (&mut few[place], &mut many[place]);
        let value = format!("p50 {}, p99 {}", ms(many.quantile(0.5)), ms(many.quantile(0.99)));
        let baseline = format!("{FEW} sessions: p50 {}, p99 {}", ms(few.quantile(0.5)), ms(few.quantile(0.99)));
        report.row(&format!("search among {MANY} sessions: {what}"), value, baseline, "p50 <= 50 ms");
    }
}

/// Each search in each daemon in turn.
async fn search(beds: &[Bed; 2]) -> [[Tries; 2]; 2] {
    let mut clients = [beds[0].client().await, beds[1].client().await];
    let mut tries: [[Tries; 2]; 2] = Default::default();
    for call in 0..WARM / 10 + SEARCHES {
        for (house, client) in clients.iter_mut().enumerate() {
            for (place, (text, _)) in SOUGHT.iter().enumerate() {
                let began = Instant::now();
                let page = get(&beds[house], client, &format!("/api/v1/sessions?limit={PAGE}&q={text}")).await;
                let took = began.elapsed();
                assert_eq!(page["items"].as_array().map(Vec::len), Some([PAGE, 0][place]), "{text}");
                if call >= WARM / 10 {
                    tries[house][place].push(took);
                }
            }
        }
    }
    tries
}

/// A daemon that starts with so many sessions in its store.
fn filled(upstream: &StandIn, count: usize) -> Bed {
    let home = home(upstream);
    actix::System::new().block_on(async {
        let mut stock = Stock::open(home.path(), count).await;
        for _ in 0..count.min(TALKED) {
            stock.talk(MESSAGES).await;
        }
    });
    Bed::start(home)
}

/// Paths of the first page and of the one in the middle.
async fn pages(bed: &Bed, count: usize) -> [String; 2] {
    const STEP: usize = 50;
    let (mut client, mut cursor) = (bed.client().await, String::new());
    for _ in 0..count / 2 / STEP {
        let page: Value = get(bed, &mut client, &format!("/api/v1/sessions?limit={STEP}{cursor}")).await;
        cursor = format!("&cursor={}", page["next"].as_str().expect("there is more"));
    }
    ["", &cursor].map(|cursor| format!("/api/v1/sessions?limit={PAGE}{cursor}"))
}

/// Each page of each daemon in turn.
async fn read(beds: &[Bed; 2], pages: &[[String; 2]; 2]) -> [[Tries; 2]; 2] {
    let mut clients = [beds[0].client().await, beds[1].client().await];
    let mut tries: [[Tries; 2]; 2] = Default::default();
    for call in 0..WARM + CALLS {
        for (house, client) in clients.iter_mut().enumerate() {
            for (place, path) in pages[house].iter().enumerate() {
                let began = Instant::now();
                let page = get(&beds[house], client, path).await;
                let took = began.elapsed();
                assert_eq!(page["items"].as_array().map(Vec::len), Some(PAGE));
                if call >= WARM {
                    tries[house][place].push(took);
                }
            }
        }
    }
    tries
}

async fn get(bed: &Bed, client: &mut Client, path: &str) -> Value {
    let bearer = format!("Bearer {}", bed.token);
    let answer = client.request("GET", path, &[("authorization", &bearer)], b"").await.expect("an answer");
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.json()
}

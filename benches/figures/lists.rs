//! Does a page of the list of sessions cost more where there are many sessions?

use std::time::Instant;

use mosaic::app::App;
use mosaic::config::{Config, Env};
use mosaic::outside;
use mosaic_testkit::http::Client;
use mosaic_testkit::{StandIn, Step};
use serde_json::Value;

use crate::bed::{Bed, block_on, home};
use crate::report::{Report, Tries, ms};
use crate::sessions;

const FEW: usize = 100;
const MANY: usize = 100_000;
/// Rows of a page that is measured.
const PAGE: usize = 20;
const WARM: usize = 100;
const CALLS: usize = 1_000;

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
}

/// A daemon that starts with so many sessions in its store.
fn filled(upstream: &StandIn, count: usize) -> Bed {
    let home = home(upstream);
    let config = Config::load(None, home.path(), &Env::default()).expect("good settings");
    actix::System::new().block_on(async {
        let app = App::start(&config, &Env::default(), outside::system()).await.expect("the house starts");
        sessions::create(&app, count).await;
        app.stop().await;
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

//! The ledger against the books of those who were asked: the stand-ins keep every call, and what each would have cost.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use mosaic_testkit::http::Client;
use mosaic_testkit::provider::{Call, End, Gate};
use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};

use crate::testbed::{Api, Sse, Testbed, eventually, soon};

/// Calls of the great test. A million more take longer, not another way: MOSAIC_TEST_CALLS=10000 asks for them.
const CALLS: usize = 1_000;

/// What is said before it falls silent.
const HALF: &str = "one two three ";

/// Dollars a million tokens: input, output.
const PRICES: [(f64, f64); 3] = [(1.0, 2.0), (3.0, 15.0), (0.25, 4.0)];

fn calls() -> usize {
    std::env::var("MOSAIC_TEST_CALLS").map_or(CALLS, |calls| calls.parse().expect("a number of calls"))
}

/// A provider that answers, and misbehaves where it is asked to; `number`: which of the three it is.
fn provider(number: usize) -> StandIn {
    let say = || Step::say("so it is, as far as anyone can tell");
    let only_first = |step: Step| if number == 0 { step } else { say() };
    StandIn::builder()
        .when_last_user_contains("[mute]", Step::Mute { text: "one two three four five six".into(), after: 3 })
        .when_last_user_contains("[stall]", only_first(Step::Stall))
        .when_last_user_contains("[refuse]", only_first(Step::status(500, "server_error", "Try again later.")))
        .when_last_user_contains("[limit]", only_first(Step::RateLimit(Duration::from_millis(1))))
        .when_last_user_contains("[half]", Step::truncate(HALF.trim_end()))
        .always(say())
        .keep(usize::MAX)
        .start()
}

/// A daemon with the providers `a`, `b` and `c`, and an agent for each way of asking them.
async fn bed(models: [&StandIn; 3]) -> Testbed {
    patient_bed(models, "2s").await
}

/// The same, whose providers may say nothing for so long.
async fn patient_bed(models: [&StandIn; 3], idle: &str) -> Testbed {
    let mut bed = Testbed::asleep(StandIn::builder());
    configure(&bed, models, idle);
    bed.restart().await;
    bed
}

fn configure(bed: &Testbed, models: [&StandIn; 3], idle: &str) {
    let mut text = format!(
        "default_agent = \"one\"\ndetect = false\n[gateway]\nbind = \"127.0.0.1:0\"\nworkers = 2\n[store]\nurl = {:?}\n",
        bed.store_url()
    );
    for ((name, model), (input, output)) in ["a", "b", "c"].iter().zip(models).zip(PRICES) {
        text.push_str(&format!(
            "[providers.{name}]\nbase_url = \"{}\"\nidle_timeout = \"{idle}\"\n\
             models.m = {{ input_usd_per_mtok = {input}, output_usd_per_mtok = {output} }}\n\
             models.n = {{ input_usd_per_mtok = {input}, output_usd_per_mtok = {output} }}\n",
            model.base_url()
        ));
    }
    // What falls silent or breaks off again and again would be left alone, so each does so as a model of its own.
    for number in 0..calls() / 12 + 1 {
        let (input, output) = PRICES[2];
        let price = format!("{{ input_usd_per_mtok = {input}, output_usd_per_mtok = {output} }}");
        text.push_str(&format!("models.mute{number} = {price}\nmodels.half{number} = {price}\n"));
    }
    text.push_str(
        "[agents.one]\nmodels = [\"a/m\"]\n\
         [agents.two]\nmodels = [\"a/n\", \"b/m\"]\n\
         [agents.racer]\nmodels = [\"a/m\", \"b/m\"]\nstrategy = \"race\"\nrace_after = \"0s\"\n\
         [agents.both]\nmodels = [\"a/m\", \"b/m\"]\nstrategy = \"compare\"\n\
         [agents.panel]\nmodels = [\"a/m\", \"b/m\"]\nstrategy = \"panel\"\njudge = \"c/m\"\n\
         [agents.jury]\nmodels = [\"a/m\", \"b/m\"]\nstrategy = \"panel\"\n",
    );
    bed.write_config(&text);
}

/// Tokens of a text where nobody counts them: four bytes each.
fn tokens(text: &str) -> u64 {
    text.len().div_ceil(4) as u64
}

/// What a call cost by the books of the one who was asked: calls, tokens in and out.
fn charged(call: &Call, number: usize) -> (u64, u64, u64) {
    let text = call.last_user().unwrap_or_default();
    let first = number == 0;
    let said = call.messages().iter().map(|message| tokens(message["content"].as_str().unwrap_or_default()) + 4).sum();
    match call.end {
        End::Open => panic!("a call is still open: {text}"),
        _ if text.contains("[mute]") => (1, said, tokens(HALF)),
        _ if text.contains("[half]") => (1, said, tokens(HALF.trim_end())),
        _ if first && (text.contains("[race") || text.contains("[stall]")) => (1, said, 0),
        _ if first && (text.contains("[refuse]") || text.contains("[limit]")) => (0, 0, 0),
        End::Answered => (1, 10 * call.messages().len() as u64, 9),
        End::HungUp | End::Cut => panic!("nobody was to hang up on this: {text}"),
    }
}

/// Of a model: its name, calls, tokens in and out, dollars.
type Sum = (String, u64, u64, u64, f64);

/// Sums of the ledger by model.
async fn ledger(api: &Api) -> Vec<Sum> {
    let number = |value: &Value| value.as_u64().expect("a number");
    let (mut sums, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("/api/v1/usage?by=model&limit=200{cursor}")).await;
        sums.extend(page["items"].as_array().expect("a list").iter().map(|sum| {
            let key = sum["key"].as_str().expect("a key").to_owned();
            let cost = sum["cost_usd"].as_f64().expect("all has a price");
            (key, number(&sum["calls"]), number(&sum["input_tokens"]), number(&sum["output_tokens"]), cost)
        }));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return sums,
        }
    }
}

/// What the ledger must say.
fn books(models: [&StandIn; 3]) -> Vec<Sum> {
    let mut books = BTreeMap::<String, (u64, u64, u64, f64)>::new();
    for (number, (model, (input, output))) in models.iter().zip(PRICES).enumerate() {
        for call in model.calls() {
            let (calls, read, written) = charged(&call, number);
            let name = format!("{}/{}", ["a", "b", "c"][number], call.body["model"].as_str().expect("a model"));
            let sum = books.entry(name).or_default();
            (sum.0, sum.1, sum.2) = (sum.0 + calls, sum.1 + read, sum.2 + written);
            sum.3 = (sum.1 as f64 * input + sum.2 as f64 * output) / 1e6;
        }
    }
    books.into_iter().map(|(name, (calls, read, written, cost))| (name, calls, read, written, cost)).collect()
}

fn is(one: &Sum, other: &Sum) -> bool {
    (&one.0, one.1, one.2, one.3) == (&other.0, other.1, other.2, other.3) && (one.4 - other.4).abs() < 1e-6
}

fn same(books: &[Sum], ledger: &[Sum]) -> bool {
    books.len() == ledger.len() && books.iter().zip(ledger).all(|(one, other)| is(one, other))
}

async fn session(api: &Api, agent: &str) -> String {
    let made = api.send("POST", "/api/v1/sessions", json!({"agent": agent})).await;
    let row: Value = made.json();
    row["id"].as_str().expect("an id").to_owned()
}

/// One of the ways in which a call, or several, can go.
async fn one(api: &Api, models: [&StandIn; 3], number: usize) {
    let turn = async |agent: &str, text: &str, status: u16| {
        let session = session(api, agent).await;
        let answer = api.submit(&session, "?wait=true", &[], text).await;
        assert_eq!(answer.status(), status, "{agent}: {text}: {}", answer.text());
    };
    let complete = |model: &str, text: &str, stream: bool| json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": text}]});
    match number % 12 {
        0 => turn("one", "hello", 200).await,
        // Cancelled in its middle.
        1 => {
            let session = session(api, "one").await;
            let mut events = api.hear(&session, "[mute]").await;
            let mut heard = 0;
            while heard < HALF.len() {
                heard += events.until("turn.delta").await["text"].as_str().expect("a text").len();
            }
            api.cancel(&session).await;
        }
        2 => assert_eq!(api.send("POST", "/v1/chat/completions", complete("a/m", "hello", false)).await.status(), 200),
        3 => assert_eq!(
            api.send("POST", "/v1/chat/completions", complete("a/m", "hello there", true)).await.status(),
            200
        ),
        // Nobody waits for the rest.
        4 => {
            let mut client = Client::connect(api.address).await.expect("the daemon listens");
            let bearer = format!("Bearer {}", api.token());
            let model = format!("c/mute{}", number / 12);
            let body = complete(&model, "[mute]", true).to_string();
            client
                .send("POST", "/v1/chat/completions", &[("authorization", &bearer)], body.as_bytes())
                .await
                .expect("it is sent");
            let mut answer = client.receive(false).await.expect("it begins");
            soon("half an answer", answer.read_until("three")).await.expect("half of it comes");
        }
        5 => {
            // The one is not answered before the other is asked: who was not asked has nothing in its books.
            let (slow, fast, text) = (Gate::new(), Gate::new(), format!("[race {number}]"));
            models[0].when_last_user_contains(&text, Step::Hold { gate: slow.clone(), then: Box::new(Step::Silence) });
            models[1].when_last_user_contains(&text, Step::hold(&fast, "so it is, as far as anyone can tell"));
            let both = async {
                soon("both are asked", slow.arrived(1)).await;
                fast.open();
            };
            tokio::join!(turn("racer", &text, 200), both);
        }
        6 => turn("two", "[refuse] the first", 200).await,
        7 => turn("two", "[limit] the first", 200).await,
        8 => {
            let session = session(api, "one").await;
            let ask = json!({"text": "[half] of it", "model": format!("c/half{}", number / 12)});
            let path = format!("/api/v1/sessions/{session}/messages?wait=true");
            assert_eq!(api.send("POST", &path, ask).await.status(), 502, "what was shown is not begun again");
        }
        9 => turn("both", "compare", 200).await,
        10 => turn("panel", "judge", 200).await,
        _ if number % 120 == 11 => turn("two", "[stall] the first", 200).await,
        _ => turn("two", "hello again", 200).await,
    }
}

#[tokio::test]
async fn the_ledger_is_what_the_providers_were_asked_for_to_the_cent_however_the_calls_went() {
    let calls = calls();
    let models = [0, 1, 2].map(provider);
    let models = models.each_ref();
    let mut bed = bed(models).await;
    let api = bed.api();
    // Most of these make one call, some two or three.
    stream::iter(0..calls * 3 / 4)
        .map(|number| one(&api, models, number))
        .buffer_unordered(24)
        .collect::<Vec<()>>()
        .await;
    for model in models {
        let all_over = |progress: mosaic_testkit::provider::Progress| progress.open == 0;
        eventually("every call is over", || async { all_over(model.progress()).then_some(()) }).await;
    }
    let books = books(models);
    let asked: usize = models.iter().map(|model| model.progress().calls).sum();
    assert!(asked >= calls, "{asked} calls");
    let mut told = Vec::new();
    for _ in 0..100 {
        told = ledger(&api).await;
        if same(&books, &told) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let only = |some: &[Sum], others: &[Sum]| -> Vec<Sum> {
        some.iter().filter(|one| !others.iter().any(|other| is(one, other))).cloned().collect()
    };
    let (books_say, ledger_says) = (only(&books, &told), only(&told, &books));
    assert!(same(&books, &told), "the providers' books say\n{books_say:?}\nand the ledger\n{ledger_says:?}");
    // A restart finds it so.
    bed.stop().await;
    bed.restart().await;
    assert!(same(&books, &ledger(&bed.api()).await));
}

#[tokio::test]
async fn a_kill_in_mid_answer_loses_no_call_from_the_ledger() {
    let models = [0, 1, 2].map(provider);
    let models = models.each_ref();
    let mut bed = bed(models).await;
    // By model: a/m, a/n, b/m; each is asked twice as often in the end.
    let sessions = [("one", "[mute]"), ("two", "[mute] the first"), ("both", "[mute]")];
    let mut open = Vec::new();
    for (agent, text) in sessions {
        let session = session(&bed.api(), agent).await;
        let mut events = bed.api().hear(&session, text).await;
        events.until("turn.delta").await;
        open.push(session);
    }
    // Those that fell silent at once have been sent what they were asked.
    let asked = || models.map(|model| model.progress().calls as u64);
    eventually("all are asked", || async { (asked() == [3, 1, 0]).then_some(()) }).await;
    bed.kill9().await;
    bed.restart().await;
    eventually("all are asked again", || async { (asked() == [6, 2, 0]).then_some(()) }).await;
    for session in &open {
        bed.api().cancel(session).await;
    }
    eventually("each call is in the ledger", || async {
        let told: Vec<u64> = ledger(&bed.api()).await.iter().map(|sum| sum.1).collect();
        (told == [4, 2, 2]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_judge_that_is_cut_off_is_in_the_ledger_beside_those_whom_it_was_to_judge() {
    let models = [0, 1, 2].map(provider);
    let models = models.each_ref();
    let mut bed = patient_bed(models, "60s").await;
    models.iter().for_each(|model| model.when_last_user_contains("Several models were asked", Step::Silence));
    // Judged by another, and by the first of those who answered.
    let mut open = Vec::new();
    for agent in ["panel", "jury"] {
        let session = session(&bed.api(), agent).await;
        drop(bed.api().hear(&session, "hello").await);
        open.push(session);
    }
    let asked = || models.map(|model| model.progress().calls as u64);
    let calls = async |bed: &Testbed| -> Vec<u64> { ledger(&bed.api()).await.iter().map(|sum| sum.1).collect() };
    eventually("both judges are asked", || async { (asked() == [3, 2, 1]).then_some(()) }).await;
    bed.kill9().await;
    bed.restart().await;
    eventually("and asked again, but nobody else", || async { (asked() == [4, 2, 2]).then_some(()) }).await;
    for session in &open {
        bed.api().cancel(session).await;
    }
    eventually("each call is in the ledger", || async { (calls(&bed).await == [4, 2, 2]).then_some(()) }).await;
}

#[tokio::test]
async fn a_kill_loses_no_stateless_call_from_the_ledger_and_enters_none_twice() {
    let models = [0, 1, 2].map(provider);
    let models = models.each_ref();
    let mut bed = bed(models).await;
    let asked = || models[0].progress().calls as u64;
    let body = |text: &str| json!({"model": "a/m", "messages": [{"role": "user", "content": text}]});
    for life in 0..5_u32 {
        let api = bed.api();
        // Some calls are in the ledger, some due, some answered a moment ago, and some under way.
        let answered = stream::iter(0..60).map(|_| api.send("POST", "/v1/chat/completions", body("hello")));
        let statuses: Vec<_> = answered.buffer_unordered(8).map(|answer| answer.status()).collect().await;
        assert_eq!(statuses, [200; 60]);
        let before = asked();
        let bearer = format!("Bearer {}", api.token());
        let mut open = Vec::new();
        for _ in 0..4 {
            let mut mute = body("[mute]");
            mute["stream"] = json!(true);
            open.push(Sse::open(api.address, "/v1/chat/completions", &[("authorization", &bearer)], mute).await);
        }
        eventually("those under way are asked", || async { (asked() == before + 4).then_some(()) }).await;
        tokio::time::sleep(Duration::from_millis(u64::from(life) * 70)).await;
        bed.kill9().await;
        drop(open);
        bed.restart().await;
        let sum = ledger(&bed.api()).await;
        assert_eq!(sum[0].1, asked(), "life {life}: the ledger has each call as soon as the daemon answers");
        assert!(sum[0].2 >= asked() * 4 && sum[0].4 > 0.0, "{sum:?}");
    }
    assert_eq!(asked(), 5 * 64);
}

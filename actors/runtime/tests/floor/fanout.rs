//! Models that race, are compared, or sit on a panel.

use std::time::Duration;

use mosaic_runtime::agent::config::{Fanout, Strategy};
use mosaic_types::event::{Part, StepKind};
use mosaic_types::{Code, EventBody, Usage};

use crate::models::{Act, Bench};

fn race(after_ms: u64) -> Fanout {
    Fanout { strategy: Strategy::Race, race_after: Duration::from_millis(after_ms), ..Fanout::default() }
}

fn compare() -> Fanout {
    Fanout { strategy: Strategy::Compare, ..Fanout::default() }
}

fn panel() -> Fanout {
    Fanout { strategy: Strategy::Panel, ..Fanout::default() }
}

fn times<'a>(times: impl IntoIterator<Item = (&'a str, u64)>) -> Vec<(String, u64)> {
    times.into_iter().map(|(model, at)| (model.to_owned(), at)).collect()
}

/// Tokens of "hi" as they are reckoned: a quarter of its bytes, and four of wrapping.
const HI: u64 = 5;

#[actix::test]
async fn a_race_is_as_fast_as_the_faster_and_the_slower_is_cut_off_and_paid_for() {
    tokio::time::pause();
    let bench = Bench::start(race(1_000), &[("a", &[Act::Say(5_000, "slow")]), ("b", &[Act::Say(300, "fast")])]);
    let heard = bench.ask("hi").await;
    assert_eq!((heard.text.as_str(), heard.first), ("fast", Some(1_300)));
    assert_eq!(heard.began.map(|model| model.to_string()).as_deref(), Some("lab/b"), "who is heard is told");
    assert_eq!(bench.times(), times([("a", 0), ("b", 1_000)]));
    assert_eq!(bench.cut(), times([("a", 1_300)]), "at the very moment the other speaks");
    assert_eq!(bench.due(), [("a".into(), HI, 0, true), ("b".into(), 10, 5, false)]);
}

#[actix::test]
async fn the_second_of_a_race_is_not_asked_where_the_first_speaks_within_its_head_start() {
    tokio::time::pause();
    let bench = Bench::start(race(1_000), &[("a", &[Act::Say(990, "soon")]), ("b", &[Act::Mute])]);
    let heard = bench.ask("hi").await;
    assert_eq!((heard.text.as_str(), bench.times()), ("soon", times([("a", 0)])));
    assert_eq!(bench.due(), [("a".into(), 10, 5, false)]);
}

#[actix::test]
async fn thinking_does_not_win_a_race() {
    tokio::time::pause();
    let bench = Bench::start(race(0), &[("a", &[Act::Think(9_000, "deep")]), ("b", &[Act::Say(400, "plain")])]);
    let heard = bench.ask("hi").await;
    assert_eq!((heard.text.as_str(), heard.first), ("plain", Some(400)));
    assert_eq!(bench.due()[0], ("a".into(), HI, 1, true), "what it thought is reckoned too");
}

#[actix::test]
async fn one_that_fails_in_a_race_is_replaced_at_once_and_no_more_run_than_may() {
    tokio::time::pause();
    let acts: [(&str, &[Act]); 4] = [
        ("a", &[Act::Mute]),
        ("b", &[Act::Refuse(100)]),
        ("c", &[Act::Say(200, "third")]),
        ("d", &[Act::Say(1, "never asked")]),
    ];
    let bench = Bench::start(race(1_000), &acts);
    let heard = bench.ask("hi").await;
    assert_eq!((heard.text.as_str(), heard.first), ("third", Some(1_300)));
    assert_eq!(bench.times(), times([("a", 0), ("b", 1_000), ("c", 1_100)]));
    let due = bench.due();
    assert_eq!(due.len(), 2, "one that was refused costs nothing: {due:?}");
}

#[actix::test]
async fn a_race_that_all_lose_tries_the_last_one_three_times_and_then_says_why() {
    tokio::time::pause();
    let bench = Bench::start(race(0), &[("a", &[Act::Refuse(10)]), ("b", &[Act::Refuse(20)])]);
    let heard = bench.ask("hi").await;
    assert_eq!((heard.failed, heard.first), (Some(Code::ProviderUnreachable), None));
    let asked: Vec<_> = bench.times().into_iter().map(|(model, _)| model).collect();
    assert_eq!(asked, ["a", "b", "b", "b"]);
    assert!(bench.due().is_empty());
}

#[actix::test]
async fn a_winner_that_breaks_off_is_followed_by_nobody() {
    tokio::time::pause();
    let bench = Bench::start(race(0), &[("a", &[Act::Break(10)]), ("b", &[Act::Say(50, "too late")])]);
    let heard = bench.ask("hi").await;
    assert_eq!((heard.text.as_str(), heard.failed), ("half ", Some(Code::ProviderBadAnswer)));
    assert_eq!(bench.times().len(), 2, "nobody is asked again");
}

#[actix::test]
async fn a_comparison_shows_each_answer_whole_in_order_with_name_time_and_price() {
    tokio::time::pause();
    let acts: [(&str, &[Act]); 3] =
        [("a", &[Act::Say(1_000, "one and one")]), ("b", &[Act::Say(100, "two")]), ("c", &[Act::Say(700, "three")])];
    let bench = Bench::start(compare(), &acts);
    let heard = bench.ask("hi").await;
    assert_eq!(
        heard.text,
        "### lab/a\n\none and one\n\n_2.0 s · $0.000020_\n\n### lab/b\n\ntwo\n\n_0.2 s · $0.000020_\n\n\
         ### lab/c\n\nthree\n\n_1.4 s · $0.000020_"
    );
    assert_eq!(heard.first, Some(1_000), "the first is shown as it speaks");
    assert_eq!(bench.times(), times([("a", 0), ("b", 0), ("c", 0)]));
    let usage = Usage::new(30, 15);
    assert_eq!(heard.usage, Some(usage), "all of them together");
    assert_eq!(bench.due().len(), 3);
}

#[actix::test]
async fn a_comparison_says_who_did_not_answer_and_fails_only_where_nobody_did() {
    tokio::time::pause();
    let bench = Bench::start(compare(), &[("a", &[Act::Refuse(1)]), ("b", &[Act::Say(1, "here")])]);
    let heard = bench.ask("hi").await;
    assert!(heard.text.starts_with("### lab/a\n\nNo answer (provider_unreachable): "), "{}", heard.text);
    assert!(heard.text.contains("\n\n### lab/b\n\nhere\n\n_"), "{}", heard.text);
    assert_eq!(bench.times().len(), 4, "each is as stubborn as an only model");

    let bench = Bench::start(compare(), &[("a", &[Act::Refuse(1)]), ("b", &[Act::Refuse(1)])]);
    assert_eq!(bench.ask("hi").await.failed, Some(Code::ProviderUnreachable));
}

#[actix::test]
async fn a_panel_is_answered_by_its_judge_who_is_told_all_answers_and_the_question() {
    tokio::time::pause();
    let acts: [(&str, &[Act]); 3] = [
        ("a", &[Act::Say(100, "yes, surely"), Act::Say(10, "Both. Disagreement: b holds no.")]),
        ("b", &[Act::Say(300, "no")]),
        ("c", &[Act::Refuse(1)]),
    ];
    let bench = Bench::start(panel(), &acts);
    let heard = bench.ask("hi").await;
    assert_eq!(heard.text, "Both. Disagreement: b holds no.", "only the judge is heard");
    let asked = bench.asked();
    let judged: Vec<_> = asked.iter().filter(|asked| asked.text != "hi").collect();
    assert_eq!(judged.len(), 1);
    assert_eq!(judged[0].model, "a");
    for told in ["yes, surely", "--- lab/a ---", "--- lab/b ---\nno\n--- end of lab/b ---", "Disagreement:"] {
        assert!(judged[0].text.contains(told), "{told}: {}", judged[0].text);
    }
    assert_eq!(bench.due().iter().map(|due| due.1).sum::<u64>(), 30, "two who answered, and the judge");
}

#[actix::test]
async fn a_panel_of_one_answer_needs_no_judge_and_one_without_a_judge_shows_its_first_answer() {
    tokio::time::pause();
    let bench = Bench::start(panel(), &[("a", &[Act::Refuse(1)]), ("b", &[Act::Say(10, "alone")])]);
    assert_eq!(bench.ask("hi").await.text, "alone");
    assert!(bench.asked().iter().all(|asked| asked.text == "hi"), "nobody was asked to judge");

    let acts: [(&str, &[Act]); 2] =
        [("a", &[Act::Say(1, "first"), Act::Refuse(1)]), ("b", &[Act::Say(1, "second"), Act::Refuse(1)])];
    let bench = Bench::start(panel(), &acts);
    assert_eq!(bench.ask("hi").await.text, "first", "nobody could judge");
}

#[actix::test]
async fn what_is_known_of_a_panel_is_not_asked_again() {
    tokio::time::pause();
    let acts: [(&str, &[Act]); 3] =
        [("a", &[Act::Say(1, "the verdict")]), ("b", &[Act::Say(1, "new")]), ("c", &[Act::Say(1, "new too")])];
    let known = |number: u32, name: &str| EventBody::StepFinished {
        kind: StepKind::Model,
        name: name.to_owned(),
        ok: true,
        part: Some(Box::new(Part {
            number,
            ms: 5,
            usage: Usage::default(),
            cost_usd: None,
            estimated: false,
            text: Some("known before".to_owned()),
            code: None,
            saw: 0,
        })),
        tool: None,
    };
    let bench = Bench::start(panel(), &acts);
    // The third is of a model that is configured no more.
    let parts = vec![known(1, "lab/a"), known(2, "lab/b"), known(3, "lab/z")];
    assert_eq!(bench.ask_knowing("hi", parts).await.text, "the verdict");
    let asked: Vec<_> = bench.asked().into_iter().filter(|asked| asked.text == "hi").map(|asked| asked.model).collect();
    assert_eq!(asked, ["c"]);
}

#[actix::test]
async fn who_leaves_cuts_all_of_them_off_and_pays_for_what_was_asked() {
    tokio::time::pause();
    for fanout in [race(0), compare(), panel()] {
        let bench = Bench::start(fanout.clone(), &[("a", &[Act::Mute]), ("b", &[Act::Mute])]);
        let pieces = bench.begin("hi", Vec::new()).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(pieces);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(bench.cut().len(), 2, "{fanout:?}");
        let due = bench.due();
        assert_eq!(due, [("a".into(), HI, 0, true), ("b".into(), HI, 0, true)], "{fanout:?}");
    }
}

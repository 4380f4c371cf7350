//! Answers that are given again, where an agent wants it.

use mosaic::gateway::hash_of;
use mosaic::outside;
use mosaic_testkit::{StandIn, Step};
use mosaic_types::UserRole;
use mosaic_types::journal::{NewToken, NewUser, Write};
use serde_json::{Value, json};

use crate::testbed::{Api, Testbed};

async fn bed(model: &StandIn, agent: &str) -> Testbed {
    let mut bed = Testbed::asleep(StandIn::builder());
    bed.write_config(&format!(
        "default_agent = \"assistant\"\ndetect = false\n[gateway]\nbind = \"127.0.0.1:0\"\n[store]\nurl = {:?}\n\
         [providers.lab]\nbase_url = \"{}\"\nmodels.m = {{ input_usd_per_mtok = 1.0, output_usd_per_mtok = 2.0 }}\n\
         [agents.assistant]\nmodels = [\"lab/m\"]\n{agent}\n",
        bed.store_url(),
        model.base_url()
    ));
    bed.restart().await;
    bed
}

async fn asked(api: &Api, text: &str) -> (Value, String) {
    let session = api.session().await;
    let answer = api.ask(&session, text).await;
    (answer, session)
}

/// Another person than the owner.
async fn another(bed: &mut Testbed) -> Api {
    bed.stop().await;
    let outside = outside::system();
    let (user, at) = (outside.user_id(), outside.now());
    let row = NewUser { id: user, name: "bob".into(), role: UserRole::Member, at };
    let (id, hash) = (outside.token_id(), hash_of("bobs-token"));
    let token = NewToken { id, user, name: String::new(), role: UserRole::Member, hash, at, expires_at: None };
    let store = mosaic_store::open(&bed.store_url(), bed.home()).await.expect("the store opens");
    for written in store.commit(vec![Write::CreateUser(row), Write::CreateToken(token)]).await.expect("a batch") {
        written.expect("it is written");
    }
    drop(store);
    bed.restart().await;
    bed.api().bearing("bobs-token")
}

#[tokio::test]
async fn the_same_question_is_answered_again_at_no_cost_and_another_is_not() {
    let model = StandIn::start(["one", "two", "three"].map(Step::say));
    let bed = bed(&model, "reuse = true").await;
    let api = bed.api();
    let (first, session) = asked(&api, "what is it?").await;
    let (again, _) = asked(&api, "what is it?").await;
    assert_eq!((&first["text"], &again["text"]), (&json!("one"), &json!("one")));
    assert_eq!((&first["route_reason"], &again["cost_usd"]), (&json!("first choice"), &json!(0.0)));
    assert!(again["route_reason"].as_str().is_some_and(|why| why.starts_with("reused: ")), "{again}");
    assert_eq!(again["usage"], json!({"input_tokens": 0, "output_tokens": 0}));
    assert_eq!(model.progress().calls, 1);
    let ledger = api.get("/api/v1/usage").await;
    assert_eq!((&ledger["items"][0]["turns"], &ledger["items"][0]["calls"]), (&json!(2), &json!(1)));

    // Who asks again was not content.
    let retried = api.send("POST", &format!("/api/v1/sessions/{session}/retry"), json!({})).await;
    assert!(retried.status() < 300, "{}", retried.text());
    api.settled(&session).await;
    assert_eq!(api.transcript(&session).await.last().expect("an answer").1, "two");
    assert_eq!(asked(&api, "what is it?").await.0["text"], "two", "the newer answer stands");
    assert_eq!(asked(&api, "what is this?").await.0["text"], "three");
    assert_eq!(model.progress().calls, 3);
}

#[tokio::test]
async fn no_answer_is_given_to_another_user_and_none_that_was_cut_off_or_failed() {
    let model = StandIn::start([Step::truncate("half of it"), Step::say("mine"), Step::say("theirs")]);
    let mut bed = bed(&model, "reuse = true").await;
    let other = another(&mut bed).await;
    let session = bed.api().session().await;
    assert_eq!(bed.api().submit(&session, "?wait=true", &[], "tell me").await.status(), 502, "it was cut off");
    assert_eq!(asked(&bed.api(), "tell me").await.0["text"], "mine");
    assert_eq!(asked(&other, "tell me").await.0["text"], "theirs");
    assert_eq!(asked(&bed.api(), "tell me").await.0["text"], "mine");
    assert_eq!(asked(&other, "tell me").await.0["text"], "theirs");
    assert_eq!(model.progress().calls, 3);
}

#[tokio::test]
async fn nothing_is_given_again_unless_an_agent_wants_it() {
    let model = StandIn::builder().always(Step::say("yes")).start();
    let bed = bed(&model, "").await;
    for _ in 0..2 {
        asked(&bed.api(), "the same").await;
    }
    assert_eq!(model.progress().calls, 2);
}

//! More people than one: added, given ways in, told apart and removed.

use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};

use crate::testbed::{Testbed, Wire, eventually, refusal, run, soon};

/// The names of those who are known, with their roles.
async fn users(bed: &Testbed) -> Vec<(String, String)> {
    let users = bed.api().get("/api/v1/users").await;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    users["items"].as_array().expect("a list").iter().map(|user| (text(&user["name"]), text(&user["role"]))).collect()
}

async fn good(bed: &Testbed, args: &[&str]) -> String {
    let ended = run(bed.command(args), "").await;
    assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
    ended.stdout
}

/// A token as it is printed.
async fn token(bed: &Testbed, args: &[&str]) -> String {
    let args: Vec<&str> = ["token", "create"].iter().chain(args).copied().collect();
    good(bed, &args).await.trim().to_owned()
}

#[tokio::test]
async fn people_are_added_by_name_and_each_sees_what_is_theirs() {
    let bed = Testbed::start().await;
    assert_eq!(good(&bed, &["users", "add", "bob"]).await, "Added bob, a member.\n");
    let taken = run(bed.command(&["users", "add", "BOB", "--role", "viewer"]), "").await;
    assert!(taken.code == Some(1) && taken.stderr.contains("There is a user BOB already"), "{taken:?}");
    for name in ["", "bob smith", &"x".repeat(65)] {
        let refused = bed.api().send("POST", "/api/v1/users", json!({"name": name})).await;
        assert_eq!(refusal(&refused), (400, "bad_request".to_owned()), "{name:?}");
        assert!(refused.text().contains("1 to 64 characters"), "{}", refused.text());
    }
    let listed = good(&bed, &["users", "list"]).await;
    assert!(listed.contains("owner") && listed.contains("bob") && listed.contains("member"), "{listed}");

    let ada = bed.api();
    let bob = bed.api().bearing(&token(&bed, &["--user", "Bob"]).await);
    assert_eq!(
        (&bob.get("/api/v1/me").await["name"], &ada.get("/api/v1/me").await["name"]),
        (&json!("bob"), &json!("owner"))
    );
    assert_eq!(bob.get("/api/v1/me").await["role"], "member");
    let whoami = good(&bed, &["whoami", "--url", &format!("http://{}", bed.address()), "--token", bob.token()]).await;
    assert!(whoami.contains("user    bob ("), "{whoami}");
    let (hers, his) = (ada.session().await, bob.session().await);
    ada.ask(&hers, "hello").await;
    bob.ask(&his, "hello").await;
    for (who, other) in [(&ada, &his), (&bob, &hers)] {
        let refused = who.request("GET", &format!("/api/v1/sessions/{other}"), &[], b"").await;
        assert_eq!(refusal(&refused), (404, "not_found".to_owned()), "what was said over the API is theirs alone");
    }
    // A role is bounded by the user's, and only owners speak for others.
    let higher = run(bed.command(&["token", "create", "--user", "bob", "--role", "owner"]), "").await;
    assert!(
        higher.code == Some(1) && higher.stderr.contains("higher role (owner) than its user (member)"),
        "{higher:?}"
    );
    let nobody = run(bed.command(&["token", "create", "--user", "eve"]), "").await;
    assert!(
        nobody.code == Some(1) && nobody.stderr.contains("There is no user eve. `mosaic users list`"),
        "{nobody:?}"
    );
    for (method, path, body) in [
        ("POST", "/api/v1/tokens", json!({"user": "owner"})),
        ("POST", "/api/v1/links", json!({"user": "owner"})),
        ("GET", "/api/v1/users", json!({})),
        ("POST", "/api/v1/users", json!({"name": "eve"})),
        ("GET", "/api/v1/audit", json!({})),
    ] {
        assert_eq!(refusal(&bob.send(method, path, body).await), (403, "forbidden".to_owned()), "{method} {path}");
    }
    let deeds = ada.get("/api/v1/audit").await;
    let newest: Vec<_> =
        deeds["items"].as_array().expect("a list").iter().map(|deed| (&deed["action"], &deed["by"])).collect();
    assert_eq!(newest, [(&json!("token.create"), &json!("owner")), (&json!("user.add"), &json!("owner"))]);
}

#[tokio::test]
async fn whoever_is_removed_is_out_at_once_and_what_they_left_is_the_owners() {
    let mut bed = Testbed::with(StandIn::builder().always(Step::Stall)).await;
    good(&bed, &["users", "add", "bob"]).await;
    let bob = bed.api().bearing(&token(&bed, &["--user", "bob"]).await);
    let url = good(&bed, &["link", "--user", "bob"]).await;
    let claim = async |url: &str| {
        let code = url.trim().split_once('#').expect("a code").1;
        bed.api().bearing("").send("POST", "/claim", json!({"code": code})).await
    };
    let claimed = claim(&url).await;
    assert_eq!(claimed.status(), 200, "{}", claimed.text());
    assert_eq!(claimed.json::<Value>()["role"], "member");
    let cookie = claimed.header("set-cookie").and_then(|set| set.split(';').next()).expect("a cookie").to_owned();
    let unused = good(&bed, &["link", "--user", "bob"]).await;
    let me =
        async |bed: &Testbed| bed.api().bearing("").request("GET", "/api/v1/me", &[("cookie", &cookie)], b"").await;
    let session = bob.session().await;
    let turn = bob.say(&session, "hello").await;
    eventually("it is asked", || async { (bed.model.progress().calls == 1).then_some(()) }).await;
    let (mut wire, _) = Wire::ready(bed.address(), bob.token()).await;
    wire.subscribe(&session, 0).await;

    assert!(good(&bed, &["users", "remove", "Bob"]).await.starts_with("Removed bob."));
    assert_eq!(soon("the socket's end", wire.closed()).await.0, 4401);
    assert_eq!(refusal(&bob.send("GET", "/api/v1/me", json!({})).await), (401, "unauthorized".to_owned()));
    assert_eq!(claim(&unused).await.status(), 401, "his link signs nobody in");
    assert_eq!(users(&bed).await, [("owner".to_owned(), "owner".to_owned())]);
    let ada = bed.api();
    let journal = ada.journal(&session).await;
    let end = journal.last().expect("events");
    assert_eq!((&end["type"], &end["turn"]), (&json!("turn.cancelled"), &json!(turn)), "{journal:?}");
    assert_eq!(ada.get("/api/v1/sessions").await["items"][0]["id"], json!(session));
    let again = run(bed.command(&["users", "remove", "bob"]), "").await;
    assert!(again.code == Some(1) && again.stderr.contains("There is no user bob"), "{again:?}");
    for last in [&["users", "remove", "owner"][..], &["users", "role", "owner", "member"]] {
        let kept = run(bed.command(last), "").await;
        assert!(kept.code == Some(1) && kept.stderr.contains("This is the only owner"), "{kept:?}");
    }
    bed.kill9().await;
    bed.restart().await;
    let bob = bed.api().bearing(bob.token());
    assert_eq!(refusal(&bob.send("GET", "/api/v1/me", json!({})).await).0, 401);
    assert_eq!(me(&bed).await.status(), 401, "nor is his browser signed in");
}

#[tokio::test]
async fn people_are_added_and_removed_without_a_daemon() {
    let mut bed = Testbed::asleep(StandIn::builder());
    assert_eq!(good(&bed, &["users", "add", "bob", "--role", "viewer"]).await, "Added bob, a viewer.\n");
    let taken = run(bed.command(&["users", "add", "Bob"]), "").await;
    assert!(taken.code == Some(1) && taken.stderr.contains("There is a user Bob already"), "{taken:?}");
    let higher = run(bed.command(&["token", "create", "--user", "bob", "--role", "member"]), "").await;
    assert!(higher.code == Some(1) && higher.stderr.contains("than its user (viewer)"), "{higher:?}");
    let (his, hers) = (token(&bed, &["--user", "bob"]).await, token(&bed, &[]).await);
    for last in [&["users", "remove", "owner"][..], &["users", "role", "owner", "member"]] {
        let kept = run(bed.command(last), "").await;
        assert!(kept.code == Some(1) && kept.stderr.contains("This is the only owner"), "{kept:?}");
    }
    bed.restart().await;
    assert_eq!(bed.api().bearing(&his).get("/api/v1/me").await["role"], "viewer");
    assert!(bed.stop().await.success());
    good(&bed, &["users", "remove", "bob"]).await;
    bed.restart().await;
    assert_eq!(bed.api().bearing(&his).send("GET", "/api/v1/me", json!({})).await.status(), 401);
    assert_eq!(bed.api().bearing(&hers).get("/api/v1/me").await["name"], "owner");
}

#[tokio::test]
async fn whose_role_shrinks_loses_it_at_once_with_all_that_was_made_for_them() {
    let mut bed = Testbed::start().await;
    good(&bed, &["users", "add", "bob", "--role", "owner"]).await;
    let (much, little) =
        (token(&bed, &["--user", "bob"]).await, token(&bed, &["--user", "bob", "--role", "viewer"]).await);
    let bob = bed.api().bearing(&much);
    let session = bob.session().await;
    let (mut wire, _) = Wire::ready(bed.address(), &much).await;
    let (mut reads, _) = Wire::ready(bed.address(), &little).await;

    assert_eq!(good(&bed, &["users", "role", "Bob", "member"]).await, "bob is now: member.\n");
    assert_eq!(soon("the socket's end", wire.closed()).await, (4403, "the role has changed; connect again".to_owned()));
    let (_, ready) = Wire::ready(bed.address(), &much).await;
    assert_eq!(ready["role"], "member", "the same token lets in for less");
    assert_eq!(refusal(&bob.send("GET", "/api/v1/users", json!({})).await), (403, "forbidden".to_owned()));
    bob.ask(&session, "hello").await;
    good(&bed, &["users", "role", "bob", "viewer"]).await;
    let late = bob.send("POST", &format!("/api/v1/sessions/{session}/messages"), json!({"text": "again"})).await;
    assert_eq!(refusal(&late), (403, "forbidden".to_owned()));
    // What could do no more than that was not concerned.
    reads.subscribe(&session, 0).await;

    // More is for what is made from now on.
    let grown = run(bed.command(&["users", "role", "bob", "owner"]), "").await;
    assert!(grown.stderr.contains("mosaic token create --user bob"), "{grown:?}");
    assert_eq!(bob.get("/api/v1/me").await["role"], "viewer");
    let new = bob.bearing(&token(&bed, &["--user", "bob"]).await);
    assert_eq!(new.get("/api/v1/me").await["role"], "owner");
    let roles: Vec<String> = {
        let deeds = bed.api().get("/api/v1/audit").await;
        let deeds = deeds["items"].as_array().expect("a list").clone();
        let subject = |deed: &Value| deed["subject"].as_str().map(str::to_owned);
        deeds.iter().filter(|deed| deed["action"] == "user.role").filter_map(subject).collect()
    };
    assert_eq!(roles, ["bob: owner", "bob: viewer", "bob: member"]);
    for (body, code) in [(json!({"role": "king"}), 400), (json!({}), 400), (json!({"role": "owner", "name": "x"}), 400)]
    {
        let users = bed.api().get("/api/v1/users").await;
        let path = format!("/api/v1/users/{}", users["items"][1]["id"].as_str().expect("an id"));
        assert_eq!(bed.api().send("PATCH", &path, body.clone()).await.status(), code, "{body}");
    }
    bed.kill9().await;
    bed.restart().await;
    let role = async |token: &str| bed.api().bearing(token).get("/api/v1/me").await["role"].clone();
    assert_eq!((role(&much).await, role(new.token()).await), (json!("viewer"), json!("owner")));
}

#[tokio::test]
async fn the_home_goes_over_to_the_next_owner_and_the_last_one_stays() {
    let mut bed = Testbed::start().await;
    let ada = bed.api();
    let session = ada.session().await;
    good(&bed, &["users", "add", "bob"]).await;
    good(&bed, &["users", "role", "bob", "owner"]).await;
    let (mut wire, _) = Wire::ready(bed.address(), ada.token()).await;
    // The owner of the home steps down: its own token is the next owner's.
    good(&bed, &["users", "role", "owner", "member"]).await;
    assert_eq!(soon("the socket's end", wire.closed()).await.0, 4403);
    assert_eq!(ada.get("/api/v1/me").await["name"], "bob");
    assert_eq!(ada.get("/api/v1/me").await["role"], "owner");
    let kept = run(bed.command(&["users", "role", "bob", "member"]), "").await;
    assert!(kept.code == Some(1) && kept.stderr.contains("Make somebody else an owner first"), "{kept:?}");
    // And up again, and out: what was theirs is bob's.
    good(&bed, &["users", "role", "owner", "owner"]).await;
    assert_eq!(ada.get("/api/v1/me").await["name"], "owner");
    assert!(good(&bed, &["users", "remove", "owner"]).await.starts_with("Removed owner."));
    assert_eq!(users(&bed).await, [("bob".to_owned(), "owner".to_owned())]);
    assert_eq!(ada.get("/api/v1/sessions").await["items"][0]["id"], json!(session));
    ada.ask(&session, "hello").await;
    for last in [&["users", "remove", "bob"][..], &["users", "role", "bob", "viewer"]] {
        let kept = run(bed.command(last), "").await;
        assert!(kept.code == Some(1) && kept.stderr.contains("This is the only owner"), "{kept:?}");
    }
    bed.kill9().await;
    bed.restart().await;
    assert_eq!(bed.api().get("/api/v1/me").await["name"], "bob");
}

#[tokio::test]
async fn roles_are_changed_without_a_daemon_too() {
    let mut bed = Testbed::asleep(StandIn::builder());
    good(&bed, &["users", "add", "bob", "--role", "owner"]).await;
    let his = token(&bed, &["--user", "bob"]).await;
    good(&bed, &["users", "role", "bob", "viewer"]).await;
    let nobody = run(bed.command(&["users", "role", "eve", "viewer"]), "").await;
    assert!(nobody.code == Some(1) && nobody.stderr.contains("There is no user eve"), "{nobody:?}");
    bed.restart().await;
    assert_eq!(bed.api().bearing(&his).get("/api/v1/me").await["role"], "viewer");
    assert!(bed.stop().await.success());
    good(&bed, &["users", "role", "bob", "owner"]).await;
    good(&bed, &["users", "remove", "owner"]).await;
    bed.restart().await;
    assert_eq!(bed.api().get("/api/v1/me").await["name"], "bob", "the home's own token is its owner's");
}

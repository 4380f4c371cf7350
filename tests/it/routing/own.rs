//! Rules of one's own: made, changed and removed, and refused where they cannot be.

use mosaic_testkit::StandIn;
use serde_json::{Value, json};

use super::{CODE, always, configure, who};
use crate::testbed::{Testbed, run};

fn id_of(made: &Value) -> String {
    made["id"].as_str().expect("an id").to_owned()
}

/// Names of the rules in a list, in its order.
fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().expect("a list").iter().filter_map(|item| item["rule"]["name"].as_str()).collect()
}

#[tokio::test]
async fn a_persons_own_rules_go_before_those_of_the_config_and_change_what_comes_next() {
    let [mine, theirs, own] = ["mine", "theirs", "own"].map(always);
    let mut bed = Testbed::asleep(StandIn::builder());
    let rule = "[[routing.rules]]\nname = \"all\"\nmodels = [\"theirs/m\"]\n";
    configure(&bed, &[("mine", &mine), ("theirs", &theirs), ("own", &own)], rule);
    bed.restart().await;
    let api = bed.api();
    let session = api.session().await;
    assert_eq!(who(&api.ask(&session, "hello").await).0, "theirs");

    let rules = "/api/v1/routing/rules";
    let code = json!({"name": "code", "task": ["code"], "models": ["mine/m"]});
    let made = api.send("POST", rules, code.clone()).await;
    assert_eq!(made.status(), 201);
    let made: Value = made.json();
    assert_eq!((&made["position"], &made["source"]), (&json!(1), &json!("user")));
    // In the session that is awake already, and in a call that no session keeps.
    let answer = api.ask(&session, CODE).await;
    let why = "your rule \"code\": task is code (a code fence, the word “fix”, the word “rust”)";
    assert_eq!(who(&answer), ("mine", why));
    let call = json!({"model": "assistant", "messages": [{"role": "user", "content": CODE}]});
    let stateless: Value = api.send("POST", "/v1/chat/completions", call).await.json();
    assert_eq!(stateless["choices"][0]["message"]["content"], "mine");
    assert_eq!(who(&api.ask(&session, "hello").await).0, "theirs");

    let night = json!({"name": "short", "max_chars": 10, "strategy": "race"});
    let short = id_of(&api.send("POST", rules, night).await.json());
    let path = format!("{rules}/{short}");
    let moved: Value = api.send("PATCH", &path, json!({"position": 1, "max_chars": null, "min_chars": 3})).await.json();
    assert_eq!(
        (&moved["position"], &moved["rule"]["min_chars"], moved["rule"].get("max_chars")),
        (&json!(1), &json!(3), None)
    );
    assert_eq!(names(&api.get(rules).await), ["short", "code"]);
    let effective = api.get(&format!("{rules}/effective")).await;
    assert_eq!(names(&effective), ["short", "code", "all"]);
    let told = |at: usize, key: &str| effective["items"][at][key].clone();
    assert_eq!((told(0, "source"), told(2, "source"), told(2, "id")), (json!("user"), json!("config"), Value::Null));
    assert_eq!((told(0, "does"), told(2, "does")), (json!("asks the agent's models by race"), json!("asks theirs/m")));
    let listed = run(bed.command(&["route", "list"]), "").await.good();
    assert!(
        listed.lines().nth(1).is_some_and(|line| line.starts_with("1  short  user    3 characters or more  ")
            && line.ends_with("asks the agent's models by race")),
        "{listed}"
    );
    assert_eq!(who(&api.ask(&session, CODE).await), ("own", "your rule \"short\": 44 characters"));
    api.send("PATCH", &path, json!({"enabled": false})).await;
    assert_eq!(api.get(&format!("{rules}/effective")).await["items"][0]["off"], "it is switched off");
    assert_eq!(who(&api.ask(&session, CODE).await).0, "mine");

    // They are there after a kill, and nobody else's.
    bed.kill9().await;
    bed.restart().await;
    let api = bed.api();
    assert_eq!(names(&api.get(rules).await), ["short", "code"]);
    assert_eq!(who(&api.ask(&session, CODE).await).0, "mine");
    assert_eq!(api.send("DELETE", &format!("{rules}/{}", id_of(&made)), Value::Null).await.status(), 204);
    assert_eq!(names(&api.get(rules).await), ["short"]);
    assert_eq!(who(&api.ask(&session, CODE).await).0, "theirs");
}

#[tokio::test]
async fn a_rule_of_ones_own_is_made_changed_and_removed_on_the_command_line() {
    let [mine, own] = ["mine", "own"].map(always);
    let mut bed = Testbed::asleep(StandIn::builder());
    let rule = "[[routing.rules]]\nname = \"all\"\nmodels = [\"own/m\"]\n";
    configure(&bed, &[("mine", &mine), ("own", &own)], rule);
    let away = run(bed.command(&["route", "add", "code", "--strategy", "race"]), "").await;
    assert_eq!(away.code, Some(69), "it is kept by a daemon: {}", away.stderr);
    bed.restart().await;
    let say = async |args: &[&str]| {
        let args: Vec<&str> = ["route"].iter().chain(args).copied().collect();
        run(bed.command(&args), "").await
    };
    let good = async |args: &[&str]| {
        let said = say(args).await;
        assert_eq!(said.code, Some(0), "{args:?}: {}", said.stderr);
        said.stdout
    };
    good(&["add", "code", "--task", "code", "--task", "maths", "--model", "mine/m", "--channel", "api"]).await;
    good(&[
        "add",
        "late",
        "--hours",
        "22:00-06:00",
        "--days",
        "sat",
        "--timezone",
        "Europe/Berlin",
        "--strategy",
        "race",
    ])
    .await;
    let session = bed.api().session().await;
    assert_eq!(who(&bed.api().ask(&session, CODE).await).0, "mine");
    let listed = good(&["list"]).await;
    for word in ["1  code  user    ", "maths", "asks mine/m", "22:00-06:00", "Europe/Berlin", "sat"] {
        assert!(listed.contains(word), "{word}\n{listed}");
    }
    good(&["edit", "late", "--rename", "always", "--position", "1", "--clear", "hours", "--clear", "days"]).await;
    good(&["edit", "code", "--off"]).await;
    let listed = good(&["list"]).await;
    assert!(listed.contains("1  always  user    always") && listed.contains("nothing: it is switched off"), "{listed}");
    assert!(!listed.contains("22:00"), "{listed}");
    for (args, code, told) in [
        (&["remove", "all"][..], 1, "stands in the config"),
        (&["remove", "none"], 1, "rule"),
        (&["edit", "code"], 2, "--off"),
        (&["edit", "code", "--hours", "22:00-06:00", "--clear", "hours"], 2, "at once"),
        (&["edit", "code", "--channel", "telegram"], 1, "There is no channel telegram. Those there are: api."),
        (&["add", "code", "--model", "mine/m"], 1, "another name"),
    ] {
        let said = say(args).await;
        assert!(said.code == Some(code) && said.stderr.contains(told), "{args:?}: {:?} {}", said.code, said.stderr);
    }
    good(&["remove", "always"]).await;
    assert_eq!(names(&bed.api().get("/api/v1/routing/rules").await), ["code"]);
}

#[tokio::test]
async fn a_rule_that_cannot_be_is_refused_with_what_would_be_right() {
    let own = always("own");
    let mut bed = Testbed::asleep(StandIn::builder());
    configure(&bed, &[("own", &own)], "");
    bed.restart().await;
    let api = bed.api();
    let rules = "/api/v1/routing/rules";
    let good = json!({"name": "a", "models": ["own/m"]});
    let made: Value = api.send("POST", rules, good.clone()).await.json();
    let path = format!("{rules}/{}", id_of(&made));
    for (method, path, body, status, says) in [
        ("POST", rules, json!({"name": "b"}), 400, "models: a rule says which models answer, or by which strategy."),
        ("POST", rules, json!({"name": "b", "models": ["nobody/m"]}), 404, "There is no provider nobody for nobody/m."),
        ("POST", rules, json!({"name": "b", "models": ["own/m"], "agent": ["poet"]}), 404, "There is no agent poet."),
        (
            "POST",
            rules,
            json!({"name": "b", "models": ["own/m"], "task": ["cod"]}),
            400,
            "\"cod\": did you mean \"code\"?",
        ),
        ("POST", rules, json!({"name": "b", "models": ["own/m"], "houers": "1"}), 400, "unknown field `houers`"),
        ("POST", rules, json!({"name": "b", "models": ["own/m"], "hours": "22-6"}), 400, "as in \"22:00-06:00\""),
        ("POST", rules, good, 409, "You have a rule a already."),
        ("PATCH", &path, json!({"models": []}), 400, "which models answer"),
        ("PATCH", &path, json!({"position": 0}), 400, "position is 1 for the first rule"),
        ("PATCH", &format!("{rules}/nothing"), json!({}), 404, "There is no rule by that name"),
        (
            "DELETE",
            &format!("{rules}/01900000-0000-7000-8000-000000000000"),
            Value::Null,
            404,
            "There is no rule by that name",
        ),
    ] {
        let answer = api.send(method, path, body.clone()).await;
        assert!(
            answer.status() == status && answer.text().contains(&says.replace('"', "\\\"")),
            "{body}: {}",
            answer.text()
        );
    }
    // The hundred and first is refused, and what is there can still be changed.
    for n in 2..=100 {
        let made = api.send("POST", rules, json!({"name": format!("r{n}"), "strategy": "race"})).await;
        assert_eq!(made.status(), 201, "{n}");
    }
    let refused = api.send("POST", rules, json!({"name": "more", "strategy": "race"})).await;
    assert!(refused.status() == 400 && refused.text().contains("You have 100 rules already"), "{}", refused.text());
    assert_eq!(api.send("PATCH", &path, json!({"position": 100})).await.status(), 200);
    assert_eq!(names(&api.get(rules).await).last(), Some(&"a"));
}

//! The daemon ends TLS itself, and its own command line reaches it.

use mosaic_testkit::StandIn;
use mosaic_testkit::http::Client;
use reqwest::tls::Version;
use reqwest::{Certificate, ClientBuilder};
use serde_json::Value;

use crate::testbed::{Testbed, run, soon};

/// A daemon with a certificate for `localhost` that nobody vouches for; answers also that certificate.
async fn with_tls(bind: &str) -> (Testbed, String) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut bed = Testbed::asleep(StandIn::builder());
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a pair");
    let keep = |name: &str, text: &str| std::fs::write(bed.home().join(name), text).expect("written");
    keep("cert.pem", &pair.cert.pem());
    keep("key.pem", &pair.signing_key.serialize_pem());
    let table =
        format!("[gateway]\nbind = \"{bind}\"\n[gateway.tls]\ncert_file = \"cert.pem\"\nkey_file = \"key.pem\"\n");
    bed.configure(&table);
    bed.restart().await;
    (bed, pair.cert.pem())
}

fn client(pem: &str) -> ClientBuilder {
    let trusted = Certificate::from_pem(pem.as_bytes()).expect("a certificate");
    reqwest::Client::builder().no_proxy().tls_certs_only([trusted])
}

#[tokio::test]
async fn whoever_trusts_its_certificate_reaches_it_over_tls_and_nobody_without() {
    let (bed, pem) = with_tls("0.0.0.0:0").await;
    let port = bed.address().port();
    let url = format!("https://localhost:{port}/api/v1/me");
    for (version, name) in [(Version::TLS_1_2, "1.2"), (Version::TLS_1_3, "1.3")] {
        let only = client(&pem).tls_version_min(version).tls_version_max(version).build().expect("a client");
        let asked = only.get(&url).bearer_auth(bed.token()).send();
        let answer = soon("an answer", asked).await.unwrap_or_else(|error| panic!("TLS {name}: {error:?}"));
        assert_eq!((answer.status().as_u16(), answer.version()), (200, reqwest::Version::HTTP_11), "TLS {name}");
        let me: Value = answer.json().await.expect("JSON");
        assert_eq!(me["role"], "owner");
    }
    let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a pair").cert.pem();
    let refused = client(&stranger).build().expect("a client").get(&url).send().await;
    assert!(refused.is_err(), "another certificate is not trusted");
    let mut plain = Client::connect(bed.address()).await.expect("it listens");
    let refused = soon("an end", plain.request("GET", "/healthz", &[], b"")).await;
    assert!(refused.is_err(), "nothing is said without TLS: {refused:?}");
}

#[tokio::test]
async fn the_command_line_of_the_home_trusts_its_own_daemon() {
    let (mut bed, pem) = with_tls("127.0.0.1:0").await;
    assert!(bed.greeting().contains(&format!("is ready at https://{}", bed.address())), "{}", bed.greeting());
    let me = run(bed.command(&["whoami"]), "").await.good();
    assert!(me.contains("owner") && me.contains("https://127.0.0.1:"), "{me}");
    assert_eq!(run(bed.command(&["chat", "hello"]), "").await.good(), "You said: hello\n");
    let link = run(bed.command(&["link"]), "").await.good();
    let code = link.trim().strip_prefix(&format!("https://{}/claim#", bed.address())).expect("its own address");
    let claim =
        client(&pem).build().expect("a client").post(format!("https://localhost:{}/claim", bed.address().port()));
    let claimed = claim.json(&serde_json::json!({"code": code})).send().await.expect("it answers");
    let cookie = claimed.headers().get("set-cookie").and_then(|cookie| cookie.to_str().ok()).expect("a cookie");
    assert!(claimed.status() == 200 && cookie.contains("; Secure"), "{cookie}");

    // From elsewhere: what the system trusts, which a variable can widen.
    let url = format!("https://localhost:{}", bed.address().port());
    let token = bed.token();
    let from_elsewhere = ["--url", url.as_str(), "--token", token.as_str(), "whoami"];
    let refused = run(bed.command(&from_elsewhere), "").await;
    assert_eq!(refused.code, Some(69), "{refused:?}");
    let mut trusting = bed.command(&from_elsewhere);
    trusting.env("SSL_CERT_FILE", bed.home().join("cert.pem"));
    assert!(run(trusting, "").await.good().contains("owner"));

    // Another certificate in the place of the one that was announced is not the home's daemon.
    let announced = bed.home().join("daemon.json");
    let mut told: Value = serde_json::from_slice(&std::fs::read(&announced).expect("announced")).expect("JSON");
    told["cert_sha256"] = "00".repeat(32).into();
    std::fs::write(&announced, told.to_string()).expect("written");
    let refused = run(bed.command(&["whoami"]), "").await;
    assert_eq!(refused.code, Some(69), "{refused:?}");
    bed.stop().await;
}

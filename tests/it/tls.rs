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
    assert!(refused.stderr.contains("Name its certificate") && refused.stderr.contains("SSL_CERT_FILE"), "{refused:?}");
    let plain = run(bed.command(&["--url", &url.replace("https", "http"), "--token", &token, "whoami"]), "").await;
    assert!(plain.stderr.contains(&format!("it seems to speak TLS. Ask {url} instead.")), "{plain:?}");
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

#[tokio::test]
async fn a_certificate_of_an_authority_and_a_daemon_without_tls_are_told_apart() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut bed = Testbed::asleep(StandIn::builder());
    // What `openssl req -x509` makes where it is not told otherwise.
    let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("a name");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().expect("a key");
    let cert = params.self_signed(&key).expect("a certificate");
    std::fs::write(bed.home().join("cert.pem"), cert.pem()).expect("written");
    std::fs::write(bed.home().join("key.pem"), key.serialize_pem()).expect("written");
    bed.configure(
        "[gateway]\nbind = \"127.0.0.1:0\"\n[gateway.tls]\ncert_file = \"cert.pem\"\nkey_file = \"key.pem\"\n",
    );
    bed.restart().await;
    let whoami = |url: String| {
        let mut command = bed.command(&["--url", &url, "--token", "msc_x", "whoami"]);
        command.env("SSL_CERT_FILE", bed.home().join("cert.pem"));
        run(command, "")
    };
    let refused = whoami(format!("https://localhost:{}", bed.address().port())).await;
    assert!(refused.stderr.contains("marked as an authority") && refused.stderr.contains("CA:FALSE"), "{refused:?}");
    // The stand-in for a model speaks plain HTTP, as a daemon without TLS does.
    let plain = bed.model.base_url();
    let plain = plain.strip_prefix("http://").and_then(|rest| rest.split('/').next()).expect("an address");
    let refused = whoami(format!("https://{plain}")).await;
    assert_eq!(refused.code, Some(69), "{refused:?}");
    assert!(refused.stderr.contains(&format!("plain HTTP. Ask http://{plain} instead.")), "{refused:?}");
    bed.stop().await;
}

//! `mosaic doctor`: what it sees of a running daemon that is not well, and what it says to do.

use mosaic_testkit::telegram::{Fault, TOKEN};
use mosaic_testkit::{StandIn, Step, Telegram};

use crate::testbed::{Testbed, eventually, run};

/// The lines of the report that begin with `state`, whatever they are of.
fn lines<'a>(report: &'a str, state: &str) -> Vec<&'a str> {
    report.lines().filter(|line| line.starts_with(state)).collect()
}

#[tokio::test]
async fn where_all_is_well_it_says_so_of_channels_and_agents_too() {
    let telegram = Telegram::start();
    let mut bed = Testbed::asleep(StandIn::builder().models(["m-1", "m-2"]));
    bed.set_env("FAMILY_TOKEN", TOKEN);
    bed.configure(&format!(
        "[channels.family]\nkind = \"telegram\"\ntoken_env = \"FAMILY_TOKEN\"\napi_url = \"{}\"\npoll = \"2s\"\n",
        telegram.url()
    ));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(bed.home(), std::fs::Permissions::from_mode(0o700)).expect("changed");
    }
    bed.restart().await;
    let report = eventually("the channel is healthy", || async {
        let report = run(bed.command(&["doctor"]), "").await;
        report.stdout.contains("healthy").then_some(report)
    })
    .await;
    let report = report.good();
    assert!(report.contains("known as @mosaic_bot") && report.contains("for assistant, poet"), "{report}");
    assert!(report.ends_with("\nAll is well.\n"), "{report}");
}

#[tokio::test]
async fn what_is_wrong_inside_the_running_daemon_is_told_with_what_to_do() {
    let telegram = Telegram::start();
    telegram.fail("getMe", std::iter::repeat_n(Fault::Refuse(401, "Unauthorized".to_owned()), 100));
    let model = StandIn::builder().models(["m"]).always(Step::status(401, "invalid_api_key", "No.")).start();
    let mut bed = Testbed::asleep(StandIn::builder());
    for (name, value) in [("FAMILY_TOKEN", TOKEN), ("LAB_A", "sk-aaaa-1"), ("LAB_B", "sk-bbbb-2")] {
        bed.set_env(name, value);
    }
    let config = format!(
        "default_agent = \"assistant\"\ndetect = false\n[gateway]\nbind = \"127.0.0.1:0\"\n[store]\nurl = {:?}\n\
         [channels.family]\nkind = \"telegram\"\ntoken_env = \"FAMILY_TOKEN\"\napi_url = \"{}\"\n\
         [providers.lab]\nbase_url = \"{}\"\napi_key_env = [\"LAB_A\", \"LAB_B\"]\n\
         [agents.assistant]\nmodels = [\"lab/m\"]\n",
        bed.store_url(),
        telegram.url(),
        model.base_url()
    );
    bed.write_config(&config);
    bed.restart().await;
    let failed = run(bed.command(&["chat", "hello"]), "").await;
    assert_eq!(failed.code, Some(1), "both keys are refused: {failed:?}");
    let sick = eventually("the channel is in trouble", || async {
        let sick = run(bed.command(&["doctor"]), "").await;
        sick.stdout.contains("refuses the token").then_some(sick)
    })
    .await;
    assert_eq!((sick.code, sick.stderr.as_str()), (Some(1), ""), "{sick:?}");
    let report = sick.stdout;
    let failed = lines(&report, "fail").join("\n");
    for told in ["channel family", "its key LAB_A rests for", "its key LAB_B rests for", "agent assistant"] {
        assert!(failed.contains(told), "{told}: {report}");
    }
    for advice in ["mosaic channels test family", "Put a good key in its place", "mosaic providers test lab"] {
        assert!(report.contains(advice), "{advice}: {report}");
    }
    assert!(!report.contains("sk-"), "{report}");

    // What was written since its start is not in use.
    bed.write_config(&format!("{config}[providers.later]\nbase_url = \"{}\"\n", model.base_url()));
    let report = run(bed.command(&["doctor"]), "").await.stdout;
    let warned = lines(&report, "warn").join("\n");
    assert!(warned.contains("provider later") && report.contains("Restart the daemon"), "{report}");
}

//! Disks that fail under the daemon: full, read-only, torn, unable to sync. It refuses what it cannot store, serves what
//! it can read, and works again when the disk does, without a restart.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

use diesel::connection::Connection;
use diesel::sql_types::Text;
use diesel::{QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use mosaic_testkit::disk::{Calls, Disk, Fault};
use mosaic_testkit::provider::Builder;
use mosaic_testkit::{Gate, StandIn, Step};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use crate::testbed::{Api, Testbed, eventually, refusal, run, soon};

/// For so long it may take, at the most, until the daemon works again when the disk does.
const BACK: Duration = Duration::from_secs(5);

/// A home on a disk that can be broken; its daemon does not run yet.
fn bed_on(disk: &Disk, model: Builder) -> Testbed {
    let mut bed = Testbed::asleep(model);
    for (name, value) in disk.env() {
        bed.set_env(name, value);
    }
    bed
}

/// What SQLite says of the file when nothing runs.
fn intact(bed: &Testbed) {
    #[derive(QueryableByName)]
    struct Check {
        #[diesel(sql_type = Text)]
        integrity_check: String,
    }
    let mut conn = SqliteConnection::establish(bed.database().to_str().expect("a path in UTF-8")).expect("it opens");
    let check: Check = sql_query("PRAGMA integrity_check").get_result(&mut conn).expect("it answers");
    assert_eq!(check.integrity_check, "ok");
}

/// Sends a message under a key until it is accepted; each refusal before is typed and says when to come back or what
/// to do. Answers how many there were.
async fn insist(api: &Api, session: &str, key: &str) -> usize {
    for refusals in 0..50 {
        let answer = api.submit(session, "", &[("idempotency-key", key)], key).await;
        if answer.status() == 202 {
            return refusals;
        }
        let (status, code) = refusal(&answer);
        assert!(status == 503 && ["storage", "unavailable"].contains(&code.as_str()), "{status} {code}");
    }
    panic!("{key}: refused without end");
}

/// Each of `said` is in the transcript once, each with one answer.
async fn each_once(api: &Api, session: &str, said: &[&str]) {
    api.settled(session).await;
    let transcript = api.transcript(session).await;
    let users: Vec<_> = transcript.iter().filter(|(role, _)| role == "user").map(|(_, text)| text.as_str()).collect();
    assert_eq!(users, said);
    assert_eq!(transcript.len(), 2 * said.len(), "{transcript:?}");
    assert_eq!(api.count(session, "turn.finished").await, said.len());
}

/// The disk fails as `fail` has it until `heal`, while one turn is in mid-stream and others are asked for.
async fn fails_and_heals(
    mut bed: Testbed,
    gate: &Gate,
    codes: &[&str],
    calls: std::ops::RangeInclusive<usize>,
    fail: impl Fn(),
    heal: impl Fn(),
) {
    bed.restart().await;
    let api = bed.api();
    let (busy, idle) = (api.session().await, api.session().await);
    api.ask(&idle, "before").await;
    api.say(&busy, "count").await;
    soon("the call", gate.arrived(1)).await;
    fail();
    let key = [("idempotency-key", "k-1")];
    let (one, two, ready, new) = tokio::join!(
        api.submit(&idle, "?wait=true", &key, "during"),
        api.submit(&busy, "", &[], "lost"),
        api.request("GET", "/readyz", &[], b""),
        api.send("POST", "/api/v1/sessions", json!({})),
    );
    for refused in [one, two, ready, new] {
        let (status, code) = refusal(&refused);
        assert!(status == 503 && codes.contains(&code.as_str()), "{status} {code}: {}", refused.text());
    }
    gate.open();
    soon("the model has said all", bed.model.wait_until(|seen| seen.answered + seen.hung_up >= 2)).await;
    // Reads are served, however long it lasts.
    for _ in 0..3 {
        assert_eq!(api.get("/healthz").await["status"], "ok");
        assert_eq!(api.transcript(&idle).await.len(), 2);
        assert_eq!(api.count(&busy, "turn.finished").await, 0, "what is not stored is not told");
        let (status, code) = refusal(&api.submit(&idle, "", &key, "during").await);
        assert!(status == 503 && codes.contains(&code.as_str()), "{status} {code}");
    }
    heal();
    let healed = Instant::now();
    eventually("the message is taken", || async {
        let answer = api.submit(&idle, "?wait=true", &key, "during").await;
        (answer.status() == 200).then_some(())
    })
    .await;
    api.settled(&busy).await;
    assert!(healed.elapsed() < BACK, "{:?}", healed.elapsed());
    assert_eq!(api.request("GET", "/readyz", &[], b"").await.status(), 200);
    each_once(&api, &idle, &["before", "during"]).await;
    each_once(&api, &busy, &["count"]).await;
    let asked = bed.model.progress().calls;
    assert!(calls.contains(&asked), "{asked} model calls");
    assert!(bed.stop().await.success());
    intact(&bed);
    bed.restart().await;
    each_once(&bed.api(), &idle, &["before", "during"]).await;
    each_once(&bed.api(), &busy, &["count"]).await;
}

/// A model whose second answer waits at the gate, half said.
fn slow(gate: &Gate) -> Builder {
    StandIn::builder().script([Step::say("first"), Step::hold_after(gate, "one two", 1)])
}

#[tokio::test]
async fn a_full_disk_refuses_new_work_serves_reads_and_costs_no_answer() {
    let (disk, gate) = (Disk::sound(), Gate::new());
    let bed = bed_on(&disk, slow(&gate));
    let fail = || disk.fails(Calls::Write, Fault::Full);
    // Each of the three turns is asked for once: the answer that could not be stored is kept.
    fails_and_heals(bed, &gate, &["storage"], 3..=3, fail, || disk.heals()).await;
    assert!(disk.failures() > 0);
}

#[tokio::test]
async fn a_small_disk_that_is_really_full_does_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let gate = Gate::new();
    let bed = Testbed::asleep(slow(&gate));
    // Only who may mount has one; everyone else has the disk that fails by order, once more.
    let Some(mount) = Mount::small(folder.path()) else {
        let disk = Disk::sound();
        let bed = bed_on(&disk, slow(&gate));
        let fail = || disk.fails(Calls::Write, Fault::Full);
        return fails_and_heals(bed, &gate, &["storage"], 3..=3, fail, || disk.heals()).await;
    };
    keep_in(&bed, folder.path());
    let filler = folder.path().join("filler");
    let fail = || {
        let _ = std::fs::write(&filler, vec![1; 64 << 20]);
    };
    let heal = || std::fs::remove_file(&filler).expect("it is there");
    fails_and_heals(bed, &gate, &["storage"], 3..=3, fail, heal).await;
    drop(mount);
}

/// Has the daemon keep everything in this folder.
fn keep_in(bed: &Testbed, folder: &Path) {
    let database = folder.join("mosaic.db");
    bed.configure(&format!("[store]\nurl = \"sqlite://{}\"\n", database.display()));
    std::os::unix::fs::symlink(&database, bed.database()).expect("a link");
}

#[tokio::test]
async fn a_daemon_that_finds_its_disk_read_only_serves_reads_and_writes_as_soon_as_it_may() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut bed = Testbed::asleep(StandIn::builder());
    // As above; without a mount, the disk becomes read-only when the daemon has started.
    let (disk, mount) = (Disk::sound(), Mount::small(folder.path()));
    match &mount {
        Some(_) => keep_in(&bed, folder.path()),
        None => disk.env().into_iter().for_each(|(name, value)| bed.set_env(name, value)),
    }
    bed.restart().await;
    let session = bed.api().session().await;
    bed.api().ask(&session, "before").await;
    match &mount {
        Some(mount) => {
            assert!(bed.stop().await.success());
            mount.again("ro");
            bed.restart().await;
        }
        None => disk.fails(Calls::WriteOrOpen, Fault::ReadOnly),
    }
    let api = bed.api();
    for _ in 0..2 {
        assert_eq!(api.transcript(&session).await.len(), 2, "reads are served");
        assert_eq!(refusal(&api.request("GET", "/readyz", &[], b"").await), (503, "storage".to_owned()));
        let (status, code) = refusal(&api.submit(&session, "", &[("idempotency-key", "after")], "after").await);
        assert!(status == 503 && ["storage", "unavailable"].contains(&code.as_str()), "{status} {code}");
    }
    match &mount {
        Some(mount) => mount.again("rw"),
        None => disk.heals(),
    }
    insist(&api, &session, "after").await;
    each_once(&api, &session, &["before", "after"]).await;
    assert_eq!(api.request("GET", "/readyz", &[], b"").await.status(), 200);
    assert!(bed.stop().await.success());
    intact(&bed);
}

/// A file system of a few MiB; gone with this.
struct Mount<'a>(&'a Path);

impl<'a> Mount<'a> {
    fn small(at: &'a Path) -> Option<Self> {
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "none"]).arg(at).output();
        done.is_ok_and(|done| done.status.success()).then_some(Self(at))
    }

    /// Mounts it once more, as `ro` or `rw`.
    fn again(&self, how: &str) {
        let done = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(self.0).status();
        assert!(done.is_ok_and(|status| status.success()), "remount {how}");
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[tokio::test]
async fn a_disk_that_becomes_read_only_refuses_new_work_serves_reads_and_may_be_healed() {
    let (disk, gate) = (Disk::sound(), Gate::new());
    let bed = bed_on(&disk, slow(&gate));
    let fail = || disk.fails(Calls::WriteOrOpen, Fault::ReadOnly);
    // What became of the commit that failed is not known, so a session reads its journal, and its turn begins again.
    fails_and_heals(bed, &gate, &["storage", "unavailable"], 3..=4, fail, || disk.heals()).await;
    assert!(disk.failures() > 0);
}

#[tokio::test]
async fn a_disk_that_fails_to_write_or_to_sync_refuses_new_work_and_may_be_healed() {
    for calls in [Calls::Write, Calls::Sync] {
        let (disk, gate) = (Disk::sound(), Gate::new());
        let bed = bed_on(&disk, slow(&gate));
        let fail = || disk.fails(calls, Fault::Broken);
        fails_and_heals(bed, &gate, &["storage", "unavailable"], 3..=4, fail, || disk.heals()).await;
        assert!(disk.failures() > 0, "{calls:?}");
    }
}

#[tokio::test]
async fn whichever_write_or_sync_fails_a_message_is_taken_once_and_answered_once() {
    // A commit is one sync and dozens of writes; a message is two commits and some more.
    for (calls, fault) in [(Calls::Write, Fault::Broken), (Calls::Write, Fault::Full), (Calls::Sync, Fault::Broken)] {
        let disk = Disk::sound();
        let mut bed = bed_on(&disk, StandIn::builder());
        bed.restart().await;
        let api = bed.api();
        let session = api.session().await;
        let keys: Vec<String> = (0..16).map(|number| format!("m{number}")).collect();
        let mut refused = 0;
        for (after, key) in (0..).zip(&keys) {
            disk.fails_once(calls, fault, if calls == Calls::Sync { after % 2 } else { 3 * after });
            refused += insist(&api, &session, key).await;
            api.settled(&session).await;
        }
        disk.heals();
        assert!(disk.failures() >= 8, "{calls:?} {fault:?}: {} failed", disk.failures());
        assert!(refused > 0, "{calls:?} {fault:?}: nobody was refused");
        let said: Vec<&str> = keys.iter().map(String::as_str).collect();
        each_once(&api, &session, &said).await;
        assert!(bed.stop().await.success());
        intact(&bed);
    }
}

#[tokio::test]
async fn a_message_whose_sync_failed_is_one_turn_also_when_the_process_dies_of_nothing_more() {
    let disk = Disk::sound();
    let mut bed = bed_on(&disk, StandIn::builder());
    bed.restart().await;
    let session = bed.api().session().await;
    let key = [("idempotency-key", "k-1")];
    disk.fails(Calls::Sync, Fault::Broken);
    let refused = bed.api().submit(&session, "", &key, "hello").await;
    assert_eq!(refusal(&refused), (503, "unavailable".to_owned()), "nobody knows: {}", refused.text());
    // Here the log may hold all of it.
    bed.kill9().await;
    disk.heals();
    bed.restart().await;
    let answer = bed.api().submit(&session, "?wait=true", &key, "hello").await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    each_once(&bed.api(), &session, &["hello"]).await;
    assert!(bed.stop().await.success());
    intact(&bed);
}

#[tokio::test]
async fn a_process_that_dies_in_any_write_or_sync_of_a_message_leaves_all_of_it_or_nothing() {
    let disk = Disk::sound();
    let mut bed = bed_on(&disk, StandIn::builder());
    bed.restart().await;
    let session = bed.api().session().await;
    let key = |after: u32| format!("m{after}");
    let mut died = HashSet::new();
    for after in 0..8 {
        let api = bed.api();
        disk.fails_once(Calls::WriteOrSync, Fault::Kill, after);
        let bearer = format!("Bearer {}", bed.token());
        let name = key(after);
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", name.as_str())];
        let mut client = mosaic_testkit::http::Client::connect(api.address).await.expect("the daemon listens");
        let path = format!("/api/v1/sessions/{session}/messages?wait=true");
        let body = json!({"text": name}).to_string();
        if client.request("POST", &path, &headers, body.as_bytes()).await.is_err() {
            died.insert(after);
            bed.ended().await;
            disk.heals();
            intact(&bed);
            bed.restart().await;
        }
        disk.heals();
        insist(&bed.api(), &session, &key(after)).await;
        bed.api().settled(&session).await;
    }
    assert!(died.len() >= 4, "it died in {died:?} only");
    let said: Vec<String> = (0..8).map(key).collect();
    each_once(&bed.api(), &session, &said.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn a_daemon_on_a_disk_that_is_full_or_read_only_does_not_start_and_says_why() {
    for (calls, fault) in [(Calls::Write, Fault::Full), (Calls::WriteOrOpen, Fault::ReadOnly)] {
        let disk = Disk::sound();
        let mut bed = bed_on(&disk, StandIn::builder());
        bed.restart().await;
        let session = bed.api().session().await;
        bed.api().ask(&session, "before").await;
        assert!(bed.stop().await.success());
        disk.fails(calls, fault);
        let refused = run(bed.command(&["up"]), "").await;
        assert_ne!(refused.code, Some(0), "{refused:?}");
        assert!(!refused.panicked() && refused.stderr.contains("disk it is on is well and has room"), "{refused:?}");
        disk.heals();
        intact(&bed);
        bed.restart().await;
        each_once(&bed.api(), &session, &["before"]).await;
        let _: Value = bed.api().ask(&session, "after").await;
    }
}

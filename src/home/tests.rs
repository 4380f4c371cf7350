use std::os::unix::fs::PermissionsExt;

use std::time::Duration;

use tempfile::TempDir;

use super::*;

const NO_WAIT: Duration = Duration::ZERO;

fn home() -> (TempDir, Home) {
    let folder = tempfile::tempdir().expect("a folder");
    let home = Home::open(Some(&folder.path().join("deep/home")), &Env::default()).expect("a home");
    (folder, home)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it exists").permissions().mode() & 0o777
}

fn address() -> SocketAddr {
    "127.0.0.1:14242".parse().expect("an address")
}

#[test]
fn the_flag_goes_before_the_variable_and_that_before_the_platform() {
    let env: Env = [(HOME_VARIABLE, "/from/variable")].into_iter().collect();
    assert_eq!(Home::locate(Some(Path::new("/from/flag")), &env).expect("named").path(), Path::new("/from/flag"));
    assert_eq!(Home::locate(None, &env).expect("named").path(), Path::new("/from/variable"));
    let env: Env = [(HOME_VARIABLE, "")].into_iter().collect();
    assert!(Home::locate(None, &env).expect("a platform's folder").path().ends_with("mosaic"));
    assert!(Home::locate(Some(Path::new("near")), &env).expect("named").path().is_absolute());
}

#[tokio::test]
async fn everything_in_the_home_is_for_its_owner_alone() {
    let (_folder, home) = home();
    let mut lock = home.lock(NO_WAIT).await.expect("free");
    lock.announce(address(), None).expect("written");
    lock.token(|| [1; 32]).expect("written");
    assert_eq!(mode(home.path()), 0o700);
    for file in ["lock", "daemon.json", "token"] {
        assert_eq!(mode(&home.path().join(file)), 0o600, "{file}");
    }
    let left = fs::read_dir(home.path()).expect("a folder").count();
    assert_eq!(left, 3, "no neighbour was left behind");
}

#[tokio::test]
async fn the_token_is_made_once() {
    let (_folder, home) = home();
    assert_eq!(home.token().expect("readable"), None);
    let lock = home.lock(NO_WAIT).await.expect("free");
    let token = lock.token(|| [0xab; 32]).expect("written");
    assert_eq!(token.expose(), "ab".repeat(32));
    assert_eq!(lock.token(|| unreachable!("there is one")).expect("read"), token);
    assert_eq!(home.token().expect("readable"), Some(token));
}

#[tokio::test]
async fn a_second_daemon_is_told_who_holds_the_home() {
    let (_folder, home) = home();
    let mut lock = home.lock(NO_WAIT).await.expect("free");
    let pid = std::process::id();
    let refusal = home.lock(NO_WAIT).await.expect_err("held").to_string();
    assert_eq!(refusal, format!("{} is in use by another daemon (pid {pid})", home.path().display()));
    lock.announce(address(), None).expect("written");
    let refusal = home.lock(NO_WAIT).await.expect_err("held").to_string();
    assert!(refusal.ends_with(&format!("(pid {pid}, http://127.0.0.1:14242)")), "{refusal}");
}

#[tokio::test]
async fn the_lock_is_waited_for_and_no_longer_than_asked() {
    let (_folder, home) = home();
    let lock = home.lock(NO_WAIT).await.expect("free");
    home.lock(Duration::from_millis(1)).await.expect_err("held");

    // Joined futures are polled in turn: the second asks before the first leaves.
    let (second, ()) = tokio::join!(home.lock(Duration::from_secs(60)), async { drop(lock) });
    second.expect("the first has left");
}

#[tokio::test]
async fn a_daemon_is_believed_only_while_it_holds_the_lock() {
    let (_folder, home) = home();
    assert_eq!(home.daemon(), None);
    let mut lock = home.lock(NO_WAIT).await.expect("free");
    assert_eq!(home.daemon(), None, "it does not listen yet");
    lock.announce(address(), None).expect("written");
    let daemon = Daemon { pid: std::process::id(), address: Some(address()), cert_sha256: None };
    assert_eq!(home.daemon(), Some(daemon));

    let left_behind = fs::read(home.daemon_path()).expect("announced");
    drop(lock);
    assert!(!home.daemon_path().exists());
    fs::write(home.daemon_path(), &left_behind).expect("written");
    assert_eq!(home.daemon(), None, "nobody holds the lock");
    let _next = home.lock(NO_WAIT).await.expect("free");
    assert_eq!(home.daemon(), None, "the next holder does not listen yet");
}

#[tokio::test]
async fn a_file_of_another_process_is_not_believed() {
    let (_folder, home) = home();
    let mut lock = home.lock(NO_WAIT).await.expect("free");
    lock.announce(address(), None).expect("written");
    fs::write(home.daemon_path(), r#"{"pid":1,"address":"127.0.0.1:1"}"#).expect("written");
    assert_eq!(home.daemon(), None);
}

#[test]
fn a_failed_write_leaves_the_old_text_and_nothing_else() {
    let (_folder, home) = home();
    let path = home.path().join("x");
    fs::create_dir(&path).expect("a folder in the way");
    write_private(&path, b"text").expect_err("a folder is in the way");
    assert_eq!(fs::read_dir(home.path()).expect("a folder").count(), 1);
}

//! The home: whether it is there, this user's alone, and takes files.

use std::fs;
use std::path::Path;

use super::Finding;
use crate::home::{Home, write_private};

/// A file that is written and removed again, to see whether that can be done.
const PROBE: &str = ".doctor";

pub(super) fn look(home: &Home) -> Vec<Finding> {
    let path = home.path();
    let shown = path.display();
    let about = match fs::metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return vec![Finding::ok("home", format!("{shown} is not there yet; the first start makes it"))];
        }
        Err(error) => return vec![Finding::fail("home", format!("cannot look at {shown}: {error}"))],
    };
    if !about.is_dir() {
        let finding = Finding::fail("home", format!("{shown} is no folder"));
        return vec![finding.next("Move it away, or name another with --home.")];
    }
    if let Err(error) = write_private(&path.join(PROBE), b"").and_then(|()| fs::remove_file(path.join(PROBE))) {
        let finding = Finding::fail("home", format!("{shown} takes no files: {error}"));
        return vec![finding.next("Give this user the folder, or make room on its disk.")];
    }
    let secrets = ["token", "mosaic.db"].map(|name| path.join(name)).into_iter();
    let keys = fs::read_dir(path.join("keys")).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let open: Vec<Finding> =
        std::iter::once(path.to_owned()).chain(secrets).chain(keys).filter_map(|path| open_to_others(&path)).collect();
    if open.is_empty() { vec![Finding::ok("home", format!("{shown}, this user's alone"))] } else { open }
}

/// What is wrong with a file's permissions, if it is there and something is.
#[cfg(unix)]
fn open_to_others(path: &Path) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt;
    let about = fs::metadata(path).ok()?;
    let mode = about.permissions().mode() & 0o777;
    let right = if about.is_dir() { 0o700 } else { 0o600 };
    (mode & 0o077 != 0).then(|| {
        let shown = path.display();
        let finding = Finding::warn("home", format!("{shown} is open to others on this machine ({mode:04o})"));
        finding.next(format!("chmod {right:o} {shown}"))
    })
}

#[cfg(not(unix))]
fn open_to_others(_: &Path) -> Option<Finding> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::cli::doctor::State;
    use crate::config::Env;

    #[test]
    fn what_others_can_read_is_told_with_the_command_that_mends_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("home");
        let home = Home::locate(Some(&path), &Env::default()).expect("a path");
        assert!(look(&home)[0].message.ends_with("is not there yet; the first start makes it"));
        assert!(!path.exists(), "looking makes nothing");

        Home::open(Some(&path), &Env::default()).expect("made");
        assert_eq!(look(&home)[0].state, State::Ok);
        fs::write(path.join("token"), "t").expect("written");
        fs::set_permissions(path.join("token"), fs::Permissions::from_mode(0o644)).expect("changed");
        let findings = look(&home);
        assert_eq!((findings.len(), findings[0].state), (1, State::Warn));
        assert_eq!(findings[0].next.as_deref(), Some(&*format!("chmod 600 {}", path.join("token").display())));
        assert_eq!(fs::read_dir(&path).expect("readable").count(), 1, "the probe is gone");
    }
}

//! What was typed in a window and not sent: a file for each session, for whoever opens it again.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mosaic_types::{SessionId, limits};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Home, write};

/// Drafts that are kept; the one that was written longest ago makes room.
const KEPT: usize = 100;
/// Bytes of a file that are read: a message of the longest, and all of it escaped.
const FILE_BYTES: u64 = 1 << 20;
/// Windows at once that keep a draft which belongs to no session yet; further ones keep those of sessions alone.
const WINDOWS: usize = 8;

/// What was typed and not sent, and the files that were to go with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Draft {
    pub(crate) text: String,
    #[serde(default)]
    pub(crate) files: Vec<PathBuf>,
}

impl Draft {
    /// Nothing of it would be missed.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.trim().is_empty() && self.files.is_empty()
    }
}

/// The drafts of one window.
pub(crate) struct Drafts {
    folder: PathBuf,
    /// The daemon whose sessions these are.
    place: String,
    /// Which window this is, for as long as the lock is held.
    window: Option<(usize, File)>,
}

impl Drafts {
    /// Those of the daemon that is called `place`. What another window left that has closed, and no session has, is this
    /// one's from now on: the newest of such, if there are several.
    pub(crate) fn open(home: &Home, place: &str) -> Self {
        let mut drafts = Self { folder: home.path().join("drafts"), place: place.to_owned(), window: None };
        let left = |number: &usize| changed(&drafts.path(&Of::Window(*number)));
        let mut windows: Vec<usize> = (0..WINDOWS).collect();
        windows.sort_by_key(|number| std::cmp::Reverse(left(number)));
        let _ = write::make_private_folder(&drafts.folder);
        drafts.window = windows.into_iter().find_map(|number| {
            let lock = write::open_private(&drafts.folder.join(format!("window-{number}"))).ok()?;
            lock.try_lock().is_ok().then_some((number, lock))
        });
        drafts
    }

    /// What was left in a session; `None`: in the one that is yet to be made. What cannot be read is nothing.
    pub(crate) fn read(&self, session: Option<&SessionId>) -> Draft {
        let read = |of| {
            let mut text = String::new();
            File::open(self.path(&of)).ok()?.take(FILE_BYTES).read_to_string(&mut text).ok()?;
            serde_json::from_str(&text).ok()
        };
        self.of(session).and_then(read).unwrap_or_default()
    }

    /// Keeps a draft in place of the one before; an empty one is none.
    ///
    /// # Errors
    /// The disk does not take it.
    pub(crate) fn write(&self, session: Option<&SessionId>, draft: &Draft) -> io::Result<()> {
        let Some(path) = self.of(session).map(|of| self.path(&of)) else { return Ok(()) };
        if draft.is_empty() {
            return match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let Draft { text, files } = draft;
        let end = text.char_indices().nth(limits::TEXT_CHARS).map_or(text.len(), |(at, _)| at);
        let kept =
            Draft { text: text[..end].to_owned(), files: files.iter().take(limits::ATTACHMENTS).cloned().collect() };
        if !path.exists() {
            self.make_room();
        }
        write::write_private(&path, &serde_json::to_vec(&kept).map_err(io::Error::other)?)
    }

    fn make_room(&self) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let mut known: Vec<(Option<SystemTime>, PathBuf)> =
            entries.filter(|path| path.extension().is_some()).map(|path| (changed(&path), path)).collect();
        known.sort();
        let over = (known.len() + 1).saturating_sub(KEPT);
        for (_, oldest) in &known[..over] {
            let _ = fs::remove_file(oldest);
        }
    }

    fn of<'a>(&self, session: Option<&'a SessionId>) -> Option<Of<'a>> {
        match session {
            Some(session) => Some(Of::Session(session)),
            None => self.window.as_ref().map(|(number, _)| Of::Window(*number)),
        }
    }

    /// Named by a hash: an address and a session's name hold what a file's name may not.
    fn path(&self, of: &Of<'_>) -> PathBuf {
        let name = match of {
            Of::Session(session) => format!("{}\nsession\n{session}", self.place),
            Of::Window(number) => format!("{}\nwindow\n{number}", self.place),
        };
        let hash: String = Sha256::digest(name).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(format!("{hash}.json"))
    }
}

/// Whose draft it is.
enum Of<'a> {
    Session(&'a SessionId),
    /// That of the window with this number, in which no session was begun yet.
    Window(usize),
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|about| about.modified()).ok()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::Env;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::open(Some(folder.path()), &Env::default()).expect("a home");
        (folder, home)
    }

    fn id(name: &str) -> SessionId {
        name.parse().expect("valid")
    }

    fn draft(text: &str) -> Draft {
        Draft { text: text.to_owned(), files: Vec::new() }
    }

    #[test]
    fn a_draft_is_read_again_in_its_own_place_by_its_owner_alone() {
        let (folder, home) = home();
        let drafts = Drafts::open(&home, "home");
        let kept = Draft { text: "half a thought\u{1b}\n".into(), files: vec!["/tmp/ä.txt".into()] };
        drafts.write(Some(&id("s")), &kept).expect("written");
        let found = |place: &str, session: &str| Drafts::open(&home, place).read(Some(&id(session)));
        assert_eq!(found("home", "s"), kept);
        assert_eq!((found("home", "t"), found("https://far", "s")), (Draft::default(), Draft::default()));
        let files = || fs::read_dir(folder.path().join("drafts")).expect("a folder").map(|file| file.expect("a file"));
        assert!(files().all(|file| file.metadata().expect("known").permissions().mode() & 0o077 == 0));
        assert_eq!(fs::metadata(folder.path().join("drafts")).expect("known").permissions().mode() & 0o777, 0o700);
        drafts.write(Some(&id("s")), &draft(" \n")).expect("removed");
        drafts.write(Some(&id("s")), &draft("")).expect("it may be gone already");
        assert_eq!(
            (found("home", "s"), files().filter(|file| file.path().extension().is_some()).count()),
            (draft(""), 0)
        );
    }

    #[test]
    fn a_draft_that_cannot_be_read_is_none_and_one_that_is_too_long_is_cut() {
        let (_folder, home) = home();
        let drafts = Drafts::open(&home, "home");
        let path = drafts.path(&Of::Session(&id("s")));
        for bytes in [&b"{"[..], b"\xff\xfe", b"[]", b"", &vec![b'['; 2 << 20]] {
            fs::write(&path, bytes).expect("written");
            assert_eq!(drafts.read(Some(&id("s"))), Draft::default());
        }
        drafts.write(Some(&id("s")), &draft(&"\u{1}".repeat(limits::TEXT_CHARS + 7))).expect("written");
        assert_eq!(drafts.read(Some(&id("s"))).text.chars().count(), limits::TEXT_CHARS);
    }

    #[test]
    fn the_oldest_of_too_many_makes_room() {
        let (folder, home) = home();
        let drafts = Drafts::open(&home, "home");
        for number in 0..KEPT + 5 {
            let session = id(&format!("s{number}"));
            drafts.write(Some(&session), &draft("text")).expect("written");
            let file = File::options().write(true).open(drafts.path(&Of::Session(&session))).expect("it is there");
            let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(number as u64);
            file.set_modified(at).expect("set");
        }
        let left = |number: usize| !drafts.read(Some(&id(&format!("s{number}")))).is_empty();
        assert_eq!((0..KEPT + 5).filter(|number| left(*number)).collect::<Vec<_>>(), (5..KEPT + 5).collect::<Vec<_>>());
        assert_eq!(fs::read_dir(folder.path().join("drafts")).expect("a folder").count(), KEPT + 1, "and a lock");
    }

    #[test]
    fn each_window_has_a_beginning_of_its_own_and_one_that_is_left_is_taken_up() {
        let (_folder, home) = home();
        let (first, second) = (Drafts::open(&home, "home"), Drafts::open(&home, "home"));
        first.write(None, &draft("first")).expect("written");
        second.write(None, &draft("second")).expect("written");
        assert_eq!((first.read(None), second.read(None)), (draft("first"), draft("second")));
        let third = Drafts::open(&home, "home");
        assert_eq!(third.read(None), draft(""), "those belong to windows that are open");
        drop((first, second, third));
        let again = [Drafts::open(&home, "home"), Drafts::open(&home, "home"), Drafts::open(&home, "home")];
        let mut left: Vec<String> = again.iter().map(|drafts| drafts.read(None).text).collect();
        assert_eq!(left.pop().as_deref(), Some(""));
        left.sort();
        assert_eq!(left, ["first", "second"]);
        let more: Vec<Drafts> = (0..WINDOWS).map(|_| Drafts::open(&home, "home")).collect();
        more.last().expect("some").write(None, &draft("too many")).expect("nothing is done");
        assert_eq!(more.last().expect("some").read(None), draft(""), "nobody's draft is taken for another's");
    }
}

//! Files for their owner alone, written whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Bytes of a log that are kept from one start to the next.
const LOG_BYTES: u64 = 1 << 20;

/// Makes a folder and those above it, open to their owner only (0700). One that exists stays as it is.
pub(super) fn make_private_folder(path: &Path) -> io::Result<()> {
    let mut folder = DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(path)
}

/// Opens a file for reading and writing, made (0600) if it is not there, its content kept.
pub(super) fn open_private(path: &Path) -> io::Result<File> {
    private().read(true).create(true).truncate(false).open(path)
}

/// Opens a log (0600) for what is to be written at its end. One that has grown past [`LOG_BYTES`] begins anew.
pub fn append_private(path: &Path) -> io::Result<File> {
    let mut options = private();
    let file = options.append(true).create(true).open(path)?;
    if file.metadata()?.len() > LOG_BYTES {
        file.set_len(0)?;
    }
    Ok(file)
}

/// Writes a file (0600) through a neighbour that takes its place when it is safe on disk, so that a reader sees the old
/// text or the new one and a crash leaves no half. Makes the folder (0700) if it is not there.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_private_folder(folder)?;
    let beside = beside(path);
    let written = write_new(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
        return written;
    }
    // Without this a power cut could forget the rename. Folders cannot be opened everywhere.
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Left behind by a process of the same number that was killed here.
    let _ = fs::remove_file(path);
    let mut file = private().create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A hidden neighbour's name that no other process uses.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.new", std::process::id()))
}

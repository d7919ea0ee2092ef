//! Makes the system calls whose order is what survives a power loss; tests record them.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, symlink},
    path::Path,
};

use crate::{Result, error::Context as _};

/// Opens a file to append to, making it if it is missing and `create` says so.
pub(super) fn open_upload(path: &Path, create: bool) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(create).truncate(false).open(path)
}

/// Makes a file's bytes, and the size needed to read them, durable.
pub(super) fn sync_data(file: &File, path: &Path) -> Result<()> {
    record("sync data", path);
    file.sync_data().context(|| format!("cannot sync {}", path.display()))
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(path: &Path) -> Result<()> {
    record("sync directory", path);
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .context(|| format!("cannot sync directory {}", path.display()))
}

/// Makes a directory, for the owner's eyes only, unless it is there.
pub(super) fn create_directory(path: &Path) -> Result<()> {
    record("create directory", path);
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        result => result.context(|| format!("cannot create directory {}", path.display())),
    }
}

/// Makes a symbolic link.
pub(super) fn link(target: &Path, path: &Path) -> Result<()> {
    record("link", path);
    symlink(target, path).context(|| format!("cannot create {}", path.display()))
}

/// Moves a file to another name; returns whether it was there.
pub(super) fn rename(from: &Path, to: &Path) -> Result<bool> {
    record("rename", to);
    found(fs::rename(from, to), || format!("cannot move {} to {}", from.display(), to.display()))
}

/// Removes a file; returns whether it was there.
pub(super) fn remove(path: &Path) -> Result<bool> {
    record("remove", path);
    found(fs::remove_file(path), || format!("cannot remove {}", path.display()))
}

/// Turns "not found" into `false`.
pub(super) fn found(result: io::Result<()>, context: impl FnOnce() -> String) -> Result<bool> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        result => result.map(|()| true).context(context),
    }
}

#[cfg(not(test))]
fn record(_call: &'static str, _path: &Path) {}

#[cfg(test)]
pub(super) use trace::record;

#[cfg(test)]
pub(super) mod trace {
    use std::path::{Path, PathBuf};

    use parking_lot::Mutex;

    static CALLS: Mutex<Vec<(&'static str, PathBuf)>> = Mutex::new(Vec::new());

    pub(in crate::disk) fn record(call: &'static str, path: &Path) {
        CALLS.lock().push((call, path.to_owned()));
    }

    /// Returns the calls made so far below a directory, paths relative to it.
    pub(in crate::disk) fn calls(root: &Path) -> Vec<String> {
        let below = |(call, path): &(&'static str, PathBuf)| {
            path.strip_prefix(root).ok().map(|path| format!("{call} {}", path.display()))
        };
        CALLS.lock().iter().filter_map(below).collect()
    }
}

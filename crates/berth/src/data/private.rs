//! Files of the data directory that nobody else on the machine may read: hashes of passwords, sealed secrets, who did what.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// What everybody else on the machine may do to a file.
const OTHERS: u32 = 0o007;

/// Makes a database's file for this user only if it is not there, and takes from everybody else what they may do to one that is, and
/// to what SQLite keeps beside it. A directory that somebody else made may be open to all.
pub(super) fn keep(file: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    for beside in ["", "-wal", "-shm"] {
        let mut path = file.as_os_str().to_owned();
        path.push(beside);
        let path = PathBuf::from(path);
        let mode = match fs::metadata(&path) {
            Ok(found) => found.permissions().mode(),
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if mode & OTHERS != 0 {
            // Who serves may not own it.
            if let Err(error) = fs::set_permissions(&path, Permissions::from_mode(mode & !OTHERS)) {
                tracing::warn!(%error, path = %path.display(), "everybody on this machine can read a database's file");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_on_the_machine_read_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("catalog.db");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        keep(&file).unwrap();
        assert_eq!(mode(&file), 0o600);
        let log = directory.path().join("catalog.db-wal");
        fs::write(&log, "").unwrap();
        for path in [&file, &log] {
            fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
        }
        keep(&file).unwrap();
        assert_eq!((mode(&file), mode(&log)), (0o640, 0o640), "a group that was let in stays");
    }
}

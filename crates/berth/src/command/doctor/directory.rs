//! Whether the data directory can be used, or made, and nothing in it is another user's.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::process::geteuid;

use super::report::{Finding, Report};

const SUBJECT: &str = "data directory";
const WRITABLE_BY_ALL: u32 = 0o002;

/// Checks that the data directory is there, or can be made, and is ours. Returns a directory on its file system that
/// can be written to.
pub(super) fn check(data_dir: &Path, report: &mut Report) -> Option<PathBuf> {
    let shown = data_dir.display();
    let finding = match fs::metadata(data_dir) {
        Ok(found) if !found.is_dir() => Finding::bad(
            SUBJECT,
            format!("{shown} is not a directory"),
            "name another with --data-dir or data_dir",
        ),
        Ok(_) if access(data_dir, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK).is_err() => {
            let user = geteuid();
            Finding::bad(
                SUBJECT,
                format!("{shown} can't be read and written by user {user}"),
                format!("chown -R {user} {shown}"),
            )
        }
        Ok(found) if found.mode() & WRITABLE_BY_ALL != 0 => Finding::bad(
            SUBJECT,
            format!("{shown} can be written by every user of this machine"),
            format!("chmod 700 {shown}"),
        ),
        Ok(_) => match foreign_entry(data_dir) {
            Some(entry) => Finding::bad(
                SUBJECT,
                format!("{} belongs to another user than {}", entry.display(), geteuid()),
                format!("run berth as the user that owns {shown}, or chown -R {} {shown}", geteuid()),
            ),
            None => Finding::good(SUBJECT, format!("{shown} is readable and writable")),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return check_parent(data_dir, report),
        Err(error) => Finding::bad(
            SUBJECT,
            format!("{shown}: {error}"),
            "give the user that runs berth access to it, or name another with --data-dir",
        ),
    };
    let usable = finding.grade != super::report::Grade::Bad;
    report.add(finding);
    usable.then(|| data_dir.to_owned())
}

/// A directory that isn't there yet is made by `berth serve`, if its nearest ancestor lets it.
fn check_parent(data_dir: &Path, report: &mut Report) -> Option<PathBuf> {
    let shown = data_dir.display();
    let ancestor = std::path::absolute(data_dir)
        .ok()?
        .ancestors()
        .find(|ancestor| ancestor.is_dir())
        .map(Path::to_owned)?;
    let writable = access(&ancestor, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    report.add(if writable {
        Finding::good(SUBJECT, format!("{shown} doesn't exist yet; berth serve will make it"))
    } else {
        Finding::bad(
            SUBJECT,
            format!("{shown} doesn't exist, and {} can't be written", ancestor.display()),
            format!("mkdir -p {shown} && chown {} {shown}, or name another with --data-dir", geteuid()),
        )
    });
    writable.then_some(ancestor)
}

/// Finds an entry that another user made, for example by running berth as root once.
fn foreign_entry(data_dir: &Path) -> Option<PathBuf> {
    let own = geteuid().as_raw();
    let foreign = |path: &PathBuf| fs::metadata(path).is_ok_and(|found| found.uid() != own);
    let entries = fs::read_dir(data_dir).ok()?.flatten().map(|entry| entry.path());
    std::iter::once(data_dir.to_owned()).chain(entries).find(foreign)
}

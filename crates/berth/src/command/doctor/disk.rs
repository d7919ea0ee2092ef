//! Whether the file system of the data directory has room, and can keep what was written.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{StatVfs, statfs, statvfs};

use super::report::{Finding, Report};

const GIB: u64 = 1 << 30;
const LEAST_BYTES: u64 = GIB / 4;
const FEW_BYTES: u64 = 5 * GIB;
const LEAST_INODES: u64 = 1_000;
const FEW_INODES: u64 = 100_000;
const SLOW_SYNC: Duration = Duration::from_millis(50);
const SYNCS: u32 = 5;

/// Checks the file system that a directory lies on: room, and whether it does what durable storage needs.
pub(super) fn check(directory: &Path, report: &mut Report) {
    match statvfs(directory) {
        Ok(status) => {
            report.add(space(&status));
            report.add(inodes(&status));
        }
        Err(error) => report.add(Finding::bad(
            "disk space",
            format!("{}: {error}", directory.display()),
            "check the file system that it lies on",
        )),
    }
    if let Ok(status) = statfs(directory) {
        // The type's width differs between platforms; the numbers are 32 bits wide.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "32-bit numbers")]
        report.add(kind(status.f_type as u32));
    }
    report.add(sync(directory));
    report.add(names(directory));
}

fn space(status: &StatVfs) -> Finding {
    let available = status.f_bavail.saturating_mul(status.f_frsize);
    let total = status.f_blocks.saturating_mul(status.f_frsize);
    let state = format!("{} of {} free", gib(available), gib(total));
    let fix = "free some, or move data_dir to a larger disk; berth gc --now frees what nothing refers to";
    if available < LEAST_BYTES {
        Finding::bad("disk space", state, fix)
    } else if available < FEW_BYTES || available < total / 20 {
        Finding::doubtful("disk space", state, fix)
    } else {
        Finding::good("disk space", state)
    }
}

fn inodes(status: &StatVfs) -> Finding {
    if status.f_files == 0 {
        return Finding::good("inodes", "made as needed");
    }
    let state = format!("{} of {} free", status.f_favail, status.f_files);
    let fix = "remove small files, or move data_dir to a file system made with more inodes";
    if status.f_favail < LEAST_INODES {
        Finding::bad("inodes", state, fix)
    } else if status.f_favail < FEW_INODES {
        Finding::doubtful("inodes", state, fix)
    } else {
        Finding::good("inodes", state)
    }
}

/// Judges the kind of file system by its number in statfs(2).
fn kind(number: u32) -> Finding {
    const SUBJECT: &str = "file system";
    let network = "put data_dir on a local disk: the catalog's database can't be shared over a network";
    match number {
        0x6969 => Finding::bad(SUBJECT, "NFS", network),
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => Finding::bad(SUBJECT, "SMB", network),
        0x0102_1997 => Finding::bad(SUBJECT, "9p", network),
        0x0102_1994 | 0x8584_58f6 => {
            Finding::doubtful(SUBJECT, "in memory", "put data_dir on a disk if data shall outlive a reboot")
        }
        0x794c_7630 => Finding::doubtful(
            SUBJECT,
            "a container's layer (overlayfs)",
            "mount a volume at data_dir if data shall outlive the container",
        ),
        _ => Finding::good(SUBJECT, "local"),
    }
}

fn sync(directory: &Path) -> Finding {
    const SUBJECT: &str = "fsync";
    match timed_sync(directory) {
        Ok(time) if time > SLOW_SYNC => Finding::doubtful(
            SUBJECT,
            format!("{} ms per write", time.as_millis()),
            "expect few pushes per second; an SSD, or a disk that is less busy, is faster",
        ),
        Ok(time) => Finding::good(SUBJECT, format!("{:.1} ms per write", time.as_secs_f64() * 1000.0)),
        Err(error) => Finding::bad(
            SUBJECT,
            format!("{}: {error}", directory.display()),
            "put data_dir on a file system that can sync files and directories",
        ),
    }
}

/// Returns the middle one of several durable writes' times.
fn timed_sync(directory: &Path) -> io::Result<Duration> {
    let probe = Probe::new(directory, "sync");
    let mut file = File::create_new(&probe.0)?;
    let folder = File::open(directory)?;
    let mut times = Vec::new();
    for _ in 0..SYNCS {
        let start = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        folder.sync_all()?;
        times.push(start.elapsed());
    }
    times.sort();
    Ok(times[times.len() / 2])
}

fn names(directory: &Path) -> Finding {
    const SUBJECT: &str = "links, renames";
    match link_and_rename(directory) {
        Ok(()) => Finding::good(SUBJECT, "work"),
        Err(error) => Finding::bad(
            SUBJECT,
            format!("{}: {error}", directory.display()),
            "put data_dir on a file system with hard links, such as ext4 or XFS",
        ),
    }
}

fn link_and_rename(directory: &Path) -> io::Result<()> {
    let (first, second, third) =
        (Probe::new(directory, "file"), Probe::new(directory, "link"), Probe::new(directory, "name"));
    File::create_new(&first.0)?;
    fs::hard_link(&first.0, &second.0)?;
    fs::rename(&second.0, &third.0)
}

/// A file of the doctor's own, gone when dropped.
struct Probe(PathBuf);

impl Probe {
    fn new(directory: &Path, name: &str) -> Self {
        Self(directory.join(format!(".berth-doctor-{}-{name}", std::process::id())))
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / GIB as f64)
}

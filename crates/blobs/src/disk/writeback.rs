//! Starts writing a file's pages out without waiting for them, so that the sync at the end has little left to do.

use std::{
    ffi::{c_int, c_uint},
    fs::File,
    io,
    os::fd::AsRawFd as _,
};

use rustix::io::Errno;

/// Starts write-out of dirty pages in the range (`SYNC_FILE_RANGE_WRITE` of `sync_file_range(2)`).
const WRITE: c_uint = 2;

#[expect(unsafe_code, reason = "neither std nor rustix offers sync_file_range(2)")]
// SAFETY: the signature is glibc's and musl's on 64-bit offsets; the call takes no pointers and checks its arguments.
unsafe extern "C" {
    safe fn sync_file_range(fd: c_int, offset: i64, count: i64, flags: c_uint) -> c_int;
}

/// Starts writing out `from..to`. It is only a hint and makes nothing durable: file systems that don't offer it are fine,
/// but a disk that has failed already says so.
pub(super) fn start(file: &File, from: u64, to: u64) -> io::Result<()> {
    let (Ok(offset), Ok(count)) = (i64::try_from(from), i64::try_from(to.saturating_sub(from))) else {
        return Ok(());
    };
    if sync_file_range(file.as_raw_fd(), offset, count, WRITE) == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match Errno::from_io_error(&error) {
        Some(Errno::IO | Errno::NOSPC | Errno::DQUOT) => Err(error),
        _ => Ok(()),
    }
}

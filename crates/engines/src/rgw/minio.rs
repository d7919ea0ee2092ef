//! MinIO on a directory, for those who have its program.

use std::path::PathBuf;
use std::process::Command;

use crate::guard::Guard;
use crate::port::free_port;

/// A server of one directory, whose objects outlive it.
#[derive(Debug)]
pub(super) struct Minio {
    program: PathBuf,
    port: u16,
    guard: Guard,
}

impl Minio {
    pub(super) fn new(program: PathBuf) -> Self {
        Self { program, port: free_port(), guard: Guard::new("minio") }
    }

    pub(super) fn guard(&self) -> &Guard {
        &self.guard
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The server, not yet started.
    pub(super) fn command(&self) -> Command {
        let directory = self.guard.directory();
        let mut command = Command::new(&self.program);
        command.args(["server", "--quiet", "--address"]).arg(format!("127.0.0.1:{}", self.port));
        command.arg(directory.join("objects")).env("HOME", directory);
        command.env("MINIO_BROWSER", "off").env("MINIO_UPDATE", "off");
        command.env("MINIO_ROOT_USER", super::ACCESS_KEY).env("MINIO_ROOT_PASSWORD", super::SECRET_KEY);
        command
    }
}

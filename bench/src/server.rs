//! The servers that are measured: started here on ports of their own, or given by address; ended by their handle.

use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::http::{Body, Client};
use crate::machine;

/// A running server.
pub(crate) struct Server {
    /// Its column in the tables.
    pub(crate) name: String,
    /// Where it answers plain HTTP, or HTTPS if it was started with a certificate.
    pub(crate) address: SocketAddr,
    /// Its process, whose children count as part of it.
    pub(crate) pid: u32,
    /// Where it keeps its data; absent for a server that was given by address.
    pub(crate) directory: Option<PathBuf>,
    child: Option<Child>,
}

/// How long a server may take to answer its first request.
const PATIENCE: Duration = Duration::from_secs(30);

impl Server {
    /// Starts a program that will answer at `address` and waits until it does.
    ///
    /// Its output goes to a file on the same disk, as a log collector would have it.
    pub(crate) fn spawn(
        name: &str,
        address: SocketAddr,
        directory: &Path,
        command: &mut Command,
    ) -> Result<Self> {
        let log = File::create(directory.join("log"))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", command.get_program().display()))?;
        let mut server = Self {
            name: name.to_owned(),
            address,
            pid: child.id(),
            directory: Some(directory.to_owned()),
            child: Some(child),
        };
        server.wait_until_it_answers()?;
        Ok(server)
    }

    fn wait_until_it_answers(&mut self) -> Result<()> {
        let start = Instant::now();
        loop {
            let mut client = Client::new(self.address);
            let answer = std::net::TcpStream::connect(self.address).map(drop);
            if answer.is_ok()
                && (self.name.ends_with("TLS") || client.send("GET", "/v2/", &[], Body::Empty).is_ok())
            {
                return Ok(());
            }
            if let Some(status) =
                self.child.as_mut().and_then(|child| child.try_wait().transpose()).transpose()?
            {
                bail!("{} ended with {status}: {}", self.name, self.last_words());
            }
            ensure!(
                start.elapsed() < PATIENCE,
                "{} does not answer at {}: {}",
                self.name,
                self.address,
                self.last_words()
            );
            pause(Duration::from_millis(1));
        }
    }

    fn last_words(&self) -> String {
        let log = self.directory.as_ref().map(|directory| directory.join("log"));
        let text = log.and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        text.lines().rev().take(3).collect::<Vec<_>>().join(" / ")
    }

    /// A registry that somebody else runs on this machine.
    pub(crate) fn given(name: &str, url: &str) -> Result<Self> {
        let authority = url
            .strip_prefix("http://")
            .with_context(|| format!("{url}: only http:// registries can be given"))?;
        let authority = authority.trim_end_matches('/');
        let address = authority
            .to_socket_addrs()
            .with_context(|| format!("{url}: give host and port"))?
            .next()
            .with_context(|| format!("{url}: no address"))?;
        ensure!(
            address.ip().is_loopback(),
            "{url}: only this machine is ever loaded, give a loopback address"
        );
        let pid = machine::listener(address.port())?;
        Ok(Self { name: name.to_owned(), address, pid, directory: None, child: None })
    }

    /// Processor seconds used so far.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        machine::cpu_seconds(self.pid)
    }

    /// Asks the process to end, waits, and deletes its data.
    pub(crate) fn stop(mut self) {
        self.end();
        if let Some(directory) = self.directory.take() {
            drop(fs::remove_dir_all(directory));
        }
    }

    /// Asks the process to end and waits, but keeps its data.
    pub(crate) fn end(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        // A process that is gone already needs no signal.
        let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(5) {
            if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            pause(Duration::from_millis(5));
        }
        drop(child.kill());
        drop(child.wait());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// A port of the loopback address that was free a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0))?;
    Ok(listener.local_addr()?)
}

/// Waits.
#[expect(clippy::disallowed_methods, reason = "the load generator's threads run no async code")]
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

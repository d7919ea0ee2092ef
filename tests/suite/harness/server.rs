//! The server under test: the built binary, started, killed and restarted on its data directory.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use super::{Api, Authority, Event, Home, Outcome, binary};

/// The one user of servers set up `with_user`.
pub(crate) const USER: &str = "ci";
/// The password of [`USER`].
pub(crate) const PASSWORD: &str = "correct-horse";

/// Longest that a start or a graceful stop may take.
const LIMIT: Duration = Duration::from_mins(1);

/// What kind of server a test wants; reads like a sentence, ends with `start`.
#[derive(Default)]
pub(crate) struct Setup {
    authority: Option<Arc<Authority>>,
    with_user: bool,
    is_administrator: bool,
    listen: Option<String>,
    data_dir: Option<PathBuf>,
    config: String,
    arguments: Vec<String>,
}

impl Setup {
    /// HTTPS with the certificate that `authority` signed.
    pub(crate) fn with_tls(mut self, authority: &Arc<Authority>) -> Self {
        self.authority = Some(Arc::clone(authority));
        self
    }

    /// Only [`USER`] may come in.
    pub(crate) fn with_user(mut self) -> Self {
        self.with_user = true;
        self
    }

    /// Only [`USER`] may come in, and may do everything.
    pub(crate) fn with_administrator(mut self) -> Self {
        self.is_administrator = true;
        self.with_user()
    }

    /// Listens on a free port of `address` instead of 127.0.0.1.
    pub(crate) fn on_address(mut self, address: &str) -> Self {
        self.listen = Some(format!("{address}:0"));
        self
    }

    /// Listens on this port of 127.0.0.1, also after a restart.
    pub(crate) fn on_port(mut self, port: u16) -> Self {
        self.listen = Some(format!("127.0.0.1:{port}"));
        self
    }

    /// Keeps the data in a directory of the test, which may be a file system of its own.
    pub(crate) fn in_dir(mut self, dir: &Path) -> Self {
        self.data_dir = Some(dir.to_owned());
        self
    }

    /// Adds top-level keys to berth.yaml.
    pub(crate) fn with_config(mut self, yaml: &str) -> Self {
        self.config.push_str(yaml);
        self.config.push('\n');
        self
    }

    /// Adds a flag of `berth serve`.
    pub(crate) fn with_flag(mut self, flag: &str) -> Self {
        self.arguments.push(flag.to_owned());
        self
    }

    pub(crate) async fn start(self) -> Result<Server> {
        let dir = tempfile::Builder::new().prefix("berth-server-").tempdir()?;
        let data = self.data_dir.clone().unwrap_or_else(|| dir.path().join("data"));
        let config = dir.path().join("berth.yaml");
        std::fs::write(&config, self.yaml()?)?;
        let mut arguments = vec!["serve".to_owned()];
        for (flag, value) in [
            ("--config", config.display().to_string()),
            ("--data-dir", data.display().to_string()),
            ("--listen", self.listen.unwrap_or_else(|| "127.0.0.1:0".to_owned())),
        ] {
            arguments.extend([flag.to_owned(), value]);
        }
        arguments.extend(self.arguments);
        let home = Home::new()?;
        let mut server = Server {
            dir,
            config,
            data,
            arguments,
            child: None,
            host: String::new(),
            authority: self.authority,
            with_user: self.with_user,
            home,
        };
        server.start().await?;
        Ok(server)
    }

    fn yaml(&self) -> Result<String> {
        let mut yaml = self.config.clone();
        if let Some(authority) = &self.authority {
            let (certificate, key) = (authority.certificate(), authority.key());
            writeln!(
                yaml,
                "http:\n  tls:\n    certificate: {}\n    key: {}",
                certificate.display(),
                key.display()
            )?;
        }
        if self.with_user {
            yaml.push_str(&user_entry(if self.is_administrator { "admin" } else { "write" })?);
        }
        Ok(yaml)
    }
}

/// What `berth passwd` prints for berth.yaml.
fn user_entry(access: &str) -> Result<String> {
    let mut passwd = Command::new(binary::berth()?)
        .args(["passwd", USER, "--access", access])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run berth passwd")?;
    // Dropped at the end of the line, which ends the input.
    passwd.stdin.take().context("no standard input")?.write_all(PASSWORD.as_bytes())?;
    let output = passwd.wait_with_output()?;
    ensure!(output.status.success(), "berth passwd: {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// A `berth serve` with a data directory of its own. Dropping it ends the process.
pub(crate) struct Server {
    dir: TempDir,
    config: PathBuf,
    data: PathBuf,
    arguments: Vec<String>,
    child: Option<Child>,
    host: String,
    authority: Option<Arc<Authority>>,
    with_user: bool,
    home: Home,
}

impl Server {
    /// Starts a server that anybody on this machine may use, over plain HTTP.
    pub(crate) async fn open() -> Result<Self> {
        Setup::default().start().await
    }

    /// Starts the process (again) and waits until it says where it listens. The port is a new one each time.
    pub(crate) async fn start(&mut self) -> Result<()> {
        let path = self.log_path();
        let log = OpenOptions::new().create(true).append(true).open(&path)?;
        let known = usize::try_from(log.metadata()?.len())?;
        let child = self.command()?.stdout(log.try_clone()?).stderr(log).spawn();
        self.child = Some(child.context("cannot start berth")?);
        let begin = Instant::now();
        loop {
            let text = std::fs::read_to_string(&path)?;
            if let Some(host) = listening_on(text.get(known..).unwrap_or_default()) {
                self.host = host;
                return Ok(());
            }
            let exited = self.child.as_mut().map(Child::try_wait).transpose()?.flatten();
            if let Some(status) = exited {
                bail!("berth serve ended with {status} at its start\n{text}");
            }
            if begin.elapsed() > LIMIT {
                bail!("berth serve says not where it listens after {} s\n{text}", LIMIT.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn command(&self) -> Result<Command> {
        let mut command = Command::new(binary::berth()?);
        command.args(&self.arguments).stdin(Stdio::null()).current_dir(self.dir.path());
        // The variables that steer the tests would be taken for keys of the configuration.
        for (key, _) in std::env::vars().filter(|(key, _)| key.starts_with("BERTH_")) {
            command.env_remove(key);
        }
        Ok(command)
    }

    /// Ends the process at once, as a power switch would for it alone.
    pub(crate) fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Asks the process to end and waits until it has, with success.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        self.home.run("kill", &["-s", "TERM", &child.id().to_string()]).await?;
        let begin = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                ensure!(status.success(), "berth serve ended with {status} after SIGTERM");
                return Ok(());
            }
            if begin.elapsed() > LIMIT {
                child.kill()?;
                bail!("berth serve still runs {} s after SIGTERM", LIMIT.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Host and port, as image references begin.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn data_dir(&self) -> &Path {
        &self.data
    }

    pub(crate) fn pid(&self) -> Result<u32> {
        Ok(self.child.as_ref().context("the server does not run")?.id())
    }

    /// Whether the process is still there.
    pub(crate) fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.as_mut().context("the server was ended")?.try_wait()?.is_none())
    }

    /// A client of this server, with the credentials that it wants.
    pub(crate) fn api(&self) -> Result<Api> {
        let authority = self.authority.as_deref();
        let scheme = if authority.is_some() { "https" } else { "http" };
        let credentials = self.with_user.then_some((USER, PASSWORD));
        Api::new(&format!("{scheme}://{}", self.host), authority, credentials)
    }

    /// Sends a signal to the process, such as `STOP`.
    pub(crate) async fn signal(&self, signal: &str) -> Result<()> {
        self.home.run("kill", &["-s", signal, &self.pid()?.to_string()]).await?;
        Ok(())
    }

    /// Runs `berth ARGUMENTS` with the server's configuration beside it, or on what it left.
    pub(crate) async fn berth(&self, arguments: &[&str]) -> Result<Outcome> {
        let (config, data) = (self.config.display().to_string(), self.data.display().to_string());
        let mut all = arguments.to_vec();
        all.extend(["--config", &config, "--data-dir", &data]);
        self.home.outcome(&binary::berth()?.display().to_string(), &all).await
    }

    /// Does the same with a command that reads a line, and must succeed.
    pub(crate) async fn is_told(&self, line: &str, arguments: &[&str]) -> Result<()> {
        let (config, data) = (self.config.display().to_string(), self.data.display().to_string());
        let berth = binary::berth()?.display().to_string();
        let piped = "line=$1; shift; printf '%s\\n' \"$line\" | \"$@\"";
        let mut all = vec!["-c", piped, "sh", line, &berth];
        all.extend(arguments);
        all.extend(["--config", &config, "--data-dir", &data]);
        self.home.run("sh", &all).await.map(|_| ())
    }

    /// Collects all garbage now, without the delay that protects pushes in flight.
    pub(crate) async fn collect(&self) -> Result<String> {
        self.succeeds(&["gc", "--now", "--delay", "0s"]).await
    }

    /// Proves that no tag lost a blob and that catalog and disk agree.
    pub(crate) async fn verify(&self) -> Result<String> {
        self.succeeds(&["gc", "--verify"]).await
    }

    /// Reads everything that is stored and compares it with its digests, as fast as it goes.
    pub(crate) async fn scrub(&self) -> Result<String> {
        self.succeeds(&["scrub", "--bytes-per-second", "0"]).await
    }

    /// Runs a `berth` command that must succeed.
    pub(crate) async fn succeeds(&self, arguments: &[&str]) -> Result<String> {
        let outcome = self.berth(arguments).await?;
        if !outcome.success {
            bail!("berth {}: failed\n{}", arguments.join(" "), outcome.text());
        }
        Ok(outcome.stdout)
    }

    /// The whole event log.
    pub(crate) async fn events(&self) -> Result<Vec<Event>> {
        let text = self.succeeds(&["events", "tail", "--after", "0"]).await?;
        text.lines().map(Event::parse).collect()
    }

    /// Directory in which bytes of unfinished uploads lie.
    pub(crate) fn uploads_dir(&self) -> PathBuf {
        self.data.join("store/uploads")
    }

    /// Directory in which blobs lie.
    pub(crate) fn blobs_dir(&self) -> PathBuf {
        self.data.join("store/blobs")
    }

    /// Files below the data directory that hold bytes of unfinished uploads.
    pub(crate) fn upload_files(&self) -> Result<Vec<String>> {
        let dir = self.uploads_dir();
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&dir)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    /// Everything that the server said so far.
    pub(crate) fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.log_path())?)
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing can be done about a failure here, and the test has its own to report.
        let _ = self.kill();
        let log = File::open(self.log_path()).and_then(std::io::read_to_string).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        println!("the server's last lines:");
        for line in &lines[lines.len().saturating_sub(40)..] {
            println!("  {line}");
        }
    }
}

/// Takes host and port from the line `listening on http://127.0.0.1:43211`, be it for a human or in JSON.
fn listening_on(log: &str) -> Option<String> {
    let (_, rest) = log.split_once("listening on http")?;
    let (_, rest) = rest.split_once("://")?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || ".:[]-".contains(c)))?;
    Some(rest[..end].to_owned())
}

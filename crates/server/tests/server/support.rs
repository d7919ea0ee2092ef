//! A server in a directory of its own, and a client that does exactly what it is told.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use berth_access::{Access, Anonymous};
use berth_blobs::Disk;
use berth_blobs::testing::{Faults, Faulty};
use berth_catalog::{Catalog, Clock};
use berth_registry::Registry;
use berth_server::{AccessLog, App, Config, Format, LogWriter, Server};
use parking_lot::Mutex;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Longest that anything in these tests may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running server.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    log: Sink,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
    _directory: TempDir,
}

/// The log, in memory.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A configuration that listens on a free port.
pub(crate) fn config() -> Config {
    Config { listen: vec!["127.0.0.1:0".parse().unwrap()], ..Config::default() }
}

/// What answers, on a store in `directory` that everybody may write to.
pub(crate) fn app(config: Config, directory: &Path) -> App {
    app_with(config, directory, Faults::default())
}

/// The same, on a store that fails as planned.
fn app_with(config: Config, directory: &Path, faults: Faults) -> App {
    let catalog = Catalog::open(&directory.join("catalog.db"), Clock::system()).unwrap();
    let disk = Arc::new(Disk::open(&directory.join("blobs"), 64).unwrap());
    let blobs = Arc::new(Faulty::new(disk, faults));
    let registry = Registry::new(catalog, blobs, berth_registry::Config::default());
    let access = berth_access::Config { anonymous: Some(Anonymous::Write), ..Default::default() };
    let access = Access::new(&access, registry.read_only()).unwrap();
    App::new(config, access, registry, Clock::system())
}

impl TestServer {
    pub(crate) fn start(config: Config) -> Self {
        Self::start_with(config, |app| app)
    }

    /// Starts a server whose `App` is finished by `finish`.
    pub(crate) fn start_with(config: Config, finish: impl FnOnce(App) -> App) -> Self {
        Self::start_on(config, Faults::default(), finish)
    }

    /// Starts a server whose store fails as planned.
    pub(crate) fn start_on(config: Config, faults: Faults, finish: impl FnOnce(App) -> App) -> Self {
        // Clients of these tests and the server share the provider.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let directory = tempfile::tempdir().unwrap();
        let log = Sink::default();
        let access_log = AccessLog::new(LogWriter::spawn(log.clone()).unwrap(), Format::Json);
        let app = app_with(config, directory.path(), faults).log_to(access_log);
        let server = Server::bind(finish(app)).unwrap();
        let address = server.local_addrs().unwrap()[0];
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self { address, log, stop: Some(stop), task, _directory: directory }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Begins the shutdown.
    pub(crate) fn begin_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits for the end of the shutdown; returns the access lines.
    pub(crate) async fn stopped(self) -> Vec<Value> {
        tokio::time::timeout(PATIENCE, self.task).await.expect("the server stops in time").unwrap();
        let text = String::from_utf8(self.log.0.lock().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Stops the server; returns the access lines.
    pub(crate) async fn stop(mut self) -> Vec<Value> {
        self.begin_stop();
        self.stopped().await
    }

    pub(crate) async fn connect(&self) -> Raw {
        Raw(TcpStream::connect(self.address).await.unwrap())
    }

    /// Stores a blob of this many bytes; returns the path to pull it from.
    pub(crate) async fn push_blob(&self, repository: &str, bytes: usize) -> String {
        let content = vec![b'x'; bytes];
        let digest = berth_oci::Digest::of(berth_oci::Algorithm::Sha256, &content);
        let url = self.url(&format!("/v2/{repository}/blobs/uploads/?digest={digest}"));
        let response = reqwest::Client::new().post(url).body(content).send().await.unwrap();
        assert_eq!(response.status(), 201, "{}", response.text().await.unwrap());
        format!("/v2/{repository}/blobs/{digest}")
    }

    /// The value of a metric without labels.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let text = reqwest::get(self.url("/metrics")).await.unwrap().text().await.unwrap();
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok()).expect(name)
    }
}

/// A connection on which bytes are written and read as they are.
pub(crate) struct Raw(TcpStream);

impl Raw {
    pub(crate) async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads until the header of a response is complete; returns what there is, perhaps with a part of the body.
    pub(crate) async fn read_head(&mut self) -> String {
        let mut seen = Vec::new();
        while !seen.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
            let mut buffer = [0; 4096];
            let count = tokio::time::timeout(PATIENCE, self.0.read(&mut buffer)).await.unwrap().unwrap();
            assert_ne!(count, 0, "closed after {:?}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&buffer[..count]);
        }
        String::from_utf8_lossy(&seen).into_owned()
    }

    /// Reads to the end; returns how many bytes came, or the error with which the connection broke.
    pub(crate) async fn read_to_end(&mut self) -> io::Result<usize> {
        let mut rest = Vec::new();
        tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut rest))
            .await
            .expect("the connection ends in time")
    }

    /// Asks for a path on a connection that stays open.
    pub(crate) async fn get(&mut self, path: &str) -> String {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: berth\r\n\r\n")).await;
        self.read_head().await
    }
}

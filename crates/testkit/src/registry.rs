//! A whole registry in this process, behind a real socket.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_access::{Access, effective_anonymous};
use berth_blobs::{Blobs, Disk};
use berth_catalog::{Catalog, Clock};
use berth_registry::{Registry, Repaired};
use berth_server::{App, Server, Tls};
use tempfile::TempDir;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::{Builder, Client};

/// A registry that a test has for itself. It ends, and its directory goes, when this is dropped.
#[derive(Debug)]
pub struct TestRegistry {
    directory: TempDir,
    builder: Builder,
    running: Option<Running>,
    /// PEM of the certificate that clients must trust.
    certificate: Option<String>,
}

#[derive(Debug)]
struct Running {
    registry: Registry,
    repaired: Repaired,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    /// Ends the task that follows who may do what, when it is dropped.
    _following: watch::Sender<bool>,
}

impl TestRegistry {
    /// Describes a registry; without further words it is one that everybody on this machine may push to.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) async fn start(mut builder: Builder) -> Self {
        // Fails when another test was first, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let anonymous = effective_anonymous(&builder.access, true).expect("loopback needs no users");
        builder.access.anonymous = Some(anonymous);
        let certificate = builder.tls.then(|| {
            let (files, pem) = make_certificate(directory.path());
            builder.http.tls = Some(files);
            pem
        });
        let mut registry = Self { directory, builder, running: None, certificate };
        registry.open().await;
        registry
    }

    async fn open(&mut self) {
        let data = self.data_dir();
        let catalog =
            Catalog::open(&data.join("catalog.db"), self.builder.clock.clone()).expect("the catalog opens");
        let blobs: Arc<dyn Blobs> = Arc::new(Disk::open(&data.join("store"), 16).expect("the store opens"));
        let registry = Registry::new(catalog, blobs, self.builder.registry.clone());
        let repaired = registry.repair().await.expect("leftovers can be repaired");
        let access = Access::open(&self.builder.access, registry.read_only(), registry.catalog())
            .await
            .expect("the access configuration is valid");
        let (following, followed) = watch::channel(false);
        tokio::spawn({
            let access = access.clone();
            async move { access.follow(followed).await }
        });
        let app = App::new(self.builder.http.clone(), access, registry.clone(), self.builder.clock.clone());
        let server = Server::bind(app).expect("the server can listen");
        let address =
            *server.local_addrs().expect("a bound socket has an address").first().expect("it listens");
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.run(async {
            // An error means that the registry was dropped, which ends it as well.
            let _ = stopped.await;
        }));
        self.running = Some(Running { registry, repaired, address, stop, task, _following: following });
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the registry runs")
    }

    /// Ends the server after its requests and starts it again on the same directory, perhaps on another port.
    pub async fn restart(&mut self) -> Repaired {
        if let Some(running) = self.running.take() {
            // An error means that the server has ended already.
            let _ = running.stop.send(());
            running.task.await.expect("the server ends well");
        }
        self.open().await;
        self.running().repaired
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.running().address
    }

    /// Where it listens, as a URL without a slash at its end.
    pub fn url(&self) -> String {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address())
    }

    /// A client without credentials.
    pub fn client(&self) -> Client {
        Client::new(self.url(), self.certificate.as_deref())
    }

    /// The domain behind the server, for what HTTP does not show.
    pub fn registry(&self) -> &Registry {
        &self.running().registry
    }

    /// The clock that the registry asks.
    pub fn clock(&self) -> &Clock {
        &self.builder.clock
    }

    /// The directory that holds everything.
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    /// The files of the blob store, relative to it and sorted, for a look at what lies in storage.
    pub fn stored_files(&self) -> Vec<String> {
        let root = self.data_dir().join("store");
        let mut files = Vec::new();
        collect_files(&root, &root, &mut files);
        files.sort();
        files
    }
}

fn collect_files(root: &Path, directory: &Path, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).expect("the store can be listed") {
        let path = entry.expect("the store can be listed").path();
        if path.is_dir() {
            collect_files(root, &path, files);
        } else {
            files.push(path.strip_prefix(root).unwrap_or(&path).display().to_string());
        }
    }
}

fn make_certificate(directory: &Path) -> (Tls, String) {
    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate can be made");
    let files = Tls::new(directory.join("server.crt"), directory.join("server.key"));
    let pem = made.cert.pem();
    std::fs::write(&files.certificate, &pem).expect("the certificate can be written");
    std::fs::write(&files.key, made.signing_key.serialize_pem()).expect("the key can be written");
    (files, pem)
}

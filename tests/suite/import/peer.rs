//! Debian's docker-registry (distribution 2.8), whose storage directory or bucket is what gets imported.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use berth_engines::Rgw;
use tokio::process::Child;

use crate::harness::{Api, Home};

/// A running docker-registry. Dropping it ends the process.
pub(super) struct Peer {
    child: Child,
    host: String,
    dir: PathBuf,
}

impl Peer {
    pub(super) async fn start(home: &Home) -> Result<Self> {
        let dir = home.path().join("old-registry");
        let storage = format!("  filesystem: {{rootdirectory: {}}}\n", dir.display());
        Self::start_with(home, &storage, dir).await
    }

    /// Starts one that stores below `old` in a bucket.
    pub(super) async fn start_in_bucket(home: &Home, gateway: &Rgw, bucket: &str) -> Result<Self> {
        let storage = format!(
            "  s3: {{region: us-east-1, regionendpoint: \"{}\", bucket: {bucket}, rootdirectory: /old, secure: false,\n       \
             accesskey: {}, secretkey: {}}}\n  redirect: {{disable: true}}\n",
            gateway.endpoint(),
            gateway.access_key(),
            gateway.secret_key()
        );
        Self::start_with(home, &storage, home.path().to_owned()).await
    }

    async fn start_with(home: &Home, storage: &str, dir: PathBuf) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let host = format!("127.0.0.1:{port}");
        let config = home.write(
            "peer.yml",
            &format!(
                "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
                 storage:\n{storage}  delete: {{enabled: true}}\n\
                 http: {{addr: \"{host}\"}}\n"
            ),
        )?;
        let child = home
            .command("docker-registry")
            .arg("serve")
            .arg(config)
            // To this program it is a key of its configuration.
            .env_remove("REGISTRY_AUTH_FILE")
            .env_remove("AWS_CA_BUNDLE")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run docker-registry; scripts/packages installs it")?;
        let peer = Self { child, host, dir };
        let begin = Instant::now();
        while peer.api()?.get("/v2/").await.is_err() {
            ensure!(begin.elapsed() < Duration::from_secs(30), "docker-registry does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(peer)
    }

    pub(super) fn api(&self) -> Result<Api> {
        Api::new(&format!("http://{}", self.host), None, None)
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Ends the process and hands back the directory that it leaves.
    pub(super) async fn stop(mut self) -> Result<Store> {
        self.child.kill().await?;
        Ok(Store(self.dir))
    }
}

/// The directory of a docker-registry.
pub(super) struct Store(PathBuf);

impl Store {
    pub(super) fn dir(&self) -> String {
        self.0.display().to_string()
    }

    /// The file of a blob.
    pub(super) fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.trim_start_matches("sha256:");
        self.root().join(format!("blobs/sha256/{}/{hex}/data", &hex[..2]))
    }

    fn root(&self) -> PathBuf {
        self.0.join("docker/registry/v2")
    }

    /// Points a tag at a manifest.
    pub(super) fn tag(&self, repository: &str, tag: &str, digest: &str) -> Result<()> {
        let tags = self.root().join("repositories").join(repository).join("_manifests/tags");
        write(&tags.join(tag).join("current/link"), digest.as_bytes())
    }

    /// Puts a manifest there as old versions did, whatever it is.
    pub(super) fn plant(&self, repository: &str, tag: &str, digest: &str, content: &[u8]) -> Result<()> {
        let (hex, manifests) = (
            digest.trim_start_matches("sha256:"),
            self.root().join("repositories").join(repository).join("_manifests"),
        );
        write(&self.blob(digest), content)?;
        write(&manifests.join(format!("revisions/sha256/{hex}/link")), digest.as_bytes())?;
        self.tag(repository, tag, digest)
    }

    /// Names, sizes and times of change of all files: what an import must leave as it is.
    pub(super) fn state(&self) -> Result<Vec<(PathBuf, u64, std::time::SystemTime)>> {
        let mut found = Vec::new();
        walk(&self.0, &mut found)?;
        found.sort();
        Ok(found)
    }
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    std::fs::create_dir_all(path.parent().context("no parent")?)?;
    Ok(std::fs::write(path, content)?)
}

fn walk(dir: &Path, found: &mut Vec<(PathBuf, u64, std::time::SystemTime)>) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, found)?;
        } else {
            let metadata = path.metadata()?;
            found.push((path, metadata.len(), metadata.modified()?));
        }
    }
    Ok(())
}

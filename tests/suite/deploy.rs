//! What `deploy/` ships: linted, rendered and checked by the programs that would read it, and run where that is possible here.

mod backup;
mod chart;
mod compose;
mod debian;
mod haproxy;
mod hardening;
mod image;
mod nginx;
mod notes;
mod ready;
mod rules;
mod systemd;
mod values;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tokio::process::Child;

use crate::harness::{Api, Authority, Home, Images, PASSWORD, Setup, USER, berth, workspace};

/// Path below `deploy/`.
fn shipped(path: &str) -> String {
    workspace().join("deploy").join(path).display().to_string()
}

/// Text of a file below `deploy/`.
fn text_of(path: &str) -> Result<String> {
    std::fs::read_to_string(shipped(path)).with_context(|| format!("no deploy/{path}"))
}

/// Text in which `from` stands exactly once, with `to` in its place.
fn replaced(text: &str, from: &str, to: &str) -> Result<String> {
    ensure!(text.matches(from).count() == 1, "{from:?} stands {} times in it", text.matches(from).count());
    Ok(text.replace(from, to))
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The binary under test without what only debuggers read: a tenth of its size.
async fn stripped(home: &Home) -> Result<PathBuf> {
    let to = home.path().join("stripped/berth");
    std::fs::create_dir_all(home.path().join("stripped"))?;
    home.run("strip", &["-o", &to.display().to_string(), &berth()?.display().to_string()]).await?;
    Ok(to)
}

/// Fails unless `berth config check` takes this text, with a user from the environment.
async fn ensure_configuration(home: &mut Home, yaml: &str) -> Result<()> {
    home.set("BERTH_ACCESS__USERS", USERS);
    let file = home.write("rendered/berth.yaml", yaml)?.display().to_string();
    let check = ["config", "check", "--no-files", "--config", &file];
    let outcome = home.outcome(&berth()?.display().to_string(), &check).await?;
    ensure!(outcome.success, "{}\n{yaml}", outcome.text());
    ensure!(outcome.stdout.contains("name: ci"), "the user is missing\n{}", outcome.stdout);
    Ok(())
}

/// A list of users as a secret holds it.
const USERS: &str = "- name: ci\n  password: $argon2id$v=19$m=19456,t=2,p=1$QAdwG23PsBaFqXgBj2/Efg$vY4plXz52RBBYzgGw3Y19MRXEyXoIeNRlE1euGbFHnQ\n";

/// A proxy. Dropping it ends the process.
struct Proxy {
    _process: Child,
    port: u16,
}

impl Proxy {
    /// Starts a program and waits until it takes connections on a port.
    async fn start(home: &Home, command: &[&str], port: u16) -> Result<Self> {
        let log = home.path().join("proxy.log");
        let file = std::fs::File::create(&log)?;
        let mut program = home.command(command[0]);
        program.args(&command[1..]).stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let mut process = program.spawn().with_context(|| format!("cannot run {}", command[0]))?;
        let begin = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            if process.try_wait()?.is_some() || begin.elapsed() > Duration::from_secs(30) {
                bail!("{} does not come up:\n{}", command[0], std::fs::read_to_string(&log)?);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(Self { _process: process, port })
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn api(&self, authority: &Authority) -> Result<Api> {
        Api::new(&format!("https://{}", self.host()), Some(authority), Some((USER, PASSWORD)))
    }
}

/// A server as it stands behind a proxy on the same machine.
fn behind_proxy() -> Setup {
    Setup::default().with_config("http:\n  trusted_proxies: [\"127.0.0.1/32\"]").with_user()
}

/// Pushes an image with layers of several sizes through a proxy and pulls it back.
async fn round_trip(home: &Home, images: &Images, authority: &Authority, proxy: &Proxy) -> Result<()> {
    let there = format!("docker://{}/through/proxy:1", proxy.host());
    let credentials = format!("{USER}:{PASSWORD}");
    let trust = authority.ca_dir();
    let image = images.oci(&images.image);
    home.run(
        "skopeo",
        &["copy", "-q", "--dest-cert-dir", &trust, "--dest-creds", &credentials, &image, &there],
    )
    .await?;
    let back = format!("oci:{}:back", home.file("back"));
    home.run("skopeo", &["copy", "-q", "--src-cert-dir", &trust, "--src-creds", &credentials, &there, &back])
        .await?;
    let inspect = home.run("skopeo", &["inspect", &back]).await?;
    let inspect: Value = serde_json::from_str(&inspect)?;
    ensure!(inspect["Digest"] == images.image.digest.as_str(), "came back changed: {inspect}");
    Ok(())
}

/// Runs the checker that `scripts/tools` builds; hands back what it read.
async fn read_by_checker(home: &Home, arguments: &[&str]) -> Result<Value> {
    Ok(serde_json::from_str(&home.run("manifests", arguments).await?)?)
}

/// Files directly in a directory.
fn files_in(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}

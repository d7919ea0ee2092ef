//! docker: builds, pushes, pulls and runs, with one dockerd for all of it.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};

use super::engine::Engine;
use super::{REFUSED, UNTRUSTED, ensure_tag};
use crate::harness::{Authority, Home, Images, PASSWORD, Registry, Server, Setup, USER};

/// Debian's client; a newer one earlier in `PATH` may lack the builder that this daemon speaks with.
pub(crate) const DOCKER: &str = "/usr/bin/docker";
/// docker never checks a certificate on 127.0.0.0/8, so the server that speaks TLS gets an address reserved for documentation.
const ADDRESS: &str = "198.51.100.77";

#[tokio::test]
async fn builds_pushes_pulls_and_runs() -> Result<()> {
    let mut home = Home::new()?;
    let engine = start(&mut home).await?;
    let plain = Server::open().await?;
    round_trip(&home, &plain).await?;
    over_tls(&home).await?;
    log_in(&home).await?;
    engine.stop(&home).await
}

/// Starts a dockerd that leaves the machine's network and images alone.
pub(crate) async fn start(home: &mut Home) -> Result<Engine> {
    let socket = format!("unix://{}", home.file("d.sock"));
    let config = serde_json::json!({
        "iptables": false, "ip6tables": false, "bridge": "none", "storage-driver": "vfs", "hosts": [socket],
        "data-root": home.file("docker-data"), "exec-root": home.file("docker-exec"), "pidfile": home.file("docker.pid"),
    });
    let config = home.write("daemon.json", &config.to_string())?.display().to_string();
    home.set("DOCKER_HOST", socket);
    let engine = Engine::start(home, &["dockerd", "--config-file", &config], &[DOCKER, "version"]).await?;
    Ok(engine.that_mounts(home.file("docker-data")))
}

pub(crate) async fn round_trip(home: &Home, server: &dyn Registry) -> Result<()> {
    let reference = format!("{}/docker/built:1", server.host());
    std::fs::create_dir_all(home.path().join("context"))?;
    std::fs::copy("/bin/busybox", home.path().join("context/busybox")).context("no busybox")?;
    let greeting = Images::GREETING;
    let file = format!(
        "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"sh\", \"-c\", \"/bin/busybox echo {greeting} \
         > /greeting\"]\nCMD [\"/bin/busybox\", \"cat\", \"/greeting\"]\n"
    );
    home.write("context/Dockerfile", &file)?;
    docker(home, &["build", "-q", "--network", "none", "-t", &reference, &home.file("context")]).await?;
    let digest = push(home, &reference).await?;
    ensure_tag(server, "docker/built", "1", &digest).await?;

    docker(home, &["rmi", "-f", &reference]).await?;
    let pulled = docker(home, &["pull", &reference]).await?;
    ensure!(pulled.contains(&digest), "pulled something else than {digest}: {pulled}");
    let output = docker(home, &["run", "--rm", "--network", "none", &reference]).await?;
    ensure!(output.trim() == greeting, "the pulled image printed {output:?}");

    // The same layers under another name are mounted, not sent again.
    let again = format!("{}/docker/again:2", server.host());
    docker(home, &["tag", &reference, &again]).await?;
    let pushed = docker(home, &["push", &again]).await?;
    ensure!(pushed.contains("Mounted from docker/built"), "{pushed}");
    by_digest(home, server, &digest).await?;
    by_skopeo(home, server, &digest).await
}

/// Lets skopeo bring an image from the registry into the daemon.
async fn by_skopeo(home: &Home, server: &dyn Registry, digest: &str) -> Result<()> {
    let from = format!("docker://{}/docker/built@{digest}", server.host());
    let daemon = format!("unix://{}", home.file("d.sock"));
    let to = ["--dest-daemon-host", &daemon, &from, "docker-daemon:by/skopeo:1"];
    home.run("skopeo", &[&["copy", "-q", "--src-tls-verify=false"], &to[..]].concat()).await?;
    let output = docker(home, &["run", "--rm", "--network", "none", "by/skopeo:1"]).await?;
    ensure!(output.trim() == Images::GREETING, "the image that skopeo brought printed {output:?}");
    Ok(())
}

/// Pulls as pinned deployments do, by digest and by tag with digest.
async fn by_digest(home: &Home, server: &dyn Registry, digest: &str) -> Result<()> {
    for reference in [format!("docker/built@{digest}"), format!("docker/again:2@{digest}")] {
        let pulled = docker(home, &["pull", &format!("{}/{reference}", server.host())]).await?;
        ensure!(pulled.contains(digest), "{pulled}");
    }
    Ok(())
}

async fn over_tls(home: &Home) -> Result<()> {
    let _address = Address::add(home, ADDRESS).await?;
    let authority = Arc::new(Authority::new(&[ADDRESS])?);
    let server = Setup::default()
        .with_tls(&authority)
        .on_address(ADDRESS)
        .with_flag("--anonymous=write")
        .start()
        .await?;
    let reference = format!("{}/docker/tls:1", server.host());
    docker(home, &["build", "-q", "--network", "none", "-t", &reference, &home.file("context")]).await?;
    home.fails(DOCKER, &["push", &reference], UNTRUSTED).await?;
    let _trust = Trust::new(&server, &authority)?;
    let digest = push(home, &reference).await?;
    ensure_tag(&server, "docker/tls", "1", &digest).await?;
    docker(home, &["rmi", "-f", &reference]).await?;
    let pulled = docker(home, &["pull", &reference]).await?;
    ensure!(pulled.contains(&digest), "pulled something else than {digest}: {pulled}");
    Ok(())
}

async fn log_in(home: &Home) -> Result<()> {
    let server = Setup::default().with_user().start().await?;
    let reference = format!("{}/docker/private:1", server.host());
    docker(home, &["build", "-q", "--network", "none", "-t", &reference, &home.file("context")]).await?;
    home.fails(DOCKER, &["push", &reference], REFUSED).await?;
    let login = |password| ["login", "-u", USER, "-p", password, server.host()];
    home.fails(DOCKER, &login("wrong"), REFUSED).await?;
    docker(home, &login(PASSWORD)).await?;
    let digest = push(home, &reference).await?;
    ensure_tag(&server, "docker/private", "1", &digest).await?;
    docker(home, &["pull", &reference]).await?;
    Ok(())
}

/// Pushes and hands back the digest of docker's line "1: digest: sha256:… size: 524".
async fn push(home: &Home, reference: &str) -> Result<String> {
    let output = docker(home, &["push", reference]).await?;
    let (_, rest) = output.split_once("digest: ").with_context(|| format!("no digest: {output}"))?;
    Ok(rest.split_whitespace().next().unwrap_or_default().to_owned())
}

async fn docker(home: &Home, arguments: &[&str]) -> Result<String> {
    home.run(DOCKER, arguments).await
}

/// An address of the loopback device outside 127.0.0.0/8, for the time of a test.
pub(crate) struct Address(&'static str);

impl Address {
    pub(crate) async fn add(home: &Home, address: &'static str) -> Result<Self> {
        home.run("ip", &["address", "replace", &format!("{address}/32"), "dev", "lo"]).await?;
        Ok(Self(address))
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        let arguments = ["address", "del", &format!("{}/32", self.0), "dev", "lo"];
        // An address that stays is harmless, and the next run replaces it.
        let _ = std::process::Command::new("ip").args(arguments).status();
    }
}

/// What docker reads to trust a CA for one server; it knows no other place for it.
pub(crate) struct Trust(std::path::PathBuf);

impl Trust {
    pub(crate) fn new(server: &Server, authority: &Authority) -> Result<Self> {
        let dir = std::path::Path::new("/etc/docker/certs.d").join(server.host());
        std::fs::create_dir_all(&dir)?;
        std::fs::copy(authority.ca_file(), dir.join("ca.crt"))?;
        Ok(Self(dir))
    }
}

impl Drop for Trust {
    fn drop(&mut self) {
        // What stays names a port and a CA that are gone.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

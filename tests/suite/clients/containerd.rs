//! containerd's ctr: pulls, runs, and pushes what it pulled, which mounts blobs from the repository they came from.

use anyhow::{Result, ensure};

use super::engine::Engine;
use super::{REFUSED, Stage, UNTRUSTED, ensure_tag};
use crate::harness::{Home, Image, Images, PASSWORD, Registry, Setup, USER};

#[tokio::test]
async fn pulls_runs_and_pushes() -> Result<()> {
    let stage = Stage::new().await?;
    let home = &stage.home;
    let engine = start(home).await?;
    let hosts = hosts_dir(&stage, "hosts", &format!("ca = \"{}\"\n", stage.authority.ca_file()))?;
    let plain = ["--plain-http"];
    let trusting = ["--hosts-dir", hosts.as_str()];
    let seed_trust = format!("--dest-cert-dir={}", stage.authority.ca_dir());
    for (server, seed_trust, trust) in
        [(&stage.plain, "--dest-tls-verify=false", &plain[..]), (&stage.secure, &seed_trust, &trusting[..])]
    {
        round_trips(home, &stage.images, server, seed_trust, trust).await?;
    }
    let untrusted = format!("{}/containerd/image:1", stage.secure.host());
    let hosts = hosts_dir(&stage, "untold", "")?;
    ctr_fails(home, &["image", "pull", "--hosts-dir", &hosts, &untrusted], UNTRUSTED).await?;
    log_in(home, &stage.images).await?;
    engine.stop(home).await
}

pub(crate) async fn start(home: &Home) -> Result<Engine> {
    let socket = home.file("c.sock");
    let config = format!(
        "version = 2\nroot = \"{}\"\nstate = \"{}\"\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
         [grpc]\naddress = \"{socket}\"\n",
        home.file("root"),
        home.file("state")
    );
    let config = home.write("containerd.toml", &config)?.display().to_string();
    Engine::start(home, &["containerd", "-c", &config], &["ctr", "-a", &socket, "version"]).await
}

/// Tells containerd that a server speaks TLS, and whom to trust for it.
fn hosts_dir(stage: &Stage, name: &str, trust: &str) -> Result<String> {
    let host = stage.secure.host();
    let hosts = format!(
        "server = \"https://{host}\"\n[host.\"https://{host}\"]\ncapabilities = [\"pull\", \"resolve\", \"push\"]\n{trust}"
    );
    stage.home.write(&format!("{name}/{host}/hosts.toml"), &hosts)?;
    Ok(stage.home.file(name))
}

/// Lets skopeo bring images into the registry, and containerd pull, push and run them.
pub(crate) async fn round_trips(
    home: &Home,
    images: &Images,
    server: &dyn Registry,
    seed_trust: &str,
    trust: &[&str],
) -> Result<()> {
    for image in [&images.image, &images.multi] {
        let there = format!("docker://{}/containerd/{}:1", server.host(), image.name);
        home.run("skopeo", &["copy", "-q", "--all", seed_trust, &images.oci(image), &there]).await?;
        round_trip(home, server, image, trust).await?;
    }
    run(home, images, server).await
}

/// Pulls an image with all its platforms and pushes it to another repository.
async fn round_trip(home: &Home, server: &dyn Registry, image: &Image, trust: &[&str]) -> Result<()> {
    let reference = format!("{}/containerd/{}:1", server.host(), image.name);
    let pull = ["image", "pull", "--snapshotter", "native", "--all-platforms"];
    ctr(home, &[&pull[..], trust, &[&reference]].concat()).await?;
    let listed = ctr(home, &["image", "ls", &format!("name=={reference}")]).await?;
    ensure!(listed.contains(&image.digest), "pulled something else than {}: {listed}", image.digest);
    let again = format!("{}/containerd/again-{}:1", server.host(), image.name);
    ctr(home, &["image", "tag", &reference, &again]).await?;
    ctr(home, &[&["image", "push"][..], trust, &[&again]].concat()).await?;
    ensure_tag(server, &format!("containerd/again-{}", image.name), "1", &image.digest).await
}

async fn run(home: &Home, images: &Images, server: &dyn Registry) -> Result<()> {
    let reference = format!("{}/containerd/image:1", server.host());
    let container = format!("c{}", server.host().replace(':', "-"));
    let output = ctr(home, &["run", "--rm", "--snapshotter", "native", &reference, &container]).await?;
    images.check_run(&output)
}

async fn log_in(home: &Home, images: &Images) -> Result<()> {
    let server = Setup::default().with_user().start().await?;
    let reference = format!("{}/containerd/private:1", server.host());
    let credentials = format!("--dest-creds={USER}:{PASSWORD}");
    let there = format!("docker://{reference}");
    let seed = ["copy", "-q", "--dest-tls-verify=false", &credentials, &images.oci(&images.image), &there];
    home.run("skopeo", &seed).await?;
    let (right, wrong) = (format!("{USER}:{PASSWORD}"), format!("{USER}:wrong"));
    let pull =
        |user| ["image", "pull", "--snapshotter", "native", "--plain-http", "--user", user, &reference];
    ctr_fails(home, &pull(wrong.as_str()), REFUSED).await?;
    ctr(home, &pull(right.as_str())).await?;
    Ok(())
}

async fn ctr(home: &Home, arguments: &[&str]) -> Result<String> {
    let socket = home.file("c.sock");
    home.run("ctr", &[&["-a", &socket][..], arguments].concat()).await
}

async fn ctr_fails(home: &Home, arguments: &[&str], reasons: &[&str]) -> Result<()> {
    let socket = home.file("c.sock");
    home.fails("ctr", &[&["-a", &socket][..], arguments].concat(), reasons).await
}

//! podman: pushes, pulls, runs what it pulled, and moves manifest lists.

use anyhow::{Result, ensure};

use super::{REFUSED, Stage, UNTRUSTED, ensure_tag};
use crate::harness::{Home, Images, PASSWORD, Registry, Setup, USER};

/// Lets podman and buildah keep their images in this home, and run without more limits or cgroups than root has here.
pub(crate) fn configure(home: &mut Home) -> Result<()> {
    let containers = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\nnetns = \"none\"\n\
                      [engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\n";
    let storage = format!(
        "[storage]\ndriver = \"vfs\"\ngraphroot = \"{}\"\nrunroot = \"{}\"\n",
        home.file("graph"),
        home.file("runroot")
    );
    let containers = home.write("containers.conf", containers)?;
    let storage = home.write("storage.conf", &storage)?;
    home.set("CONTAINERS_CONF", containers.display().to_string());
    home.set("CONTAINERS_STORAGE_CONF", storage.display().to_string());
    Ok(())
}

#[tokio::test]
async fn pulls_runs_and_pushes_over_http() -> Result<()> {
    let mut stage = Stage::new().await?;
    configure(&mut stage.home)?;
    round_trip(&stage.home, &stage.images, &stage.plain, "--tls-verify=false").await
}

#[tokio::test]
async fn pulls_runs_and_pushes_over_tls() -> Result<()> {
    let mut stage = Stage::new().await?;
    configure(&mut stage.home)?;
    let reference = format!("{}/podman/multi:1", stage.secure.host());
    stage.home.fails("podman", &["pull", "-q", &reference], UNTRUSTED).await?;
    round_trip(&stage.home, &stage.images, &stage.secure, &format!("--cert-dir={}", stage.authority.ca_dir()))
        .await
}

/// Brings the images in by podman itself, pulls them into an emptied store and runs the one for this machine.
pub(crate) async fn round_trip(
    home: &Home,
    images: &Images,
    server: &dyn Registry,
    trust: &str,
) -> Result<()> {
    let reference = format!("{}/podman/image:1", server.host());
    let id = load(home, images).await?;
    let digest_file = home.file("digest");
    let push = ["push", "-q", trust, "--digestfile", &digest_file, &id, &reference];
    home.run("podman", &push).await?;
    let pushed = std::fs::read_to_string(&digest_file)?;
    ensure_tag(server, "podman/image", "1", &pushed).await?;

    home.run("podman", &["rmi", "-f", &id]).await?;
    home.run("podman", &["pull", "-q", trust, &reference]).await?;
    let pulled = home.run("podman", &["image", "inspect", "--format", "{{.Digest}}", &reference]).await?;
    ensure!(pulled.trim() == pushed, "pulled {pulled}, not the pushed {pushed}");
    let output = home.run("podman", &["run", "--rm", &reference]).await?;
    images.check_run(&output)?;
    let trust_source = trust.replace("--", "--src-");
    let (from, to) = (format!("docker://{reference}"), "containers-storage:localhost/by-skopeo:1");
    home.run("skopeo", &["copy", "-q", &trust_source, &from, to]).await?;
    images.check_run(&home.run("podman", &["run", "--rm", "localhost/by-skopeo:1"]).await?)?;
    manifest_list(home, server, trust, &reference).await?;
    home.run("podman", &["rmi", "-f", "-a"]).await?;
    Ok(())
}

/// Brings the image into podman's store; hands back its id.
async fn load(home: &Home, images: &Images) -> Result<String> {
    let archive = home.file("image.tar");
    let to = format!("oci-archive:{archive}:localhost/loaded:1");
    home.run("skopeo", &["copy", "-q", &images.oci(&images.image), &to]).await?;
    home.run("podman", &["load", "-q", "-i", &archive]).await?;
    Ok(home.run("podman", &["images", "-q", "--no-trunc"]).await?.trim().to_owned())
}

async fn manifest_list(home: &Home, server: &dyn Registry, trust: &str, image: &str) -> Result<()> {
    let list = format!("{}/podman/list:1", server.host());
    home.run("podman", &["manifest", "create", &list]).await?;
    home.run("podman", &["manifest", "add", trust, &list, image]).await?;
    let digest_file = home.file("list-digest");
    let target = format!("docker://{list}");
    home.run("podman", &["manifest", "push", "--all", trust, "--digestfile", &digest_file, &list, &target])
        .await?;
    home.run("podman", &["manifest", "rm", &list]).await?;
    ensure_tag(server, "podman/list", "1", &std::fs::read_to_string(&digest_file)?).await?;
    home.run("podman", &["pull", "-q", trust, &list]).await?;
    Ok(())
}

#[tokio::test]
async fn logs_in() -> Result<()> {
    let mut home = Home::new()?;
    configure(&mut home)?;
    let images = Images::build(home.path())?;
    let server = Setup::default().with_user().start().await?;
    let id = load(&home, &images).await?;
    let reference = format!("{}/podman/private:1", server.host());
    let push = ["push", "-q", "--tls-verify=false", &id, &reference];
    home.fails("podman", &push, REFUSED).await?;
    let login = |password| ["login", "--tls-verify=false", "-u", USER, "-p", password, server.host()];
    home.fails("podman", &login("wrong"), REFUSED).await?;
    home.run("podman", &login(PASSWORD)).await?;
    home.run("podman", &push).await?;
    home.run("podman", &["pull", "-q", "--tls-verify=false", &reference]).await?;
    home.run("podman", &["rmi", "-f", "-a"]).await?;
    Ok(())
}

//! The Debian package: built, installed, upgraded and purged by dpkg on a throw-away copy of this machine.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use super::{shipped, stripped};
use crate::harness::Home;

/// This machine's files with a layer over them that is thrown away. Dropping it unmounts.
struct Copy {
    dir: PathBuf,
}

impl Copy {
    async fn new(home: &Home) -> Result<Self> {
        let dir = home.path().join("copy");
        std::fs::create_dir_all(&dir)?;
        let at = dir.display().to_string();
        home.run("mount", &["-t", "tmpfs", "tmpfs", &at]).await?;
        let copy = Self { dir };
        for below in ["upper", "work", "root"] {
            std::fs::create_dir(copy.dir.join(below))?;
        }
        let layers = format!("lowerdir=/,upperdir={at}/upper,workdir={at}/work");
        home.run("mount", &["-t", "overlay", "overlay", "-o", &layers, &format!("{at}/root")]).await?;
        home.run("mount", &["-t", "proc", "proc", &format!("{at}/root/proc")]).await?;
        Ok(copy)
    }

    async fn run(&self, home: &Home, script: &str) -> Result<String> {
        let root = self.dir.join("root").display().to_string();
        home.run("chroot", &[&root, "/bin/sh", "-euc", script]).await
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // Neither can fail in a way that a test could mend.
        for mount in ["root/proc", "root", ""] {
            let _ = Command::new("umount").arg("-l").arg(self.dir.join(mount)).output();
        }
    }
}

async fn package(home: &Home) -> Result<String> {
    let binary = stripped(home).await?.display().to_string();
    let path = home.run(&shipped("debian/build"), &[&binary, &home.file("packages")]).await?;
    Ok(path.trim().to_owned())
}

async fn ensure_contents(home: &Home, package: &str) -> Result<()> {
    let contents = home.run("dpkg-deb", &["--contents", package]).await?;
    for file in [
        "./usr/bin/berth",
        "./etc/berth/berth.yaml",
        "./lib/systemd/system/berth.service",
        "./usr/share/doc/berth/copyright",
        "./usr/share/doc/berth/changelog.gz",
        "./usr/share/bash-completion/completions/berth",
    ] {
        ensure!(contents.lines().any(|line| line.ends_with(file)), "no {file} in\n{contents}");
    }
    ensure!(contents.lines().all(|line| line.contains(" root/root ")), "{contents}");
    let depends = home.run("dpkg-deb", &["--field", package, "Depends"]).await?;
    ensure!(depends.contains("libc6 (>= 2.") && depends.contains("adduser"), "{depends}");
    let version = home.run("dpkg-deb", &["--field", package, "Version"]).await?;
    ensure!(version.trim() == env!("CARGO_PKG_VERSION"), "{version}");
    Ok(())
}

#[tokio::test]
async fn is_whole_installs_runs_upgrades_and_goes() -> Result<()> {
    let home = Home::new()?;
    let package = package(&home).await?;
    ensure_contents(&home, &package).await?;
    let machine = Copy::new(&home).await?;
    std::fs::copy(&package, machine.dir.join("root/berth.deb"))?;

    machine.run(&home, "dpkg -i /berth.deb").await?;
    let state = machine
        .run(
            &home,
            "getent passwd berth; stat -c '%n %U %G %a' /etc/berth /var/lib/berth /etc/berth/berth.yaml",
        )
        .await?;
    for line in [
        ":/var/lib/berth:/usr/sbin/nologin",
        "/etc/berth root berth 750",
        "/var/lib/berth berth berth 750",
        "/etc/berth/berth.yaml root root 644",
    ] {
        ensure!(state.contains(line), "no {line:?} in\n{state}");
    }
    // As the unit runs it: that user, that file.
    let as_berth = "setpriv --reuid berth --regid berth --clear-groups";
    let served = format!(
        "{as_berth} berth config check --config /etc/berth/berth.yaml; \
         {as_berth} berth serve --config /etc/berth/berth.yaml --listen 127.0.0.1:0 >/log 2>&1 & \
         for try in $(seq 100); do grep -q 'listening on' /log && break; sleep 0.1; done; \
         kill -TERM $!; wait $!; grep stopped /log; ls /var/lib/berth"
    );
    let served = machine.run(&home, &served).await?;
    ensure!(served.contains("data_dir: /var/lib/berth") && served.contains("catalog.db"), "{served}");

    // An upgrade keeps what the administrator wrote, and the data.
    machine
        .run(
            &home,
            "echo '# mine' >>/etc/berth/berth.yaml; dpkg -i /berth.deb; grep mine /etc/berth/berth.yaml",
        )
        .await?;
    machine
        .run(&home, "dpkg -r berth; test -e /etc/berth/berth.yaml; test -e /var/lib/berth/catalog.db")
        .await?;
    // A purge takes the configuration; images are none.
    machine
        .run(
            &home,
            "dpkg -P berth; test ! -e /etc/berth; test -e /var/lib/berth/catalog.db; getent passwd berth",
        )
        .await?;
    machine
        .run(&home, "dpkg -i /berth.deb; rm -r /var/lib/berth/*; dpkg -P berth; test ! -e /var/lib/berth; ! getent passwd berth")
        .await?;
    Ok(())
}

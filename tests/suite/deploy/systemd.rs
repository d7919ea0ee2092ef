//! The unit: read by systemd, and its filter lets through what the server does.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};

use super::{shipped, text_of};
use crate::harness::{Home, berth, workspace};

/// A root with this unit and those of the machine that it stands on.
async fn root(home: &Home) -> Result<String> {
    let root = home.file("root");
    let units = format!("{root}/lib/systemd/system");
    std::fs::create_dir_all(&units)?;
    std::fs::create_dir_all(format!("{root}/usr/bin"))?;
    home.run("sh", &["-c", &format!("cp -r /lib/systemd/system/*.target {units}/")]).await?;
    std::fs::copy(shipped("systemd/berth.service"), format!("{units}/berth.service"))?;
    // Only looked for, not run.
    std::fs::copy("/bin/true", format!("{root}/usr/bin/berth"))?;
    Ok(root)
}

#[tokio::test]
async fn systemd_takes_it_and_finds_it_hardened() -> Result<()> {
    let home = Home::new()?;
    let root = format!("--root={}", root(&home).await?);
    let outcome = home.outcome("systemd-analyze", &["verify", "--man=no", &root, "berth.service"]).await?;
    // An unknown key is only a warning.
    ensure!(outcome.success && outcome.text().is_empty(), "{}", outcome.text());
    let security = ["security", "--offline=true", "--threshold=20", "--no-pager", &root, "berth.service"];
    home.run("systemd-analyze", &security).await?;
    Ok(())
}

#[tokio::test]
async fn its_filter_lets_through_what_the_server_does() -> Result<()> {
    let home = Home::new()?;
    let trace = home.file("trace");
    let script = format!(
        "set -e; strace -f -qq -o {trace} {berth} serve --data-dir {here}/data --listen 127.0.0.1:0 > {here}/log 2>&1 & \
         pid=$!; until grep -q 'listening on' {here}/log; do sleep 0.05; done; \
         address=$(sed -n 's/.*listening on http:..\\([0-9.:]*\\).*/\\1/p' {here}/log | head -1); \
         skopeo copy -q --dest-tls-verify=false {image} docker://$address/a/b:1; \
         skopeo copy -q --src-tls-verify=false docker://$address/a/b:1 oci:{here}/back:1; \
         kill -TERM $(pgrep -P $pid); wait $pid",
        berth = berth()?.display(),
        here = home.path().display(),
        image = {
            let images = crate::harness::Images::build(home.path())?;
            images.oci(&images.image)
        },
    );
    home.write("trace.sh", &script)?;
    home.run("sh", &[&home.file("trace.sh")]).await?;
    let trace = std::fs::read_to_string(&trace)?;
    let used: BTreeSet<&str> = trace
        .lines()
        .filter_map(|line| line.split_once(' ')?.1.trim_start().split_once('('))
        .map(|(call, _)| call)
        .filter(|call| call.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'))
        .collect();
    ensure!(used.len() > 30 && used.contains("fdatasync"), "not a server's calls: {used:?}");

    let mut allowed = expand(&home, "@system-service").await?;
    for refused in expand(&home, "@privileged").await? {
        allowed.remove(&refused);
    }
    let unit = text_of("systemd/berth.service")?;
    ensure!(
        unit.contains("SystemCallFilter=@system-service\nSystemCallFilter=~@privileged\n"),
        "another filter"
    );
    // SQLite gives its files their directory's owner, but only when it runs as root, as here and not in the unit.
    allowed.insert("fchown".to_owned());
    let missing: Vec<&&str> = used.iter().filter(|call| !allowed.contains(**call)).collect();
    ensure!(missing.is_empty(), "the filter refuses {missing:?}");
    Ok(())
}

/// System calls of a set and of the sets in it.
async fn expand(home: &Home, set: &str) -> Result<BTreeSet<String>> {
    let (mut calls, mut sets) = (BTreeSet::new(), vec![set.to_owned()]);
    while let Some(set) = sets.pop() {
        let text = home.run("systemd-analyze", &["syscall-filter", "--no-pager", &set]).await?;
        for word in text.lines().skip(1).map(str::trim).filter(|word| !word.starts_with('#')) {
            if word.starts_with('@') {
                sets.push(word.to_owned());
            } else {
                calls.insert(word.to_owned());
            }
        }
    }
    Ok(calls)
}

/// The page on operations shows no unit of its own that could differ.
#[test]
fn the_manual_leads_to_it() -> Result<()> {
    for page in ["docs/operations.md", "docs/zh-CN/operations.md"] {
        let text = std::fs::read_to_string(workspace().join(page)).context(page)?;
        ensure!(text.contains("deploy/systemd/berth.service"), "{page} does not name the unit");
    }
    Ok(())
}

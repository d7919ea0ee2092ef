//! containerd's ctr, which asks for tokens by POST first.

use anyhow::{Result, ensure};

use super::{DENIED, Stage};
use crate::clients::{REFUSED, containerd};
use crate::harness::Home;

#[tokio::test]
async fn pushes_and_pulls() -> Result<()> {
    let stage = Stage::new().await?;
    let (home, host) = (&stage.home, stage.host());
    let engine = containerd::start(home).await?;
    let hosts = format!(
        "server = \"https://{host}\"\n[host.\"https://{host}\"]\ncapabilities = [\"pull\", \"resolve\", \"push\"]\nca = \"{}\"\n",
        stage.authority.ca_file()
    );
    home.write(&format!("hosts/{host}/hosts.toml"), &hosts)?;
    let hosts = home.file("hosts");
    let pull = ["image", "pull", "--snapshotter", "native", "--hosts-dir", &hosts];
    let push = ["image", "push", "--hosts-dir", &hosts];
    let open = format!("{host}/open/image:1");
    let seed = format!("{host}/team/seed:1");
    ctr(home, &[&pull[..], &[&open]].concat()).await?;
    ctr_fails(home, &[&pull[..], &[&seed]].concat(), REFUSED).await?;
    let other = format!("{host}/open/other:1");
    ctr(home, &["image", "tag", &open, &other]).await?;
    ctr_fails(home, &[&push[..], &[&other]].concat(), REFUSED).await?;
    for who in &stage.members {
        let (right, wrong) = (who.credentials(), format!("{}:wrong", who.name));
        ctr_fails(home, &[&pull[..], &["--user", &wrong, &seed]].concat(), REFUSED).await?;
        ctr(home, &[&pull[..], &["--user", &right, &seed]].concat()).await?;
        let repository = format!("team/containerd-{}", who.word);
        let reference = format!("{host}/{repository}:1");
        ctr(home, &["image", "tag", &seed, &reference]).await?;
        ctr(home, &[&push[..], &["--user", &right, &reference]].concat()).await?;
        stage.ensure_pushed(&repository).await?;
        ctr(home, &["image", "rm", &reference]).await?;
        let pulled = ctr(home, &[&pull[..], &["--user", &right, &reference]].concat()).await;
        ensure!(pulled.is_ok(), "{pulled:?}");
    }
    let no = format!("{host}/team/no:1");
    ctr(home, &["image", "tag", &seed, &no]).await?;
    ctr_fails(home, &[&push[..], &["--user", &stage.reader.credentials(), &no]].concat(), DENIED).await?;
    engine.stop(home).await
}

async fn ctr(home: &Home, arguments: &[&str]) -> Result<String> {
    let socket = home.file("c.sock");
    home.run("ctr", &[&["-a", &socket][..], arguments].concat()).await
}

async fn ctr_fails(home: &Home, arguments: &[&str], reasons: &[&str]) -> Result<()> {
    let socket = home.file("c.sock");
    home.fails("ctr", &[&["-a", &socket][..], arguments].concat(), reasons).await
}

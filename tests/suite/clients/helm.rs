//! helm: charts as artifacts.

use anyhow::{Result, ensure};

use super::{REFUSED, Stage, UNTRUSTED};
use crate::harness::{Home, PASSWORD, Registry, Setup, USER};

#[tokio::test]
async fn moves_charts_over_http() -> Result<()> {
    let stage = Stage::new().await?;
    charts(&stage.home, &stage.plain, &["--plain-http"]).await
}

#[tokio::test]
async fn moves_charts_over_tls() -> Result<()> {
    let stage = Stage::new().await?;
    let reference = format!("oci://{}/charts/hello", stage.secure.host());
    stage.home.fails("helm", &["show", "chart", &reference, "--version", "0.1.0"], UNTRUSTED).await?;
    charts(&stage.home, &stage.secure, &["--ca-file", &stage.authority.ca_file()]).await
}

pub(crate) async fn charts(home: &Home, server: &dyn Registry, trust: &[&str]) -> Result<()> {
    let package = package(home).await?;
    let repository = format!("oci://{}/charts", server.host());
    let pushed = home.outcome("helm", &[&["push", &package, &repository][..], trust].concat()).await?;
    let said = pushed.text();
    let digest = digest_in(&said);
    ensure!(pushed.success && digest.starts_with("sha256:"), "{said}");

    let chart = format!("{repository}/hello");
    let show =
        home.run("helm", &[&["show", "chart", &chart, "--version", "0.1.0"][..], trust].concat()).await?;
    ensure!(show.contains("name: hello"), "{show}");
    let out = home.file("pulled");
    std::fs::create_dir_all(&out)?;
    let pull = ["pull", &chart, "--version", "0.1.0", "-d", &out];
    let pulled = home.outcome("helm", &[&pull[..], trust].concat()).await?;
    ensure!(pulled.success && digest_in(&pulled.text()) == digest, "{}", pulled.text());
    let (sent, got) = (std::fs::read(&package)?, std::fs::read(home.path().join("pulled/hello-0.1.0.tgz"))?);
    ensure!(sent == got, "the chart came back changed");
    let template = ["template", "demo", &chart, "--version", "0.1.0"];
    let rendered = home.run("helm", &[&template[..], trust].concat()).await?;
    ensure!(rendered.contains("greeting: hello from demo"), "{rendered}");
    Ok(())
}

/// Makes the smallest chart that renders something; hands back the path of its package.
async fn package(home: &Home) -> Result<String> {
    home.write("hello/Chart.yaml", "apiVersion: v2\nname: hello\nversion: 0.1.0\n")?;
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: hello\ndata:\n  greeting: hello from {{ .Release.Name }}\n";
    home.write("hello/templates/greeting.yaml", template)?;
    home.run("helm", &["package", "hello"]).await?;
    Ok(home.file("hello-0.1.0.tgz"))
}

/// The digest in helm's line "Digest: sha256:…".
fn digest_in(text: &str) -> &str {
    text.split_once("Digest: ").map_or("", |(_, rest)| rest.split_whitespace().next().unwrap_or_default())
}

#[tokio::test]
async fn logs_in() -> Result<()> {
    let home = Home::new()?;
    let server = Setup::default().with_user().start().await?;
    let package = package(&home).await?;
    let repository = format!("oci://{}/charts", server.host());
    let push = ["push", &package, &repository, "--plain-http"];
    let login = |password| ["registry", "login", server.host(), "--plain-http", "-u", USER, "-p", password];
    home.fails("helm", &push, REFUSED).await?;
    home.fails("helm", &login("wrong"), REFUSED).await?;
    home.run("helm", &login(PASSWORD)).await?;
    home.run("helm", &push).await?;
    Ok(())
}

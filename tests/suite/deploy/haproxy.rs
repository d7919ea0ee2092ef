//! `deploy/haproxy/haproxy.cfg` in front of a node that lives and one that doesn't.

mod degraded;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{Proxy, behind_proxy, free_port, round_trip, shipped};
use crate::harness::{Authority, Home, Images, Server};

async fn haproxy(home: &mut Home, authority: &Authority, server: &Server) -> Result<Proxy> {
    let nobody = format!("127.0.0.1:{}", free_port()?);
    haproxy_before(home, authority, [server.host(), &nobody]).await
}

async fn haproxy_before(home: &mut Home, authority: &Authority, nodes: [&str; 2]) -> Result<Proxy> {
    let both = [authority.certificate(), authority.key()].map(std::fs::read_to_string);
    let [certificate, key] = both;
    let certificate = home.write("berth.pem", &format!("{}{}", certificate?, key?))?;
    let port = free_port()?;
    home.set("BERTH_CERTIFICATE", certificate.display().to_string());
    home.set("BERTH_BIND", format!("127.0.0.1:{port}"));
    home.set("BERTH_NODE_1", nodes[0]);
    home.set("BERTH_NODE_2", nodes[1]);
    Proxy::start(home, &["haproxy", "-db", "-f", &shipped("haproxy/haproxy.cfg")], port).await
}

#[tokio::test]
async fn takes_images_through_and_hides_the_rest() -> Result<()> {
    let mut home = Home::new()?;
    let authority = Authority::new(&[])?;
    let images = Images::build(home.path())?;
    let server = behind_proxy().start().await?;
    let proxy = haproxy(&mut home, &authority, &server).await?;
    round_trip(&home, &images, &authority, &proxy).await?;
    let api = proxy.api(&authority)?;
    for path in ["/metrics", "/readyz", "/v3", "/"] {
        ensure!(api.get(path).await?.status() == 404, "{path} is not hidden");
    }
    let location = api.start_upload("through/proxy").await?;
    ensure!(location.starts_with('/') || location.starts_with("https://"), "{location}");
    Ok(())
}

#[tokio::test]
async fn notices_within_seconds_when_the_last_node_goes_and_comes() -> Result<()> {
    let mut home = Home::new()?;
    let authority = Authority::new(&[])?;
    let mut server = behind_proxy().on_port(free_port()?).start().await?;
    let proxy = haproxy(&mut home, &authority, &server).await?;
    let api = proxy.api(&authority)?;
    ensure!(api.get("/v2/").await?.status() == 200, "no answer through the proxy");
    server.kill()?;
    let begin = Instant::now();
    ensure!(api.get("/v2/").await?.status() == 503, "a dead node answers");
    server.start().await?;
    while api.get("/v2/").await?.status() != 200 {
        ensure!(begin.elapsed() < Duration::from_secs(10), "the node is back, but gets no requests");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

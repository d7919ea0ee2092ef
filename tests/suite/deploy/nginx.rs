//! `deploy/nginx/berth.conf` in a real Nginx before the real binary.

use std::time::Instant;

use anyhow::{Result, ensure};
use reqwest::StatusCode;

use super::{Proxy, behind_proxy, free_port, replaced, round_trip, text_of};
use crate::harness::{Authority, Home, Images, Server, digest_of};

/// Nginx with the shipped file, in which only names, ports and paths are the test's.
async fn nginx(home: &Home, authority: &Authority, server: &Server) -> Result<Proxy> {
    let (plain, port) = (free_port()?, free_port()?);
    let mut text = text_of("nginx/berth.conf")?;
    for (from, to) in [
        ("listen 80;", format!("listen 127.0.0.1:{plain};")),
        ("listen 443 ssl http2;", format!("listen 127.0.0.1:{port} ssl http2;")),
        ("server 127.0.0.1:5000 ", format!("server {} ", server.host())),
        ("/etc/nginx/tls/fullchain.pem", authority.certificate().display().to_string()),
        ("/etc/nginx/tls/key.pem", authority.key().display().to_string()),
    ] {
        text = replaced(&text, from, &to)?;
    }
    home.write("berth.conf", &text)?;
    // One process, which is ended with the test; what Debian's nginx.conf says else is kept.
    let here = home.path().display();
    let main = format!(
        "daemon off;\nmaster_process off;\npid {here}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n\
         access_log off;\nclient_body_temp_path {here}/body;\nproxy_temp_path {here}/proxy;\n\
         fastcgi_temp_path {here}/fastcgi;\nuwsgi_temp_path {here}/uwsgi;\nscgi_temp_path {here}/scgi;\n\
         include {here}/berth.conf;\n}}\n"
    );
    let main = home.write("nginx.conf", &main)?.display().to_string();
    home.run("nginx", &["-t", "-q", "-c", &main]).await?;
    Proxy::start(home, &["nginx", "-c", &main], port).await
}

#[tokio::test]
async fn takes_images_through_and_hides_the_rest() -> Result<()> {
    let home = Home::new()?;
    let authority = Authority::new(&[])?;
    let images = Images::build(home.path())?;
    let server = behind_proxy().start().await?;
    let proxy = nginx(&home, &authority, &server).await?;
    round_trip(&home, &images, &authority, &proxy).await?;
    let api = proxy.api(&authority)?;
    for path in ["/metrics", "/healthz", "/"] {
        ensure!(api.get(path).await?.status() == 404, "{path} is not hidden");
    }
    let location = api.start_upload("through/proxy").await?;
    ensure!(location.starts_with('/') || location.starts_with("https://"), "{location}");
    // Nothing of the layers was stored on the way.
    let stored =
        std::fs::read_dir(home.path().join("body"))?.chain(std::fs::read_dir(home.path().join("proxy"))?);
    ensure!(stored.count() == 0, "bodies were buffered on disk");
    Ok(())
}

#[tokio::test]
async fn lets_a_burst_of_10_through_then_5_a_second() -> Result<()> {
    let home = Home::new()?;
    let authority = Authority::new(&[])?;
    let server = behind_proxy().start().await?;
    let proxy = nginx(&home, &authority, &server).await?;
    let api = proxy.api(&authority)?;
    let begin = Instant::now();
    let (mut through, mut refused) = (0_u64, 0_u64);
    for _ in 0..60 {
        let answer = api.get("/v2/").await?;
        match answer.status() {
            StatusCode::OK => through += 1,
            StatusCode::TOO_MANY_REQUESTS => {
                refused += 1;
                ensure!(answer.headers()["retry-after"] == "1", "{answer:?}");
                let text = answer.text().await?;
                ensure!(text.contains("TOOMANYREQUESTS"), "{text}");
            }
            other => ensure!(false, "{other}"),
        }
    }
    // One at once, the burst, and what the passing time allowed.
    let most = 11 + begin.elapsed().as_secs() * 5 + 5;
    ensure!((11..=most).contains(&through), "{through} came through, not 11 to {most}");
    ensure!(refused > 0, "60 requests in {:?}, none refused", begin.elapsed());

    // Layers are many requests: they have a limit of their own, which a push does not reach.
    let blob = format!("/v2/through/proxy/blobs/{}", digest_of(b"nothing"));
    for number in 0..80 {
        let status = api.head(&blob).await?.status();
        ensure!(status == StatusCode::NOT_FOUND, "blob request {number}: {status}");
    }
    Ok(())
}

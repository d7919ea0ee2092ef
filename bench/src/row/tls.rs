//! Blobs over TLS and HTTP/2, the way clients meet a registry outside a test.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::bench::{Bench, clients, say};
use crate::content::Content;
use crate::figure::{Against, Line, Table, at_least, at_most};
use crate::limit;
use crate::roster::{Certificate, NGINX, Roster};
use crate::row::blob::offer;
use crate::server::Server;

/// Pulls 256 MiB with one and with four `curl`s.
pub(crate) fn run(bench: &Bench) -> Result<Table> {
    let mut table =
        bench.table("TLS over HTTP/2", "256 MiB from the page cache, by `curl --http2`.", &[NGINX]);
    let certificate = make_certificate(&bench.roster)?;
    let content = Content::fresh(256 << 20);
    let mut servers = Vec::new();
    let given = |name: &String| bench.roster.given.iter().any(|(other, _)| other == name);
    for name in bench.roster.names().iter().filter(|name| !given(name)) {
        servers.push(fill_and_start(bench, name, &certificate, &content)?);
    }
    if let Some(nginx) = limit::nginx(&bench.roster, Some(&certificate))? {
        let target = offer(&nginx, &content)?;
        servers.push((nginx, target));
    }
    for connections in [1, 4] {
        let mut rate = Line::rate(format!("256 MiB, {connections} × curl"), "MB/s")
            .goal(at_least(1.4, Against::BestPeer));
        let mut cost = Line::cost("… server CPU", "s/GB").goal(at_most(1.0, Against::Column(NGINX)));
        for _ in 0..bench.runs() {
            for (server, target) in &servers {
                say(&format!("TLS, {connections} × curl, {}", server.name));
                let before = server.cpu_seconds()?;
                let url = format!("https://{}{target}", server.address);
                let (_, seconds) = clients(connections, |_| curl(&url, &certificate))?;
                let bytes = (content.size * connections as u64) as f64;
                let column = server.name.trim_end_matches(" TLS");
                rate.add(column, bytes / 1e6 / seconds);
                cost.add(column, (server.cpu_seconds()? - before) / (bytes / 1e9));
            }
        }
        table.lines.extend([rate, cost]);
    }
    for (server, _) in servers {
        server.stop();
    }
    Ok(table)
}

/// Fills a registry over plain HTTP, then starts it again behind TLS on the same store.
fn fill_and_start(
    bench: &Bench,
    name: &str,
    certificate: &Certificate,
    content: &Content,
) -> Result<(Server, String)> {
    let mut server = bench.roster.start_one(name)?;
    let target = offer(&server, content)?;
    server.end();
    let directory = server.directory.clone().context("a started server has a directory")?;
    let server = bench.roster.start_tls(name, &directory, certificate)?;
    curl(&format!("https://{}{target}", server.address), certificate)?;
    Ok((server, target))
}

fn curl(url: &str, certificate: &Certificate) -> Result<()> {
    let output = Command::new("curl")
        .args(["--http2", "--silent", "--show-error", "--fail", "--output", "/dev/null"])
        .args(["--write-out", "%{http_version}", "--cacert"])
        .arg(&certificate.certificate)
        .arg(url)
        .output()
        .context("running curl")?;
    ensure!(output.status.success(), "curl {url}: {}", String::from_utf8_lossy(&output.stderr));
    ensure!(output.stdout == b"2", "{url} was not answered over HTTP/2");
    Ok(())
}

fn make_certificate(roster: &Roster) -> Result<Certificate> {
    let certificate = roster.directory.join("certificate.pem");
    let key = roster.directory.join("key.pem");
    let output = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "1",
        ])
        .args(["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .context("running openssl")?;
    ensure!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    Ok(Certificate { certificate, key })
}

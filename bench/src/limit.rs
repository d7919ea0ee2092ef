//! The limits of the machine: a static file server, a bare HTTP loop, hashing and the disk.

use std::convert::Infallible;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use sha2::{Digest as _, Sha256};

use crate::content::{Content, MANIFEST_TYPE};
use crate::roster::{Certificate, HYPER, NGINX, Roster};
use crate::server::{Server, free_address};

/// Starts nginx on a folder of static files, `files` below its directory.
pub(crate) fn nginx(roster: &Roster, tls: Option<&Certificate>) -> Result<Option<Server>> {
    let Some(program) = &roster.nginx else { return Ok(None) };
    let name = if tls.is_some() { format!("{NGINX} TLS") } else { NGINX.to_owned() };
    let directory = roster.fresh_directory(&name)?;
    fs::create_dir(directory.join("files"))?;
    let address = free_address()?;
    let file = directory.join("nginx.conf");
    fs::write(&file, nginx_configuration(address, &directory, tls))?;
    let mut command = Command::new(program);
    command.arg("-p").arg(&directory).arg("-c").arg(&file).arg("-e").arg(directory.join("error.log"));
    Server::spawn(&name, address, &directory, &mut command).map(Some)
}

fn nginx_configuration(address: SocketAddr, directory: &Path, tls: Option<&Certificate>) -> String {
    let directory = directory.display();
    let (mode, certificate) = tls.map_or_else(Default::default, |tls| {
        let (certificate, key) = (tls.certificate.display(), tls.key.display());
        (" ssl http2", format!("ssl_certificate {certificate}; ssl_certificate_key {key};"))
    });
    format!(
        "daemon off; worker_processes auto; pid {directory}/pid; events {{ worker_connections 4096; }}\n\
         http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; default_type {MANIFEST_TYPE};\n\
         open_file_cache max=100;\n\
         client_body_temp_path {directory}/a; proxy_temp_path {directory}/b; fastcgi_temp_path {directory}/c;\n\
         uwsgi_temp_path {directory}/d; scgi_temp_path {directory}/e;\n\
         server {{ listen {address}{mode}; {certificate} root {directory}/files; }} }}\n"
    )
}

/// Starts a copy of this program that answers every request with the same bytes.
pub(crate) fn hyper(roster: &Roster, answer_bytes: usize) -> Result<Server> {
    let directory = roster.fresh_directory(HYPER)?;
    let address = free_address()?;
    let mut command = Command::new(std::env::current_exe().context("finding this program")?);
    command.arg("hyper").arg(address.to_string()).arg(answer_bytes.to_string());
    Server::spawn(HYPER, address, &directory, &mut command)
}

/// The loop itself: no routing, no access check, no log line.
pub(crate) fn serve_hyper(address: SocketAddr, answer_bytes: usize) -> Result<()> {
    let answer = Bytes::from(vec![b'x'; answer_bytes]);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            drop(stream.set_nodelay(true));
            let answer = answer.clone();
            let service = service_fn(move |_: Request<hyper::body::Incoming>| {
                let answer = Response::new(Full::new(answer.clone()));
                async { Ok::<_, Infallible>(answer) }
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
            );
        }
    })
}

/// Megabytes per second that one core hashes.
pub(crate) fn sha256_rate() -> f64 {
    let block = Content::fresh(64 * 1024 * 1024).to_bytes();
    let start = Instant::now();
    std::hint::black_box(Sha256::digest(&block));
    block.len() as f64 / 1e6 / start.elapsed().as_secs_f64()
}

/// Megabytes per second that one thread writes and syncs beside the registries' data.
pub(crate) fn disk_rate(directory: &Path, size: u64) -> Result<f64> {
    let path = directory.join("disk");
    let content = Content::fresh(size);
    let start = Instant::now();
    let mut file = File::create(&path)?;
    content.write(0..size, |part| file.write_all(part))?;
    file.sync_data()?;
    let rate = size as f64 / 1e6 / start.elapsed().as_secs_f64();
    fs::remove_file(path)?;
    Ok(rate)
}

/// Median milliseconds of a small write with `fdatasync`.
pub(crate) fn sync_milliseconds(directory: &Path) -> Result<f64> {
    let path = directory.join("sync");
    let mut file = File::create(&path)?;
    let mut times = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    fs::remove_file(path)?;
    Ok(crate::figure::median(&times))
}

//! Many small requests over many connections: `wrk` for GET, a loop of our own for what `wrk` can't send.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::event::epoll;

use crate::content::{MANIFEST_TYPE, next, seed};
use crate::figure::percentile;

/// Threads of the load generator, as many as the smallest machine has cores.
const THREADS: usize = 2;

/// What a load run saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Answers per second.
    pub(crate) rate: f64,
    /// 99th percentile of the time to an answer, in milliseconds.
    pub(crate) p99: f64,
    /// Median time to an answer, in milliseconds.
    pub(crate) p50: f64,
}

/// Runs `wrk` on one address for some seconds.
pub(crate) fn wrk(address: SocketAddr, target: &str, connections: usize, seconds: u64) -> Result<Load> {
    wrk_with(address, target, connections, seconds, None)
}

/// Does the same with one more header field.
pub(crate) fn wrk_with(
    address: SocketAddr,
    target: &str,
    connections: usize,
    seconds: u64,
    field: Option<&str>,
) -> Result<Load> {
    let threads = THREADS.min(connections);
    let output = Command::new("wrk")
        .args(["--latency", "--timeout", "30s"])
        .args(["-t", &threads.to_string(), "-c", &connections.to_string(), "-d", &format!("{seconds}s")])
        .args(["-H", &format!("Accept: {MANIFEST_TYPE}")])
        .args(field.into_iter().flat_map(|field| ["-H", field]))
        .arg(format!("http://{address}{target}"))
        .output()
        .context("running wrk")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "wrk: {}", String::from_utf8_lossy(&output.stderr));
    ensure!(!text.contains("Non-2xx"), "wrk saw answers that failed: {text}");
    let field = |name: &str| {
        let line = text.lines().map(str::trim).find(|line| line.starts_with(name));
        line.and_then(|line| line[name.len()..].split_whitespace().next())
            .with_context(|| format!("wrk printed no {name}"))
    };
    Ok(Load {
        rate: field("Requests/sec:")?.parse()?,
        p99: milliseconds(field("99%")?)?,
        p50: milliseconds(field("50%")?)?,
    })
}

fn milliseconds(text: &str) -> Result<f64> {
    for (suffix, factor) in [("us", 1e-3), ("ms", 1.0), ("s", 1e3), ("m", 6e4)] {
        if let Some(number) = text.strip_suffix(suffix).and_then(|number| number.parse::<f64>().ok()) {
            return Ok(number * factor);
        }
    }
    bail!("wrk printed the time {text}")
}

/// Sends requests made by `target` (from a random number) over many connections for some time.
pub(crate) fn requests(
    address: SocketAddr,
    method: &'static str,
    connections: usize,
    duration: Duration,
    target: &(dyn Fn(u64) -> String + Sync),
) -> Result<Load> {
    let threads = THREADS.min(connections);
    let start = Instant::now();
    let times: Result<Vec<Vec<f64>>> = thread::scope(|scope| {
        let shares = (0..threads).map(|index| (connections + index) / threads);
        let workers: Vec<_> =
            shares.map(|share| scope.spawn(move || work(address, method, share, duration, target))).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_| anyhow::anyhow!("a load thread failed"))?)
            .collect()
    });
    let times = times?.concat();
    let rate = times.len() as f64 / start.elapsed().as_secs_f64();
    Ok(Load { rate, p99: percentile(&times, 99.0), p50: percentile(&times, 50.0) })
}

struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
    sent: Instant,
}

fn work(
    address: SocketAddr,
    method: &str,
    connections: usize,
    duration: Duration,
    target: &(dyn Fn(u64) -> String + Sync),
) -> Result<Vec<f64>> {
    let mut state = seed();
    let mut request = || {
        state = next(state);
        format!("{method} {} HTTP/1.1\r\nHost: {address}\r\nAccept: {MANIFEST_TYPE}\r\n\r\n", target(state))
    };
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut all = Vec::with_capacity(connections);
    for index in 0..connections {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.write_all(request().as_bytes())?;
        stream.set_nonblocking(true)?;
        epoll::add(&poll, &stream, epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?;
        all.push(Connection { stream, answer: Vec::new(), sent: Instant::now() });
    }
    let mut times = Vec::new();
    let mut part = vec![0; 64 * 1024];
    let end = Instant::now() + duration;
    let mut events = Vec::with_capacity(connections);
    while Instant::now() < end {
        let timeout = rustix::event::Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), Some(&timeout))?;
        for event in events.drain(..) {
            let connection: &mut Connection = &mut all[event.data.u64() as usize];
            match connection.stream.read(&mut part) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(count) => connection.answer.extend_from_slice(&part[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error.into()),
            }
            if is_complete(&connection.answer, method == "GET")? {
                times.push(connection.sent.elapsed().as_secs_f64() * 1e3);
                connection.answer.clear();
                connection.sent = Instant::now();
                connection.stream.write_all(request().as_bytes())?;
            }
        }
    }
    Ok(times)
}

/// Tells whether an answer is all there, and fails if it isn't a good one.
fn is_complete(answer: &[u8], has_body: bool) -> Result<bool> {
    let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(false) };
    let text = String::from_utf8_lossy(&answer[..head]);
    ensure!(text.get(9..12) == Some("200"), "an answer failed: {text}");
    if !has_body {
        return Ok(true);
    }
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    Ok(length.map_or_else(|| answer.ends_with(b"0\r\n\r\n"), |length| answer.len() >= head + 4 + length))
}

/// System calls that make data durable, counted on a running process while `work` runs.
pub(crate) fn count_syncs(pid: u32, directory: &Path, work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let file = directory.join("syncs");
    let mut strace = Command::new("strace")
        .args(["-c", "-f", "-qq", "-e", "trace=fsync,fdatasync,syncfs,sync,msync", "-o"])
        .arg(&file)
        .args(["-p", &pid.to_string()])
        .spawn()
        .context("running strace")?;
    crate::server::pause(Duration::from_millis(500));
    let worked = work();
    let id = i32::try_from(strace.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .context("strace has no process id")?;
    rustix::process::kill_process(id, rustix::process::Signal::INT)?;
    strace.wait()?;
    worked?;
    let table = fs::read_to_string(file)?;
    let calls = table.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let name = fields.last()?;
        if !name.ends_with("sync") && *name != "syncfs" {
            return None;
        }
        fields.get(3)?.parse::<f64>().ok()
    });
    Ok(calls.sum())
}

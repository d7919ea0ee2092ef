//! The load generator's HTTP/1.1 client: one blocking connection, no copies of what is sent, none of what is thrown away.
//!
//! A thread per connection is the cheapest client there is for a few dozen of them, and it leaves the
//! two cores of a small machine to the server that is measured.

use std::io::{BufWriter, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::net::RecvFlags;

use crate::content::Content;

const HEAD_LIMIT: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_mins(2);

/// One keep-alive connection to a server on this machine.
pub(crate) struct Client {
    address: SocketAddr,
    stream: Option<TcpStream>,
    sink: Vec<u8>,
}

/// What a request carries.
#[derive(Clone)]
pub(crate) enum Body<'a> {
    /// Nothing.
    Empty,
    /// Bytes at hand.
    Bytes(&'a [u8]),
    /// A part of generated content.
    Part(&'a Content, Range<u64>),
}

impl Body<'_> {
    fn size(&self) -> u64 {
        match self {
            Body::Empty => 0,
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::Part(_, range) => range.end - range.start,
        }
    }
}

/// A status, the header lines and the body, if it was kept.
pub(crate) struct Response {
    /// Status code.
    pub(crate) status: u16,
    head: String,
    /// The body; empty when it was thrown away.
    pub(crate) body: Vec<u8>,
    /// Bytes of the body, kept or not.
    pub(crate) size: u64,
}

impl Response {
    /// The value of a header field.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Path and query of the `Location`, whether it was sent relative or absolute.
    pub(crate) fn location(&self) -> Result<&str> {
        let location = self.header("location").context("answer without a location")?;
        Ok(match location.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]),
            None => location,
        })
    }

    /// Fails with the server's words unless the status is the expected one.
    pub(crate) fn expect(self, status: u16) -> Result<Self> {
        ensure!(
            self.status == status,
            "status {} instead of {status}: {}",
            self.status,
            String::from_utf8_lossy(&self.body)
        );
        Ok(self)
    }
}

impl Client {
    /// A client that connects at its first request.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, stream: None, sink: Vec::new() }
    }

    /// Sends a request and keeps the body of the answer.
    pub(crate) fn send(
        &mut self,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
        body: Body<'_>,
    ) -> Result<Response> {
        self.exchange(method, target, fields, body, true)
    }

    /// Gets something and throws the body away inside the kernel, so that its copy costs the client nothing.
    pub(crate) fn discard(&mut self, target: &str) -> Result<Response> {
        self.exchange("GET", target, &[], Body::Empty, false)
    }

    fn exchange(
        &mut self,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
        body: Body<'_>,
        keep: bool,
    ) -> Result<Response> {
        let reused = self.stream.is_some();
        let result = self.attempt(method, target, fields, body.clone(), keep);
        match result {
            // The server may have closed an idle connection just before this request.
            Err(_) if reused => self.attempt(method, target, fields, body, keep),
            result => result,
        }
        .with_context(|| format!("{method} {target} at {}", self.address))
    }

    fn attempt(
        &mut self,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
        body: Body<'_>,
        keep: bool,
    ) -> Result<Response> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.address)?,
        };
        write_request(&stream, self.address, method, target, fields, body)?;
        let (head, rest) = read_head(&mut stream)?;
        let status = head.get(9..12).and_then(|code| code.parse().ok()).context("malformed status line")?;
        let mut response = Response { status, head, body: Vec::new(), size: 0 };
        let keep = keep || status >= 300;
        if method != "HEAD" && status != 204 && status != 304 {
            self.read_body(&mut stream, &mut response, rest, keep)?;
        }
        if !response.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            self.stream = Some(stream);
        }
        Ok(response)
    }

    fn read_body(
        &mut self,
        stream: &mut TcpStream,
        response: &mut Response,
        rest: Vec<u8>,
        keep: bool,
    ) -> Result<()> {
        if response.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            response.body = read_chunks(stream, rest)?;
            response.size = response.body.len() as u64;
            return Ok(());
        }
        let size: u64 = response.header("content-length").context("answer without a length")?.parse()?;
        response.size = size;
        if keep {
            let missing = size as usize - rest.len();
            response.body = rest;
            stream.take(missing as u64).read_to_end(&mut response.body)?;
            ensure!(response.body.len() as u64 == size, "answer ended early");
            return Ok(());
        }
        self.sink.resize(1024 * 1024, 0);
        let mut missing = size - rest.len() as u64;
        while missing > 0 {
            let want = self.sink.len().min(missing as usize);
            // tcp(7): MSG_TRUNC drops the bytes instead of copying them.
            let (_, dropped) = rustix::net::recv(&*stream, &mut self.sink[..want], RecvFlags::TRUNC)?;
            ensure!(dropped > 0, "answer ended early");
            missing -= dropped as u64;
        }
        Ok(())
    }
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn write_request(
    stream: &TcpStream,
    address: SocketAddr,
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
    body: Body<'_>,
) -> Result<()> {
    let mut writer = BufWriter::with_capacity(32 * 1024, stream);
    write!(writer, "{method} {target} HTTP/1.1\r\nHost: {address}\r\n")?;
    for (name, value) in fields {
        write!(writer, "{name}: {value}\r\n")?;
    }
    if method != "GET" && method != "HEAD" {
        write!(writer, "Content-Length: {}\r\n", body.size())?;
    }
    writer.write_all(b"\r\n")?;
    match body {
        Body::Empty => {}
        Body::Bytes(bytes) => writer.write_all(bytes)?,
        Body::Part(content, range) => content.write(range, |part| writer.write_all(part))?,
    }
    writer.flush()?;
    Ok(())
}

fn read_head(stream: &mut TcpStream) -> Result<(String, Vec<u8>)> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        let mut part = [0; 4096];
        let count = stream.read(&mut part)?;
        ensure!(count > 0, "connection closed before an answer");
        let from = bytes.len().saturating_sub(3);
        bytes.extend_from_slice(&part[..count]);
        if let Some(end) = bytes[from..].windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(from + end + 4);
            let head = String::from_utf8(bytes)?;
            // 100-continue and its like come before the answer.
            if head.get(9..10) == Some("1") {
                bytes = rest;
                continue;
            }
            return Ok((head, rest));
        }
        ensure!(bytes.len() < HEAD_LIMIT, "header fields beyond {HEAD_LIMIT} bytes");
    }
}

fn read_chunks(stream: &mut TcpStream, mut pending: Vec<u8>) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    let mut part = vec![0; 64 * 1024];
    loop {
        if let Some(line) = pending.windows(2).position(|window| window == b"\r\n") {
            let size = usize::from_str_radix(std::str::from_utf8(&pending[..line])?.trim(), 16)?;
            let end = line + 2 + size + 2;
            if pending.len() >= end {
                body.extend_from_slice(&pending[line + 2..line + 2 + size]);
                pending.drain(..end);
                if size == 0 {
                    return Ok(body);
                }
                continue;
            }
        }
        match stream.read(&mut part)? {
            0 => bail!("answer ended early"),
            count => pending.extend_from_slice(&part[..count]),
        }
    }
}

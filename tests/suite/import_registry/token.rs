//! A token service as registries of the big makers have one (distribution's token specification), signing with openssl.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use super::old::{PASSWORD, USER};
use crate::harness::Home;

/// A token service on a port of the loopback address, which lives as long as the test's process.
pub(super) struct TokenService {
    pub(super) realm: String,
    certificate: PathBuf,
    issued: Arc<AtomicUsize>,
}

impl TokenService {
    /// Starts a service that gives [`USER`] tokens for whatever he asks for.
    pub(super) async fn start(home: &Home) -> Result<Self> {
        let (key, certificate) = (home.file("token.key"), home.file("token.crt"));
        let new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tests"];
        home.run("openssl", &[&new[..], &["-keyout", &key, "-out", &certificate]].concat()).await?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let realm = format!("http://{}/token", listener.local_addr()?);
        let issued = Arc::new(AtomicUsize::new(0));
        let signer =
            Signer { key: key.into(), certificate: certificate.clone().into(), issued: Arc::clone(&issued) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is the test's to notice.
                let _ = signer.serve(stream);
            }
        });
        Ok(Self { realm, certificate: certificate.into(), issued })
    }

    pub(super) fn certificate(&self) -> String {
        self.certificate.display().to_string()
    }

    /// Tokens given out so far.
    pub(super) fn issued(&self) -> usize {
        self.issued.load(Ordering::Relaxed)
    }
}

struct Signer {
    key: PathBuf,
    certificate: PathBuf,
    issued: Arc<AtomicUsize>,
}

impl Signer {
    fn serve(&self, mut stream: TcpStream) -> Result<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.extend_from_slice(&byte);
        }
        let head = String::from_utf8(head)?;
        let sound = format!("authorization: Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
        let (status, body) = if head.lines().any(|line| line.eq_ignore_ascii_case(&sound)) {
            self.issued.fetch_add(1, Ordering::Relaxed);
            (200, json!({"token": self.sign(&scopes(&head)?)?, "expires_in": 300}).to_string())
        } else {
            (401, json!({"errors": [{"code": "UNAUTHORIZED", "message": "who are you"}]}).to_string())
        };
        let length = body.len();
        write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")?;
        Ok(())
    }

    /// Signs a token for a scope such as `repository:a/b:pull`.
    fn sign(&self, scope: &str) -> Result<String> {
        let pem = std::fs::read_to_string(&self.certificate)?;
        let chain: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let now = seconds_now()?;
        let parts: Vec<&str> = scope.split(':').collect();
        let access = match parts[..] {
            [kind, name, actions] => {
                json!([{"type": kind, "name": name, "actions": actions.split(',').collect::<Vec<_>>()}])
            }
            _ => json!([]),
        };
        let header = json!({"typ": "JWT", "alg": "RS256", "x5c": [chain]});
        let payload = json!({
            "iss": "tests", "sub": USER, "aud": "old", "iat": now, "nbf": now - 5, "exp": now + 300, "jti": "1", "access": access,
        });
        let encode = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(header), encode(payload));
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(openssl_sign(&self.key, signed.as_bytes())?)))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the other registry compares a token's times with its own clock"
)]
fn seconds_now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

/// Takes the scope out of a request's first line.
fn scopes(head: &str) -> Result<String> {
    let target = head.split_whitespace().nth(1).context("no target")?;
    let url = reqwest::Url::parse(&format!("http://tokens{target}"))?;
    let found = url.query_pairs().find(|(key, _)| key == "scope").map(|(_, scope)| scope.into_owned());
    Ok(found.unwrap_or_default())
}

fn openssl_sign(key: &Path, text: &[u8]) -> Result<Vec<u8>> {
    let mut child = Command::new("openssl")
        .args(["dgst", "-sha256", "-sign"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run openssl; scripts/packages installs it")?;
    // Dropped at the end of the line, which ends the input.
    child.stdin.take().context("no standard input")?.write_all(text)?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "openssl dgst: {}", output.status);
    Ok(output.stdout)
}

//! TLS, with a certificate that may change while we run.
//!
//! The files are looked at every few seconds, through symbolic links, which is how Kubernetes replaces them. A pair that
//! can't be used is reported once, and the old one stays.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;

use crate::certificate::ClientCertificate;
use crate::config::{ClientCertificates, Tls};

/// HTTP/2 in application-layer protocol negotiation.
pub(crate) const ALPN_H2: &[u8] = b"h2";
const ALPN_HTTP1: &[u8] = b"http/1.1";

/// Reads certificate, key and authorities as a server would, and keeps none.
///
/// # Errors
/// A file can't be read, or key and certificate don't belong together.
pub fn check_tls(files: &Tls) -> io::Result<()> {
    read(files, true).map(drop)
}

/// Takes TLS connections with the newest certificate.
#[derive(Clone)]
pub(crate) struct TlsAcceptor {
    config: Arc<ArcSwap<ServerConfig>>,
    files: Tls,
    http2: bool,
    loaded: Stamp,
}

/// Tells two states of the files apart without reading them.
type Stamp = [Option<(SystemTime, u64)>; 3];

impl TlsAcceptor {
    /// Reads the certificate and its key.
    pub(crate) fn load(files: &Tls, http2: bool) -> io::Result<Self> {
        let loaded = stamp(files);
        let config = ArcSwap::from_pointee(read(files, http2)?);
        Ok(Self { config: Arc::new(config), files: files.clone(), http2, loaded })
    }

    /// Does the handshake.
    pub(crate) fn accept<S>(&self, socket: S) -> impl Future<Output = io::Result<TlsStream<S>>> + Send
    where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        tokio_rustls::TlsAcceptor::from(self.config.load_full()).accept(socket)
    }

    /// Returns who the client is by the certificate that it showed, which the handshake has verified.
    pub(crate) fn client<S>(&self, stream: &TlsStream<S>) -> Option<ClientCertificate> {
        let shown = stream.get_ref().1.peer_certificates()?.first()?;
        ClientCertificate::read(shown, self.files.client_name)
    }

    /// Follows changes of the files, for as long as it is polled. Clones made before share what is loaded.
    pub(crate) async fn follow(mut self, interval: Duration) {
        let mut ticks = tokio::time::interval(interval);
        loop {
            ticks.tick().await;
            let look = tokio::task::spawn_blocking(move || {
                self.reload();
                self
            });
            match look.await {
                Ok(this) => self = this,
                Err(error) => {
                    tracing::error!(%error, "changes of the certificate are no longer followed; restart to load one");
                    return;
                }
            }
        }
    }

    /// Loads the files if they have changed since they were looked at last.
    fn reload(&mut self) {
        // Taken before reading: a change in between shows at the next look.
        let now = stamp(&self.files);
        if now == self.loaded {
            return;
        }
        self.loaded = now;
        match read(&self.files, self.http2) {
            Ok(config) => {
                self.config.store(Arc::new(config));
                tracing::info!(certificate = %self.files.certificate.display(), "certificate reloaded");
            }
            Err(error) => {
                tracing::error!(%error, "changed certificate can't be used; the one before stays in use");
            }
        }
    }
}

fn stamp(files: &Tls) -> Stamp {
    [Some(&files.certificate), Some(&files.key), files.client_ca.as_ref()].map(|path| {
        let metadata = std::fs::metadata(path?).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    })
}

fn read(files: &Tls, http2: bool) -> io::Result<ServerConfig> {
    let certificates = certificates(&files.certificate)?;
    let key =
        PrivateKeyDer::from_pem_reader(open(&files.key)?).map_err(|error| unusable(&files.key, &error))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(authorities) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots(authorities)?.into(), provider);
            let verifier = match files.client_certificates {
                ClientCertificates::Required => verifier,
                ClientCertificates::Optional => verifier.allow_unauthenticated(),
            };
            builder
                .with_client_cert_verifier(verifier.build().map_err(|error| unusable(authorities, &error))?)
        }
    };
    let mut config =
        builder.with_single_cert(certificates, key).map_err(|error| unusable(&files.certificate, &error))?;
    config.alpn_protocols =
        if http2 { vec![ALPN_H2.into(), ALPN_HTTP1.into()] } else { vec![ALPN_HTTP1.into()] };
    if files.client_ca.is_some() {
        // Who resumes is not asked for a certificate again, and the authorities may have changed since.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    } else {
        // Clients resume with a ticket that they keep, instead of a session that we would.
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(io::Error::other)?;
    }
    Ok(config)
}

fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_reader_iter(open(path)?)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(path, &error))?;
    if certificates.is_empty() {
        return Err(unusable(path, &"it holds no PEM certificate"));
    }
    Ok(certificates)
}

fn roots(path: &Path) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| unusable(path, &error))?;
    }
    Ok(roots)
}

fn open(path: &Path) -> io::Result<File> {
    File::open(path)
        .map_err(|error| io::Error::new(error.kind(), format!("can't read {}: {error}", path.display())))
}

fn unusable(path: &Path, why: &dyn std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("can't use {} for TLS: {why}", path.display()))
}

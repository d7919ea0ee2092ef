//! Whether the TLS certificate and its key can be read, belong together, and stay valid for a while.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::{SignedDuration, Timestamp};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error, RootCertStore};

use super::report::{Finding, Report};

#[cfg(test)]
mod tests;

const CERTIFICATE: &str = "TLS certificate";
const KEY: &str = "TLS key";
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);
/// The year 10000, in which no certificate is valid.
const END_OF_TIME: Duration = Duration::from_secs(253_402_300_801);
const READABLE_BY_OTHERS: u32 = 0o007;

/// Checks that the files can be read, belong together and stay valid for a while.
pub(super) fn check(certificate: &Path, key: &Path, now: SignedDuration, report: &mut Report) {
    match read_chain(certificate) {
        Ok(chain) => {
            report.add(validity(&chain, now));
            report.add(matching(chain, key));
        }
        Err(error) => report.add(Finding::bad(
            CERTIFICATE,
            format!("{error:#}"),
            "http.tls.certificate must name a PEM file with the server's certificate first, then its issuers",
        )),
    }
}

fn read_chain(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let shown = || file.display().to_string();
    let chain: Vec<_> = CertificateDer::pem_file_iter(file)
        .with_context(shown)?
        .collect::<Result<_, _>>()
        .with_context(shown)?;
    if chain.is_empty() {
        bail!("{}: holds no certificate", file.display());
    }
    Ok(chain)
}

fn matching(chain: Vec<CertificateDer<'static>>, file: &Path) -> Finding {
    let shown = file.display();
    let key = match PrivateKeyDer::from_pem_file(file) {
        Ok(key) => key,
        Err(error) => {
            let fix = "http.tls.key must name a PEM file with an unencrypted private key that berth may read";
            return Finding::bad(KEY, format!("{shown}: {error}"), fix);
        }
    };
    match CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()) {
        Err(Error::InconsistentKeys(_)) => Finding::bad(
            KEY,
            format!("{shown} is not the key of the certificate"),
            "name the key that the certificate was made for; the server's certificate must come first in its file",
        ),
        Err(error) => Finding::bad(KEY, format!("{shown}: {error}"), "use an RSA, ECDSA or Ed25519 key"),
        Ok(_) if open_to_others(file) => Finding::doubtful(
            KEY,
            format!("{shown} can be read by every user of this machine"),
            format!("chmod 600 {shown}"),
        ),
        Ok(_) => Finding::good(KEY, format!("{shown} is the key of the certificate")),
    }
}

fn open_to_others(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|found| found.permissions().mode() & READABLE_BY_OTHERS != 0)
}

fn validity(chain: &[CertificateDer<'static>], now: SignedDuration) -> Finding {
    let fix = "renew it; berth reads the files again when they change";
    let today = UnixTime::since_unix_epoch(Duration::try_from(now).unwrap_or_default());
    if let Err(Error::InvalidCertificate(error)) = verify(chain, today) {
        match error {
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                return Finding::bad(
                    CERTIFICATE,
                    "not valid yet",
                    "check the clock, or get another certificate",
                );
            }
            CertificateError::BadEncoding => {
                return Finding::bad(CERTIFICATE, "not an X.509 certificate", "get another certificate");
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature if chain.len() > 1 => {
                let fix = "put the server's certificate first, then the one that signed it, and so on";
                return Finding::bad(CERTIFICATE, "the chain is not in order, or has a gap", fix);
            }
            _ => {}
        }
    }
    let Some(end) = chain.iter().filter_map(expiry).min() else {
        return Finding::doubtful(
            CERTIFICATE,
            "when it ends can't be told",
            "check it with openssl x509 -noout -enddate",
        );
    };
    let shown = Timestamp::from_duration(end).map_or_else(|_| "year 9999".to_owned(), |end| end.to_string());
    if end < now {
        Finding::bad(CERTIFICATE, format!("expired on {shown}"), fix)
    } else if end - now < SOON {
        Finding::bad(CERTIFICATE, format!("expires on {shown}, in less than 14 days"), fix)
    } else {
        Finding::good(CERTIFICATE, format!("valid until {shown}"))
    }
}

/// Returns when a certificate ends, since 1970: what the verifier complains of at the end of time.
fn expiry(certificate: &CertificateDer<'static>) -> Option<SignedDuration> {
    match verify(std::slice::from_ref(certificate), UnixTime::since_unix_epoch(END_OF_TIME)) {
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            SignedDuration::try_from(Duration::from_secs(not_after.as_secs())).ok()
        }
        _ => None,
    }
}

/// Verifies a chain whose last certificate is trusted. The verifier looks at a certificate's time first, so errors
/// about names or issuers mean that the time was right.
fn verify(chain: &[CertificateDer<'static>], time: UnixTime) -> Result<(), Error> {
    let (Some(first), Some(last)) = (chain.first(), chain.last()) else { return Ok(()) };
    let mut roots = RootCertStore::empty();
    roots.add(last.clone())?;
    let verifier =
        WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::new(aws_lc_rs::default_provider()))
            .build()
            .map_err(|error| Error::General(error.to_string()))?;
    let name = ServerName::try_from("localhost").map_err(|error| Error::General(error.to_string()))?;
    verifier.verify_server_cert(first, &chain[1..], &name, &[], time).map(|_| ())
}

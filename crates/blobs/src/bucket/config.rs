//! Says which bucket, and how to reach it.

use std::{fmt, io::ErrorKind, path::PathBuf, time::Duration};

use super::plan::LARGEST_PART;
use crate::{Error, Result};

/// Everything a bucket can be told.
#[derive(Debug, Clone)]
pub struct BucketConfig {
    /// Name of the bucket.
    pub name: String,
    /// Every key begins with this and a slash; empty for the whole bucket.
    pub prefix: String,
    /// Address of the service, `https://host:port`; `None` for that of AWS in the region.
    pub endpoint: Option<String>,
    /// Region that requests are signed for; `None` for `us-east-1`, which most other services take.
    pub region: Option<String>,
    /// Keys to sign with; `None` for those of the environment: variables, a web identity, the instance's role.
    pub credentials: Option<Credentials>,
    /// Put the bucket's name in front of the host instead of the path.
    pub virtual_hosted_style: bool,
    /// How the service is to encrypt what it stores.
    pub encryption: Option<Encryption>,
    /// File of PEM certificates to trust beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// Sign what is sent, so that the service notices when it changes on its way; `None` for where no TLS does that already.
    pub sign_payloads: Option<bool>,
    /// Bytes of the first parts of a large upload, at least 5 MiB. From the 3,000th on they are larger.
    pub part_bytes: usize,
    /// Parts of one upload sent at a time.
    pub parts_in_flight: usize,
    /// Time to connect.
    pub connect_timeout: Duration,
    /// Time for an answer to begin, and between two pieces of it.
    pub request_timeout: Duration,
    /// Time after which a request that fails is not tried again.
    pub patience: Duration,
}

impl BucketConfig {
    /// The smallest part that services take.
    pub const MIN_PART_BYTES: usize = 5 << 20;

    /// Reads `s3://name/prefix`; the rest has its defaults.
    ///
    /// # Errors
    /// [`Error::Io`] when the address isn't one.
    pub fn new(url: &str) -> Result<Self> {
        let (name, prefix) = match url.strip_prefix("s3://") {
            Some(rest) => rest.split_once('/').unwrap_or((rest, "")),
            None => ("", ""),
        };
        let prefix = prefix.trim_matches('/');
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._/".contains(c);
        let segment = |part: &str| !matches!(part, "" | "." | "..");
        let is_prefix = prefix.is_empty() || prefix.split('/').all(segment);
        if name.is_empty() || !name.chars().all(plain) || !prefix.chars().all(plain) || !is_prefix {
            return Err(invalid(format!(
                "`{url}` is no bucket: `s3://name` or `s3://name/prefix` is expected"
            )));
        }
        Ok(Self {
            name: name.to_owned(),
            prefix: prefix.to_owned(),
            endpoint: None,
            region: None,
            credentials: None,
            virtual_hosted_style: false,
            encryption: None,
            ca_file: None,
            sign_payloads: None,
            part_bytes: 16 << 20,
            parts_in_flight: 4,
            connect_timeout: Duration::from_secs(3),
            request_timeout: Duration::from_secs(30),
            patience: Duration::from_secs(15),
        })
    }

    /// Checks what no service could be asked.
    ///
    /// # Errors
    /// [`Error::Io`] when a setting can't be used, and how it can.
    pub fn check(&self) -> Result<()> {
        if self.part_bytes < Self::MIN_PART_BYTES || self.part_bytes as u64 > LARGEST_PART {
            return Err(invalid(format!(
                "parts of {} bytes can't be stored: set part_bytes between 5 MiB and 5 GiB",
                self.part_bytes
            )));
        }
        match &self.endpoint {
            Some(endpoint) if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") => {
                Err(invalid(format!("`{endpoint}` is no endpoint: `https://host` is expected")))
            }
            _ => Ok(()),
        }
    }

    /// Says whether signatures cover what is sent.
    pub(super) fn signs_payloads(&self) -> bool {
        self.sign_payloads.unwrap_or(!self.is_secure())
    }

    /// Says whether requests go over TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.endpoint.as_ref().is_none_or(|endpoint| endpoint.starts_with("https://"))
    }
}

/// Identifies us to the service.
#[derive(Clone)]
pub struct Credentials {
    /// Public half.
    pub access_key_id: String,
    /// Secret half; not shown.
    pub secret_access_key: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// How the service encrypts what it stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// With the service's own keys: `AES256`.
    Service,
    /// With a key of its key management: `aws:kms`, and the key's identifier if it isn't the bucket's default.
    KeyManagement(Option<String>),
}

impl Encryption {
    /// Reads `AES256`, `aws:kms` or `aws:kms:<key id>`.
    ///
    /// # Errors
    /// [`Error::Io`] when it is something else.
    pub fn parse(text: &str) -> Result<Self> {
        match (text, text.strip_prefix("aws:kms:")) {
            ("AES256", _) => Ok(Self::Service),
            ("aws:kms", _) => Ok(Self::KeyManagement(None)),
            (_, Some(key)) if !key.is_empty() => Ok(Self::KeyManagement(Some(key.to_owned()))),
            _ => Err(invalid(format!(
                "`{text}` is no encryption: `AES256`, `aws:kms` or `aws:kms:<key id>` is expected"
            ))),
        }
    }
}

pub(super) fn invalid(what: String) -> Error {
    Error::Io(ErrorKind::InvalidInput.into(), what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let config = BucketConfig::new("s3://images/berth/one/").unwrap();
        assert_eq!((config.name.as_str(), config.prefix.as_str()), ("images", "berth/one"));
        assert!(config.check().is_ok());
        assert_eq!(BucketConfig::new("s3://images").unwrap().prefix, "");
        for wrong in [
            "images",
            "s3://",
            "http://images",
            "s3:///prefix",
            "s3://a b",
            "s3://a/b//c",
            "s3://a/../c",
            "s3://a/%2e",
        ] {
            assert!(BucketConfig::new(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_no_service_takes_is_refused() {
        let good = BucketConfig::new("s3://images").unwrap();
        assert!(BucketConfig { part_bytes: 1 << 20, ..good.clone() }.check().is_err());
        assert!(BucketConfig { endpoint: Some("host:9000".into()), ..good }.check().is_err());
        assert_eq!(Encryption::parse("AES256").unwrap(), Encryption::Service);
        assert_eq!(Encryption::parse("aws:kms").unwrap(), Encryption::KeyManagement(None));
        assert_eq!(Encryption::parse("aws:kms:a").unwrap(), Encryption::KeyManagement(Some("a".into())));
        assert!(Encryption::parse("aes256").is_err() && Encryption::parse("aws:kms:").is_err());
    }

    #[test]
    fn secrets_are_not_shown() {
        let credentials = Credentials { access_key_id: "id".into(), secret_access_key: "hidden".into() };
        let shown = format!("{credentials:?}");
        assert!(shown.contains("id") && !shown.contains("hidden"), "{shown}");
    }
}

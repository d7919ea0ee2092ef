//! A private certificate authority and the server certificate that it signed.

use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;

/// A CA nobody trusts yet. Its certificate lies alone in a directory, as container clients want it.
pub(crate) struct Authority {
    dir: TempDir,
}

impl Authority {
    /// Makes a CA and a certificate for the loopback addresses and for `addresses`.
    pub(crate) fn new(addresses: &[&str]) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("berth-ca-").tempdir()?;
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.distinguished_name.push(DnType::CommonName, "Berth test CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        let issuer = Issuer::new(params, key);

        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        names.extend(addresses.iter().map(|&address| address.to_owned()));
        let mut server = CertificateParams::new(names)?;
        server.distinguished_name.push(DnType::CommonName, "Berth test server");
        let server_key = KeyPair::generate()?;
        let server_certificate = server.signed_by(&server_key, &issuer)?;

        std::fs::create_dir(dir.path().join("ca"))?;
        std::fs::write(dir.path().join("ca/ca.crt"), certificate.pem())?;
        std::fs::write(dir.path().join("server.crt"), server_certificate.pem())?;
        std::fs::write(dir.path().join("server.key"), server_key.serialize_pem())?;
        Ok(Self { dir })
    }

    /// Directory that holds `ca.crt` and nothing else.
    pub(crate) fn ca_dir(&self) -> String {
        self.dir.path().join("ca").display().to_string()
    }

    pub(crate) fn ca_file(&self) -> String {
        self.dir.path().join("ca/ca.crt").display().to_string()
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.file("server.crt")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.file("server.key")
    }

    fn file(&self, name: &str) -> PathBuf {
        Path::new(self.dir.path()).join(name)
    }
}

//! Who a client is by its certificate.

use std::sync::Arc;

use berth_access::Caller;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::app::App;
use crate::config::ClientName;
use crate::context::RequestContext;
use crate::stranger::{self, Stranger};

/// What a client's certificate says, which the handshake has verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientCertificate {
    /// The name that it proves; empty if it has none of the kind that is wanted.
    pub(crate) name: Arc<str>,
    /// A connection may last longer than the certificate.
    expires_at: Timestamp,
}

impl ClientCertificate {
    /// Reads a certificate; `None` if that can't be done.
    pub(crate) fn read(certificate: &CertificateDer<'_>, wanted: ClientName) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let name = name(&certificate, wanted).unwrap_or_default();
        let expires_at = Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()?;
        Some(Self { name: name.into(), expires_at })
    }

    /// Tells whether it still proves anything.
    pub(crate) fn is_valid(&self, now: Timestamp) -> bool {
        now <= self.expires_at
    }
}

/// Finds out who sent a request: by what it says itself, else by the certificate that the connection began with.
pub(crate) async fn identify(
    app: &App,
    cx: &RequestContext,
    headers: &HeaderMap,
) -> Result<Caller, Stranger> {
    match &cx.certificate {
        Some(certificate)
            if !headers.contains_key(AUTHORIZATION) && certificate.is_valid(app.clock.now()) =>
        {
            let caller = app.access.certified(&certificate.name).map_err(Stranger::Unauthenticated)?;
            Ok(app.access.name_in_logs(caller).await)
        }
        _ => stranger::identify(app, cx.client, headers).await,
    }
}

/// Finds the one name of the kind that is wanted. Of two, neither is proved: which one was meant is anybody's guess.
fn name(certificate: &X509Certificate<'_>, wanted: ClientName) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    if wanted == ClientName::CommonName {
        names.extend(certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok()));
    } else {
        let alternatives = certificate.subject_alternative_name().ok()??;
        names.extend(alternatives.value.general_names.iter().filter_map(|name| match (wanted, name) {
            (ClientName::Email, GeneralName::RFC822Name(name))
            | (ClientName::Dns, GeneralName::DNSName(name)) => Some(*name),
            (ClientName::Uri, GeneralName::URI(uri)) => uri.rsplit('/').next(),
            _ => None,
        }));
    }
    match names[..] {
        [name] => Some(name.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn certificate(common_names: &[&str], alternatives: Vec<SanType>) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for name in common_names {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        params.subject_alt_names = alternatives;
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn name(certificate: &CertificateDer<'_>, wanted: ClientName) -> String {
        ClientCertificate::read(certificate, wanted).unwrap().name.to_string()
    }

    #[test]
    fn a_certificate_names_whom_it_is_for() {
        let one = certificate(
            &["alice"],
            vec![
                SanType::Rfc822Name("alice@example.com".try_into().unwrap()),
                SanType::DnsName("laptop.example.com".try_into().unwrap()),
                SanType::URI("spiffe://example.com/ns/ci/robot+ci".try_into().unwrap()),
            ],
        );
        assert_eq!(name(&one, ClientName::CommonName), "alice");
        assert_eq!(name(&one, ClientName::Email), "alice@example.com");
        assert_eq!(name(&one, ClientName::Dns), "laptop.example.com");
        assert_eq!(name(&one, ClientName::Uri), "robot+ci");
    }

    #[test]
    fn one_that_does_not_say_which_names_nobody() {
        let two = ["a.example.com", "b.example.com"].map(|name| SanType::DnsName(name.try_into().unwrap()));
        assert_eq!(name(&certificate(&["alice"], two.to_vec()), ClientName::Dns), "");
        assert_eq!(name(&certificate(&["alice"], Vec::new()), ClientName::Email), "");
        assert_eq!(name(&certificate(&[], Vec::new()), ClientName::CommonName), "");
    }

    #[test]
    fn one_is_good_until_its_end() {
        let read =
            ClientCertificate::read(&certificate(&["alice"], Vec::new()), ClientName::CommonName).unwrap();
        assert!(read.is_valid(Timestamp::UNIX_EPOCH));
        assert!(!read.is_valid(Timestamp::MAX));
    }
}

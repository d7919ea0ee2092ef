use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;

use super::super::report::Grade;
use super::{SignedDuration, matching, read_chain, validity};

/// 24 November 2026.
const NOW: SignedDuration = SignedDuration::from_secs(1_795_500_000);

fn params(from: (i32, u8, u8), until: (i32, u8, u8)) -> CertificateParams {
    let mut params = CertificateParams::new(vec!["registry.example".to_owned()]).unwrap();
    params.not_before = date_time_ymd(from.0, from.1, from.2);
    params.not_after = date_time_ymd(until.0, until.1, until.2);
    params
}

fn self_signed(from: (i32, u8, u8), until: (i32, u8, u8)) -> CertificateDer<'static> {
    params(from, until).self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
}

/// A server's certificate, and the authority's that signed it.
fn signed() -> [CertificateDer<'static>; 2] {
    let mut authority = params((2020, 1, 1), (2040, 1, 1));
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let server =
        params((2026, 1, 1), (2027, 6, 1)).signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
    [server.der().clone(), authority_certificate.der().clone()]
}

fn judged(chain: &[CertificateDer<'static>]) -> (Grade, String) {
    let finding = validity(chain, NOW);
    (finding.grade, finding.state)
}

#[test]
fn the_end_of_a_certificate_is_read() {
    let long = self_signed((2026, 1, 1), (2027, 6, 1));
    assert_eq!(judged(&[long]), (Grade::Good, "valid until 2027-06-01T00:00:00Z".to_owned()));
    let soon = self_signed((2026, 1, 1), (2026, 12, 1));
    let state = "expires on 2026-12-01T00:00:00Z, in less than 14 days".to_owned();
    assert_eq!(judged(&[soon]), (Grade::Bad, state));
    let past = self_signed((2025, 1, 1), (2026, 1, 1));
    assert_eq!(judged(&[past]), (Grade::Bad, "expired on 2026-01-01T00:00:00Z".to_owned()));
    let future = self_signed((2027, 1, 1), (2028, 1, 1));
    assert_eq!(judged(&[future]), (Grade::Bad, "not valid yet".to_owned()));
}

#[test]
fn the_first_of_a_chain_to_end_counts_and_its_order_is_checked() {
    let [server, authority] = signed();
    let chain = [server.clone(), authority.clone()];
    assert_eq!(judged(&chain), (Grade::Good, "valid until 2027-06-01T00:00:00Z".to_owned()));
    assert_eq!(judged(std::slice::from_ref(&server)).0, Grade::Good, "the issuer may be known to clients");
    let stranger = signed()[1].clone();
    assert_eq!(
        judged(&[server, stranger]),
        (Grade::Bad, "the chain is not in order, or has a gap".to_owned())
    );
}

#[test]
fn an_authority_as_server_certificate_has_an_end_too() {
    let [_, authority] = signed();
    assert_eq!(judged(&[authority]), (Grade::Good, "valid until 2040-01-01T00:00:00Z".to_owned()));
}

#[test]
fn the_key_must_be_the_certificates() {
    let here = TempDir::new().unwrap();
    let file = |name: &str, text: &str| -> PathBuf {
        std::fs::write(here.path().join(name), text).unwrap();
        here.path().join(name)
    };
    let key = KeyPair::generate().unwrap();
    let certificate = params((2026, 1, 1), (2027, 6, 1)).self_signed(&key).unwrap();
    let chain = read_chain(&file("cert.pem", &certificate.pem())).unwrap();
    let right = file("key.pem", &key.serialize_pem());
    let other = file("other.pem", &KeyPair::generate().unwrap().serialize_pem());
    let broken = file("broken.pem", "-----BEGIN PRIVATE KEY-----\n");

    assert_eq!(matching(chain.clone(), &right).grade, Grade::Doubtful, "readable by all");
    std::fs::set_permissions(&right, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(matching(chain.clone(), &right).grade, Grade::Good);
    let finding = matching(chain.clone(), &other);
    assert!(finding.grade == Grade::Bad && finding.state.ends_with("is not the key of the certificate"));
    assert_eq!(matching(chain, &broken).grade, Grade::Bad);
    assert!(read_chain(&broken).unwrap_err().to_string().contains("broken.pem"));
}

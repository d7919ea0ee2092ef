//! A certificate authority that nobody trusts yet.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// Makes a certificate authority, and a certificate of it for 127.0.0.1 with its key: three PEM texts in this order.
pub fn authority() -> (String, String, String) {
    let mut params = CertificateParams::new(Vec::new()).expect("no name is no bad name");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key is made");
    let certificate = params.self_signed(&key).expect("a key signs").pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().expect("a key is made");
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("an address is a name");
    let server = params.signed_by(&key, &issuer).expect("an authority signs");
    (certificate, server.pem(), key.serialize_pem())
}

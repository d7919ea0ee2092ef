//! Client certificates: who shows one is whom it names, as long as that account stands.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use reqwest::{Certificate, Client as Http, Identity, Method, StatusCode};

use super::Client;
use crate::harness::{Authority, Home, PASSWORD, Server, Setup};

/// An authority for clients.
struct Clients {
    ca: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Clients {
    fn new(home: &Home, name: &str) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let ca = home.write(&format!("{name}.pem"), &params.self_signed(&key)?.pem())?;
        Ok(Self { ca, issuer: Issuer::new(params, key) })
    }

    /// Makes a certificate for `name`, and its key.
    fn certificate(&self, name: &str) -> Result<(String, String)> {
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        Ok((params.signed_by(&key, &self.issuer)?.pem(), key.serialize_pem()))
    }
}

/// A server on TLS that knows `alice`, and nobody else.
async fn server(client: &Client, authority: &Authority, clients: &Clients, demand: &str) -> Result<Server> {
    let hash = client.home.hash(PASSWORD).await?;
    let mut config = format!("access:\n  anonymous: none\n  users: [{{name: alice, password: '{hash}'}}]\n");
    let (certificate, key) = (authority.certificate(), authority.key());
    write!(
        config,
        "http:\n  tls: {{certificate: {}, key: {}, client_ca: {}, client_certificates: {demand}}}",
        certificate.display(),
        key.display(),
        clients.ca.display()
    )?;
    Setup::default().with_config(&config).start().await
}

/// Asks `/v2/` with a certificate, or without.
async fn ask(server: &Server, authority: &Authority, shown: Option<&(String, String)>) -> Result<StatusCode> {
    // Fails when another test was first, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let roots = [Certificate::from_pem(&std::fs::read(authority.ca_file())?)?];
    let mut http = Http::builder().no_proxy().tls_certs_only(roots);
    if let Some((certificate, key)) = shown {
        http = http.identity(Identity::from_pem(format!("{certificate}{key}").as_bytes())?);
    }
    let request = http.build()?.request(Method::GET, format!("https://{}/v2/", server.host()));
    Ok(request.send().await?.status())
}

#[tokio::test]
async fn a_certificate_proves_whom_it_names() -> Result<()> {
    let (client, authority) = (Client::new()?, std::sync::Arc::new(Authority::new(&[])?));
    let (clients, others) = (Clients::new(&client.home, "clients")?, Clients::new(&client.home, "others")?);
    let server = server(&client, &authority, &clients, "optional").await?;
    let alice = clients.certificate("alice")?;
    ensure!(ask(&server, &authority, Some(&alice)).await? == StatusCode::OK);
    ensure!(ask(&server, &authority, None).await? == StatusCode::UNAUTHORIZED);
    for name in ["mallory", "robot+ci", "anonymous", ""] {
        let status = ask(&server, &authority, Some(&clients.certificate(name)?)).await?;
        ensure!(status == StatusCode::UNAUTHORIZED, "{name:?}: {status}");
    }
    // Of an authority that is not asked for: no connection.
    ensure!(ask(&server, &authority, Some(&others.certificate("alice")?)).await.is_err());

    // A real client, without any password.
    let dir = client.home.path().join("certificates");
    client.home.write("certificates/ca.crt", &std::fs::read_to_string(authority.ca_file())?)?;
    client.home.write("certificates/client.cert", &alice.0)?;
    client.home.write("certificates/client.key", &alice.1)?;
    let dir = dir.display().to_string();
    let there = format!("docker://{}/team/app:1", server.host());
    let image = client.images.oci(&client.images.image);
    client.home.run("skopeo", &["copy", "-q", "--dest-cert-dir", &dir, &image, &there]).await?;
    let digest = client
        .home
        .run("skopeo", &["inspect", "--cert-dir", &dir, "--format", "{{.Digest}}", &there])
        .await?;
    ensure!(digest.trim() == client.images.image.digest, "{digest}");
    Ok(())
}

#[tokio::test]
async fn a_certificate_may_be_demanded() -> Result<()> {
    let (client, authority) = (Client::new()?, std::sync::Arc::new(Authority::new(&[])?));
    let clients = Clients::new(&client.home, "clients")?;
    let server = server(&client, &authority, &clients, "required").await?;
    ensure!(ask(&server, &authority, None).await.is_err());
    ensure!(ask(&server, &authority, Some(&clients.certificate("alice")?)).await? == StatusCode::OK);
    ensure!(
        ask(&server, &authority, Some(&clients.certificate("mallory")?)).await? == StatusCode::UNAUTHORIZED
    );
    Ok(())
}

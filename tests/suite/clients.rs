//! Real clients on real images, over HTTP and over TLS with a private CA: what is pulled is what was pushed, and it runs.

pub(crate) mod buildah;
pub(crate) mod containerd;
pub(crate) mod crane;
pub(crate) mod docker;
mod engine;
pub(crate) mod helm;
pub(crate) mod oras;
pub(crate) mod podman;
pub(crate) mod regctl;
pub(crate) mod skopeo;

pub(crate) use podman::configure as configure_podman;

use std::sync::Arc;

use anyhow::{Result, ensure};

use crate::harness::{Authority, Home, Images, Registry, Server, Setup};

/// What most of these tests need: a server that wants a password over TLS, one open over HTTP, and images.
struct Stage {
    home: Home,
    images: Images,
    authority: Arc<Authority>,
    plain: Server,
    secure: Server,
}

impl Stage {
    async fn new() -> Result<Self> {
        let home = Home::new()?;
        let images = Images::build(home.path())?;
        let authority = Arc::new(Authority::new(&[])?);
        let plain = Server::open().await?;
        let secure = Setup::default().with_tls(&authority).start().await?;
        Ok(Self { home, images, authority, plain, secure })
    }
}

/// Fails unless the tag of a server points to this digest.
pub(crate) async fn ensure_tag(
    server: &dyn Registry,
    repository: &str,
    tag: &str,
    digest: &str,
) -> Result<()> {
    let found = server.api()?.resolve(repository, tag).await?;
    ensure!(found.as_deref() == Some(digest), "{repository}:{tag} is {found:?}, not the pushed {digest}");
    Ok(())
}

/// What clients say about a certificate of a CA that they were not told.
const UNTRUSTED: &[&str] =
    &["certificate signed by unknown authority", "certificate is not trusted", "x509:"];

/// What clients say when the password is wrong.
pub(crate) const REFUSED: &[&str] = &[
    "unauthorized",
    "Unauthorized",
    "UNAUTHORIZED",
    "401",
    "authentication required",
    "invalid username/password",
    "no basic auth credentials",
    "basic credential not found",
];

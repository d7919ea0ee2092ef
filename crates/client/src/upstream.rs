//! The client and what it is told.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Url};

use crate::auth::Auth;
use crate::guard::{Guard, PlainHttp};
use crate::patience::Patience;
use crate::throttle::Throttle;
use crate::{Address, Credentials, Error, Limits, Result};

/// Idle connections kept.
const IDLE: usize = 16;

/// What a client is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the registry is.
    pub address: Address,
    /// Who we are; `None` for nobody.
    pub credentials: Option<Credentials>,
    /// Certificates (PEM) of authorities to trust beside the system's.
    pub authorities: Option<Vec<u8>>,
    /// Bytes of blobs per second at most, all transfers together; 0 for no limit.
    pub bytes_per_second: u64,
    /// How much the registry may ask of us.
    pub limits: Limits,
}

/// A client of one registry. Cheap to clone; all clones share connections, tokens and limits.
#[derive(Debug, Clone)]
pub struct Upstream(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) http: Client,
    pub(crate) base: Url,
    pub(crate) guard: Guard,
    pub(crate) auth: Auth,
    pub(crate) limits: Limits,
    pub(crate) patience: Patience,
    pub(crate) throttle: Throttle,
    /// Set once the registry has shown that it knows no referrers API.
    pub(crate) no_referrers: AtomicBool,
}

impl Upstream {
    /// Makes a client. Sends nothing.
    pub fn new(settings: &Settings) -> Result<Self> {
        let Settings { address, credentials, bytes_per_second, limits, .. } = settings;
        // Whoever was first has installed the same one.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let plain = if address.allows_plain_http() { PlainHttp::Anywhere } else { PlainHttp::Never };
        let guard = Guard::new("the registry", address.url(), plain);
        let http = client(settings, &guard)?;
        Ok(Self(Arc::new(Inner {
            http,
            base: address.url().clone(),
            guard,
            auth: Auth::new(credentials.as_ref())?,
            limits: limits.clone(),
            patience: Patience::new(),
            throttle: Throttle::new(*bytes_per_second),
            no_referrers: AtomicBool::new(false),
        })))
    }
}

fn client(settings: &Settings, guard: &Guard) -> Result<Client> {
    let limits = &settings.limits;
    let builder = || {
        Client::builder()
            .user_agent(concat!("berth/", env!("CARGO_PKG_VERSION")))
            .http1_only()
            .redirect(Policy::none())
            // A proxy would resolve names past the guard.
            .no_proxy()
            .dns_resolver(Arc::new(guard.clone()))
            .connect_timeout(limits.connect)
            .read_timeout(limits.silence)
            .pool_max_idle_per_host(IDLE)
            .tcp_nodelay(true)
    };
    let built = match &settings.authorities {
        Some(pem) => builder().tls_certs_merge(certificates(pem)?).build(),
        // A system without certificates is good enough for plain HTTP.
        None if settings.address.allows_plain_http() => {
            builder().build().or_else(|_| builder().tls_certs_only([]).build())
        }
        None => builder().build(),
    };
    built.map_err(|error| Error::Settings(format!("no HTTP client can be made: {error}")))
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate>> {
    match Certificate::from_pem_bundle(pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(Error::Settings("the file of authorities holds no certificate".to_owned())),
        Err(error) => Err(Error::Settings(format!("the authorities' certificates can't be used: {error}"))),
    }
}

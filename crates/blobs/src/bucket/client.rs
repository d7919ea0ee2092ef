//! Makes the HTTP client: our TLS provider, our timeouts, the breaker in front.

use std::{fmt, fs, sync::Arc, time::Instant};

use async_trait::async_trait;
use object_store::{
    BackoffConfig, ClientOptions, HeaderValue, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut},
    client::{HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService},
};

use super::{
    breaker::Breaker,
    config::{BucketConfig, Encryption, invalid},
    error::{Refused, is_refusal},
};
use crate::{Error, Result, error::Context as _};

/// Tries after the first.
const RETRIES: usize = 4;
/// Idle connections kept to the service.
const IDLE_CONNECTIONS: usize = 64;

/// Makes the client of a bucket. Sends nothing; reads the certificates, so it blocks: for start-up.
pub(super) fn connect(config: &BucketConfig, breaker: &Arc<Breaker>) -> Result<AmazonS3> {
    // Whoever was first has installed the same one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = http_client(config)?;
    let service = Guarded { client: HttpClient::new(client), breaker: Arc::clone(breaker) };
    let builder = if let Some(credentials) = &config.credentials {
        AmazonS3Builder::new()
            .with_access_key_id(&credentials.access_key_id)
            .with_secret_access_key(&credentials.secret_access_key)
    } else {
        AmazonS3Builder::from_env()
    };
    let mut builder = builder
        .with_bucket_name(&config.name)
        .with_region(config.region.as_deref().unwrap_or("us-east-1"))
        .with_virtual_hosted_style_request(config.virtual_hosted_style)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_disable_bulk_delete(true)
        // TLS protects the bytes on their way; without it their hash in the signature does.
        .with_unsigned_payload(config.is_secure())
        .with_retry(RetryConfig {
            backoff: BackoffConfig {
                init_backoff: std::time::Duration::from_millis(50),
                max_backoff: std::time::Duration::from_secs(2),
                base: 2.0,
            },
            max_retries: RETRIES,
            retry_timeout: config.patience,
        })
        .with_client_options(ClientOptions::new().with_allow_http(true))
        .with_http_connector(Connector(service));
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(address(config, endpoint));
    }
    builder = match &config.encryption {
        None => builder,
        Some(Encryption::Service) => builder.with_config(encryption_key()?, "AES256"),
        Some(Encryption::KeyManagement(None)) => builder.with_config(encryption_key()?, "sse:kms"),
        Some(Encryption::KeyManagement(Some(key))) => builder.with_sse_kms_encryption(key),
    };
    builder.build().map_err(|error| invalid(format!("the bucket's settings can't be used: {error}")))
}

fn encryption_key() -> Result<object_store::aws::AmazonS3ConfigKey> {
    "aws_server_side_encryption".parse().map_err(|error| invalid(format!("{error}")))
}

/// Returns the address that keys are added to, or the bucket's name.
fn address(config: &BucketConfig, endpoint: &str) -> String {
    let endpoint = endpoint.trim_end_matches('/');
    match endpoint.split_once("://") {
        Some((scheme, host)) if config.virtual_hosted_style => format!("{scheme}://{}.{host}", config.name),
        _ => endpoint.to_owned(),
    }
}

fn http_client(config: &BucketConfig) -> Result<reqwest::Client> {
    let agent = HeaderValue::from_static(concat!("berth/", env!("CARGO_PKG_VERSION")));
    let mut builder = reqwest::Client::builder()
        .user_agent(agent)
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(config.connect_timeout)
        .read_timeout(config.request_timeout)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .tcp_nodelay(true);
    if let Some(path) = &config.ca_file {
        let pem = fs::read(path).context(|| format!("cannot read {}", path.display()))?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem)
            .map_err(|error| invalid(format!("{} holds no certificates: {error}", path.display())))?;
        builder = builder.tls_certs_merge(certificates);
    } else if !config.is_secure() {
        // No need of a system with certificates.
        builder = builder.tls_certs_only([]);
    }
    builder
        .build()
        .map_err(|error| Error::Io(std::io::Error::other(error), "cannot make an HTTP client".into()))
}

#[derive(Debug)]
struct Connector(Guarded);

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

/// Sends requests that the breaker lets through, and turns the answers of a service in trouble into errors.
#[derive(Clone)]
struct Guarded {
    client: HttpClient,
    breaker: Arc<Breaker>,
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("breaker", &self.breaker).finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpService for Guarded {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let admission = self
            .breaker
            .admit(Instant::now())
            .map_err(|open| HttpError::new(HttpErrorKind::Unknown, open))?;
        let response = match self.client.execute(request).await {
            Ok(response) => response,
            Err(error) => {
                admission.failed(Instant::now());
                return Err(error);
            }
        };
        let status = response.status();
        if !is_refusal(status) {
            admission.succeeded();
            return Ok(response);
        }
        let refused = Refused { status: status.as_u16() };
        if refused.is_full() {
            admission.succeeded();
            return Err(HttpError::new(HttpErrorKind::Unknown, refused));
        }
        admission.failed(Instant::now());
        // Of this kind are all requests tried again: the service didn't carry them out.
        Err(HttpError::new(HttpErrorKind::Request, refused))
    }
}

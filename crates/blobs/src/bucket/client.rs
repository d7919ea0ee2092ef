//! Makes the HTTP client: our TLS provider, our timeouts, the breaker in front.

use std::{fmt, fs, sync::Arc, time::Instant};

use async_trait::async_trait;
use bytes::Bytes;
use object_store::{
    BackoffConfig, ClientOptions, HeaderValue, RetryConfig, StaticCredentialProvider,
    aws::{AmazonS3, AmazonS3Builder, AwsAuthorizer, AwsCredential, AwsCredentialProvider, S3ConditionalPut},
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
        HttpService,
    },
};
use reqwest::Url;

use super::{
    breaker::Breaker,
    config::{BucketConfig, Credentials, Encryption, invalid},
    error::{Refused, is_refusal},
};
use crate::{Error, Result, error::Context as _};

/// Tries after the first.
const RETRIES: usize = 4;
/// Idle connections kept to the service.
const IDLE_CONNECTIONS: usize = 64;

/// Region that requests are signed for where none is named: most services take it.
const REGION: &str = "us-east-1";

/// Speaks to the service.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) store: AmazonS3,
    /// Where the bucket itself is asked.
    pub(super) address: Url,
    credentials: AwsCredentialProvider,
    region: String,
    service: Guarded,
}

/// Makes the client of a bucket. Sends nothing; reads the certificates, so it blocks: for start-up.
pub(super) fn connect(config: &BucketConfig, breaker: &Arc<Breaker>) -> Result<Client> {
    // Whoever was first has installed the same one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = http_client(config)?;
    let service = Guarded { client: HttpClient::new(client), breaker: Arc::clone(breaker) };
    let region = config.region.as_deref().unwrap_or(REGION);
    let credentials = credentials(config, region)?;
    let mut builder = AmazonS3Builder::new()
        .with_credentials(Arc::clone(&credentials))
        .with_bucket_name(&config.name)
        .with_region(region)
        .with_virtual_hosted_style_request(config.virtual_hosted_style)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_disable_bulk_delete(true)
        .with_unsigned_payload(!config.signs_payloads())
        .with_retry(retries(config))
        .with_client_options(ClientOptions::new().with_allow_http(true))
        .with_http_connector(Connector(HttpClient::new(service.clone())));
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(address(config, endpoint));
    }
    builder = match &config.encryption {
        None => builder,
        Some(Encryption::Service) => builder.with_config(encryption_key()?, "AES256"),
        Some(Encryption::KeyManagement(None)) => builder.with_config(encryption_key()?, "aws:kms"),
        Some(Encryption::KeyManagement(Some(key))) => builder.with_sse_kms_encryption(key),
    };
    let store = builder.build().map_err(|error| unusable(&error))?;
    Ok(Client {
        store,
        address: bucket_address(config, region)?,
        credentials,
        region: region.to_owned(),
        service,
    })
}

/// Returns the keys that were given, else those of the environment: variables, a web identity, a container's or an instance's
/// role. Whoever gives those out is asked past the bucket's own certificates, and past its breaker.
fn credentials(config: &BucketConfig, region: &str) -> Result<AwsCredentialProvider> {
    if let Some(Credentials { access_key_id, secret_access_key }) = &config.credentials {
        return Ok(Arc::new(StaticCredentialProvider::new(AwsCredential {
            key_id: access_key_id.clone(),
            secret_key: secret_access_key.clone(),
            token: None,
        })));
    }
    // On a system without certificates, most of those who give out keys are still reached: without TLS.
    let client =
        build(client_builder(config)).or_else(|_| build(client_builder(config).tls_certs_only([])))?;
    let store = AmazonS3Builder::from_env()
        .with_bucket_name(&config.name)
        .with_region(region)
        .with_retry(retries(config))
        .with_http_connector(Connector(HttpClient::new(client)))
        .build()
        .map_err(|error| unusable(&error))?;
    Ok(Arc::clone(store.credentials()))
}

fn retries(config: &BucketConfig) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: std::time::Duration::from_millis(50),
            max_backoff: std::time::Duration::from_secs(2),
            base: 2.0,
        },
        max_retries: RETRIES,
        retry_timeout: config.patience,
    }
}

impl Client {
    /// Sends a GET that the client library has no call for.
    pub(super) async fn get(&self, url: &Url) -> object_store::Result<Bytes> {
        let generic = |source| object_store::Error::Generic { store: "S3", source };
        let credential = self.credentials.get_credential().await?;
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.uri_mut() = url.as_str().parse().map_err(|error| generic(Box::new(error)))?;
        AwsAuthorizer::new(&credential, "s3", &self.region).try_authorize(&mut request, None)?;
        let response = self.service.call(request).await.map_err(|error| generic(Box::new(error)))?;
        let status = response.status();
        let body = response.into_body().bytes().await.map_err(|error| generic(Box::new(error)))?;
        if status.is_success() {
            return Ok(body);
        }
        let said = String::from_utf8_lossy(&body).chars().take(1000).collect::<String>();
        Err(generic(format!("the service answered with status {status}: {said}").into()))
    }
}

fn unusable(error: &object_store::Error) -> Error {
    invalid(format!("the bucket's settings can't be used: {error}"))
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

/// Returns where the bucket itself is.
fn bucket_address(config: &BucketConfig, region: &str) -> Result<Url> {
    let aws = format!("https://s3.{region}.amazonaws.com");
    let address = address(config, config.endpoint.as_deref().unwrap_or(&aws));
    let text = if config.virtual_hosted_style { address } else { format!("{address}/{}", config.name) };
    text.parse().map_err(|error| invalid(format!("`{text}` is no address of a bucket: {error}")))
}

fn client_builder(config: &BucketConfig) -> reqwest::ClientBuilder {
    let agent = HeaderValue::from_static(concat!("berth/", env!("CARGO_PKG_VERSION")));
    reqwest::Client::builder()
        .user_agent(agent)
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(config.connect_timeout)
        .read_timeout(config.request_timeout)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .tcp_nodelay(true)
}

fn http_client(config: &BucketConfig) -> Result<reqwest::Client> {
    let mut builder = client_builder(config);
    if let Some(path) = &config.ca_file {
        let pem = fs::read(path).context(|| format!("cannot read {}", path.display()))?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem)
            .map_err(|error| invalid(format!("{} holds no certificates: {error}", path.display())))?;
        builder = builder.tls_certs_merge(certificates);
    } else if !config.is_secure() {
        // No need of a system with certificates.
        builder = builder.tls_certs_only([]);
    }
    build(builder)
}

fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client> {
    builder
        .build()
        .map_err(|error| Error::Io(std::io::Error::other(error), "cannot make an HTTP client".into()))
}

#[derive(Debug)]
struct Connector(HttpClient);

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(self.0.clone())
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

//! Asking issuers and login services: over TLS, never led elsewhere, and with bounds on every answer.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, RequestBuilder, Url};
use serde::de::DeserializeOwned;

use crate::error::{SettingsError, read};

/// Most that an answer may hold.
const ANSWER_BYTES: usize = 1 << 20;
const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(10);

/// Services for the machine itself that lie outside the link-local networks (Alibaba's, Amazon's over IPv6).
const MACHINE_V4: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
const MACHINE_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// A client for what one issuer serves. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: Client,
    guard: Guard,
}

impl Http {
    /// Makes a client for the issuer at `issuer`, which the operator named; `part` names its place in the configuration.
    pub(crate) fn new(part: &str, issuer: &Url, ca_file: Option<&Path>) -> Result<Self, SettingsError> {
        // Whoever was first has installed the same one.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let guard = Guard { here: is_loopback(issuer), host: issuer.host_str().unwrap_or_default().into() };
        let builder = || {
            Client::builder()
                .user_agent(concat!("berth/", env!("CARGO_PKG_VERSION")))
                .redirect(Policy::none())
                // A proxy would resolve names past the guard.
                .no_proxy()
                .dns_resolver(Arc::new(guard.clone()))
                .connect_timeout(CONNECT)
                .timeout(WHOLE)
        };
        let built = match ca_file {
            Some(file) => builder().tls_certs_merge(certificates(part, file)?).build(),
            // A system without certificates is good enough for plain HTTP on this machine.
            None if issuer.scheme() == "http" => {
                builder().build().or_else(|_| builder().tls_certs_only([]).build())
            }
            None => builder().build(),
        };
        let client = built
            .map_err(|error| SettingsError::new(part, format!("no HTTP client can be made: {error}")))?;
        Ok(Self { client, guard })
    }

    /// Refuses an address that the issuer names and that must not be asked.
    pub(crate) fn check(&self, url: &str) -> Result<Url, String> {
        let url = Url::parse(url).map_err(|error| format!("{url:?} is no address: {error}"))?;
        self.guard.check(&url)?;
        Ok(url)
    }

    /// Reads JSON.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        url: &str,
        bearer: Option<&str>,
    ) -> Result<T, String> {
        let mut request = self.client.get(self.check(url)?).header("accept", "application/json");
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        self.json(url, request).await
    }

    /// Sends a form and reads JSON.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        url: &str,
        form: &[(&str, &str)],
        basic: Option<(&str, &str)>,
    ) -> Result<T, String> {
        let mut request = self.client.post(self.check(url)?).header("accept", "application/json").form(form);
        if let Some((name, password)) = basic {
            request = request.basic_auth(name, Some(password));
        }
        self.json(url, request).await
    }

    async fn json<T: DeserializeOwned>(&self, url: &str, request: RequestBuilder) -> Result<T, String> {
        let failed = |error: reqwest::Error| format!("{url}: {}", cause(&error.without_url()));
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > ANSWER_BYTES {
                return Err(format!("{url}: the answer is larger than {ANSWER_BYTES} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        if !status.is_success() {
            let said = crate::name::printable(&String::from_utf8_lossy(&body), 200);
            return Err(format!("{url} answers {status}: {said}"));
        }
        // The error would repeat a part of the answer, which may hold a token.
        serde_json::from_slice(&body)
            .map_err(|_| format!("{url}: the answer is not the JSON that is expected"))
    }
}

/// Checks an issuer of the configuration: TLS, but for one on this machine.
pub(crate) fn issuer(part: &str, text: &str) -> Result<Url, SettingsError> {
    let wrong = |problem: &str| SettingsError::new(part, format!("issuer {text:?} {problem}"));
    let url = Url::parse(text).map_err(|error| wrong(&format!("is no address: {error}")))?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        _ => return Err(wrong("must begin with https://: whoever can answer in its place can be anybody")),
    }
    if url.host_str().is_none_or(str::is_empty) || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("must be an address without a query, as in the discovery document"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("must hold no credentials"));
    }
    Ok(url)
}

fn certificates(part: &str, file: &Path) -> Result<Vec<Certificate>, SettingsError> {
    let pem = read(part, file)?;
    match Certificate::from_pem_bundle(pem.as_bytes()) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => {
            let problem = format!("{} holds no certificate in PEM that can be used", file.display());
            Err(SettingsError::new(part, problem))
        }
    }
}

fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it takes too long to answer".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

fn is_loopback(url: &Url) -> bool {
    literal(url).map_or(url.host_str() == Some("localhost"), |address| address.to_canonical().is_loopback())
}

fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// What the operator named is fine, whatever it is; what an issuer names is looked at: its word must not make Berth ask this machine,
/// or what tells machines their secrets.
#[derive(Debug, Clone)]
struct Guard {
    host: Arc<str>,
    here: bool,
}

impl Guard {
    fn check(&self, url: &Url) -> Result<(), String> {
        let is_fine = match url.scheme() {
            "https" => true,
            "http" => self.here && is_loopback(url),
            _ => false,
        };
        if !is_fine {
            return Err(format!("the issuer leads to {url}, which is not TLS: not followed"));
        }
        match literal(url) {
            Some(address) if !self.may_reach(url.host_str().unwrap_or_default(), address) => Err(format!(
                "the issuer leads to {address}, an address of this machine or its network: not followed"
            )),
            _ => Ok(()),
        }
    }

    fn may_reach(&self, host: &str, address: IpAddr) -> bool {
        if host.eq_ignore_ascii_case(&self.host) {
            return true;
        }
        let address = address.to_canonical();
        let is_local = address.is_loopback() || address.is_unspecified();
        let is_link = match address {
            IpAddr::V4(v4) => v4.is_link_local() || v4 == MACHINE_V4,
            IpAddr::V6(v6) => v6.is_unicast_link_local() || v6 == MACHINE_V6,
        };
        !is_link && (self.here || !is_local)
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let fine: Vec<_> = found.filter(|found| guard.may_reach(name.as_str(), found.ip())).collect();
            if fine.is_empty() {
                let reason = format!("{} has no address that may be asked", name.as_str());
                return Err(io::Error::other(reason).into());
            }
            let addresses: Addrs = Box::new(fine.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_ask(named: &str, url: &str) -> bool {
        let named = Url::parse(named).unwrap();
        Http::new("oidc", &named, None).unwrap().check(url).is_ok()
    }

    #[test]
    fn an_issuer_leads_to_no_secrets_of_the_machine() {
        for url in [
            "https://169.254.169.254/keys",
            "https://[fe80::1]/",
            "https://[::ffff:169.254.169.254]/",
            "https://2852039166/",
            "https://100.100.100.200/",
            "https://[fd00:ec2::254]/",
            "https://127.0.0.1/",
            "https://0.0.0.0/",
            "https://[::1]/",
            "http://id.example.com/keys",
            "file:///etc/passwd",
            "ldap://127.0.0.1/",
            "no address",
        ] {
            assert!(!may_ask("https://id.example.com", url), "{url}");
        }
        assert!(may_ask("https://id.example.com", "https://keys.example.com/jwks"));
        assert!(may_ask("https://id.example.com", "https://10.0.0.7/jwks"));
        assert!(may_ask("https://10.0.0.7", "https://10.0.0.7/jwks"));
        assert!(may_ask("http://127.0.0.1:3000", "http://127.0.0.1:3000/jwks"));
        assert!(!may_ask("http://127.0.0.1:3000", "http://id.example.com/jwks"));
        assert!(!may_ask("http://127.0.0.1:3000", "https://169.254.169.254/jwks"));
    }

    #[test]
    fn only_tls_is_trusted_off_this_machine() {
        for text in ["https://id.example.com/realms/main", "http://127.0.0.1:3000", "http://localhost:3000"] {
            assert!(issuer("oidc", text).is_ok(), "{text}");
        }
        for text in
            ["http://id.example.com", "https://id.example.com?x=1", "https://u:p@id.example.com", "id", ""]
        {
            assert!(issuer("oidc", text).is_err(), "{text}");
        }
    }
}

//! A directory's servers: connections to the first that answers.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use berth_access::federation::Ldap as Settings;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings};
use parking_lot::Mutex;
use reqwest::Url;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use super::session::Session;
use super::{Inner, Question, Trouble, Verdict};
use crate::error::{SettingsError, read};

/// How long a server that did not answer is not asked: what waits for it waits for nothing.
const REST: Duration = Duration::from_secs(5);

/// A directory's servers.
pub(super) struct Servers {
    all: Vec<Server>,
    tls: Arc<ClientConfig>,
    start_tls: bool,
}

struct Server {
    url: Url,
    rests_till: Mutex<Option<Instant>>,
}

impl Servers {
    pub(super) fn new(part: &str, settings: &Settings) -> Result<Self, SettingsError> {
        let wrong = |problem: String| SettingsError::new(part, problem);
        if settings.servers.is_empty() {
            return Err(wrong("name at least one of its servers".to_owned()));
        }
        let mut all = Vec::new();
        for text in &settings.servers {
            let url =
                Url::parse(text).map_err(|error| wrong(format!("server {text:?} is no address: {error}")))?;
            let is_secret = match url.scheme() {
                "ldaps" => true,
                "ldap" => settings.start_tls,
                _ => return Err(wrong(format!("server {text:?} must begin with ldaps:// or ldap://"))),
            };
            if url.host_str().is_none_or(str::is_empty) {
                return Err(wrong(format!("server {text:?} names no host")));
            }
            if !is_secret && !settings.plain_text {
                return Err(wrong(format!(
                    "{text} would see passwords travel in the open: use ldaps://, set start_tls, or allow it by plain_text"
                )));
            }
            all.push(Server { url, rests_till: Mutex::default() });
        }
        Ok(Self { all, tls: tls(part, settings.ca_file.as_deref())?, start_tls: settings.start_tls })
    }

    /// Connects to a server, and encrypts what is said if the configuration wants it.
    async fn connect(&self, server: &Server, patience: Duration) -> Result<Connection, Trouble> {
        let settings = LdapConnSettings::new()
            .set_conn_timeout(patience)
            .set_starttls(self.start_tls)
            .set_config(Arc::clone(&self.tls));
        let (driver, ldap) = LdapConnAsync::from_url_with_settings(settings, &server.url).await?;
        let driver = tokio::spawn(async move {
            if let Err(error) = driver.drive().await {
                tracing::debug!(%error, "connection to a directory ended");
            }
        });
        Ok(Connection { ldap, driver: driver.abort_handle() })
    }
}

/// A connection, which ends when it is dropped.
pub(super) struct Connection {
    pub(super) ldap: Ldap,
    driver: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Server {
    fn rests(&self) -> bool {
        self.rests_till.lock().is_some_and(|till| Instant::now() < till)
    }
}

impl Inner {
    /// Asks one server after the other; one that does not answer is left alone for a while.
    pub(super) async fn ask_servers(
        &self,
        patience: Duration,
        question: &Question,
    ) -> Result<Verdict, Trouble> {
        let bind_password = match &self.bind_password {
            Some(password) => Some(password.reveal().await.map_err(Trouble::Server)?),
            None => None,
        };
        let mut trouble = Trouble::Server("no server answered a moment ago".to_owned());
        for server in self.servers.all.iter().filter(|server| !server.rests()) {
            let answer = timeout(patience, async {
                let connection = self.servers.connect(server, patience).await?;
                Session::new(&self.settings, bind_password.as_deref(), connection).answer(question).await
            });
            trouble = match answer.await {
                Ok(Err(trouble @ Trouble::Server(_))) => trouble,
                Ok(answer) => return answer,
                Err(_) => Trouble::Server(format!("it did not answer within {} s", patience.as_secs())),
            };
            *server.rests_till.lock() = Some(Instant::now() + REST);
            tracing::warn!(directory = self.settings.name, server = %server.url, %trouble, "directory can't be asked");
        }
        Err(trouble)
    }
}

fn tls(part: &str, ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, SettingsError> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = ca_file {
        let pem = read(part, file)?;
        for certificate in CertificateDer::pem_reader_iter(Cursor::new(pem)) {
            let added = certificate.ok().and_then(|certificate| roots.add(certificate).ok());
            if added.is_none() {
                let problem = format!("{} holds what is no certificate of an authority", file.display());
                return Err(SettingsError::new(part, problem));
            }
        }
        if roots.is_empty() {
            return Err(SettingsError::new(part, format!("{} holds no certificate in PEM", file.display())));
        }
    } else {
        // Those of the system that can't be read prove nobody.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| SettingsError::new(part, error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

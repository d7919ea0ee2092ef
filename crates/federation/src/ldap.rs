//! One directory: a user's password is right if the directory lets the user in with it.
//!
//! `servers` opens connections, to the next server when one does not answer; `session` is what a login asks on one; `entry` reads what
//! comes back, `groups` looks for groups, `template` puts names into filters and distinguished names so that they stay names.

use std::sync::Arc;
use std::time::Duration;

use berth_access::Secrets;
use berth_access::federation::{self as settings, LookedUp, Proven};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::credential::Credential;
use crate::error::SettingsError;

mod entry;
mod groups;
mod servers;
mod session;
mod template;

use self::servers::Servers;

/// Logins that ask one directory at once: a server that hangs holds up no more.
const AT_ONCE: usize = 32;

/// A directory of users.
#[derive(Clone)]
pub(crate) struct Ldap(Arc<Inner>);

struct Inner {
    settings: settings::Ldap,
    bind_password: Option<Credential>,
    servers: Servers,
    slots: Arc<Semaphore>,
}

/// Why a directory gave no answer. The text is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    /// The server can't be asked, or not so; another may answer.
    #[error("{0}")]
    Server(String),
    /// What it has of this user can't be used; every server would say so.
    #[error("{0}")]
    Entry(String),
}

impl From<ldap3::LdapError> for Trouble {
    fn from(error: ldap3::LdapError) -> Self {
        Self::Server(error.to_string())
    }
}

/// What is asked: who has a name, and whether a password is right if one is given.
#[derive(Clone)]
struct Question {
    name: String,
    password: Option<String>,
}

/// What a directory said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// This is who it is; the password is right, if there was one.
    Right(Proven),
    /// The password is wrong, or the user may not log in.
    Wrong,
    /// It has nobody of this name.
    Nobody,
}

impl Ldap {
    /// Prepares to ask a directory; asks nothing yet.
    pub(crate) fn new(settings: &settings::Ldap, secrets: Option<&Secrets>) -> Result<Self, SettingsError> {
        let part = format!("ldap {:?}", settings.name);
        template::check(&part, settings)?;
        let bind_password = match &settings.bind {
            None => None,
            Some(bind) => {
                let file = ("bind.password_file", bind.password_file.as_deref());
                let name = ("bind.stored_password", bind.stored_password.as_deref());
                let password = Credential::new(&part, file, name, secrets)?;
                let problem = "bind has no password: set password_file, or stored_password";
                Some(password.ok_or_else(|| SettingsError::new(&part, problem))?)
            }
        };
        Ok(Self(Arc::new(Inner {
            servers: Servers::new(&part, settings)?,
            settings: settings.clone(),
            bind_password,
            slots: Arc::new(Semaphore::new(AT_ONCE)),
        })))
    }

    pub(crate) fn settings(&self) -> &settings::Ldap {
        &self.0.settings
    }

    /// Finds out whether a password is right.
    pub(crate) async fn verify(&self, name: &str, password: &str) -> Result<Verdict, Trouble> {
        // RFC 4513 section 5.1.2: a bind without a password succeeds, and proves nothing.
        if password.is_empty() {
            return Ok(Verdict::Wrong);
        }
        self.ask(Question { name: name.to_owned(), password: Some(password.to_owned()) }).await
    }

    /// Looks up who has a name, without a password.
    pub(crate) async fn look_up(&self, name: &str, external: &str) -> Result<LookedUp, Trouble> {
        if self.0.settings.users.is_none() || self.0.bind_password.is_none() {
            return Ok(LookedUp::Unknown);
        }
        // Another person of the same name is not the one who logged in.
        Ok(match self.ask(Question { name: name.to_owned(), password: None }).await? {
            Verdict::Right(proven) if proven.external == external => LookedUp::Found(proven),
            _ => LookedUp::Gone,
        })
    }

    /// Asks one server after the other until one answers.
    async fn ask(&self, question: Question) -> Result<Verdict, Trouble> {
        let patience = Duration::from_secs(self.0.settings.timeout_seconds.max(1));
        let slot = timeout(patience, Arc::clone(&self.0.slots).acquire_owned())
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or_else(|| Trouble::Server("too many logins wait for the directory".to_owned()))?;
        let this = self.clone();
        // In a task of its own: what a server answers may make the library panic.
        let mut task = JoinSet::new();
        task.spawn(async move {
            let _slot = slot;
            this.0.ask_servers(patience, &question).await
        });
        match task.join_next().await {
            Some(Ok(answer)) => answer,
            _ => Err(Trouble::Server("a server's answer can't be read".to_owned())),
        }
    }
}

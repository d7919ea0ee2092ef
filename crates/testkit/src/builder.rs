//! How a test says what registry it wants.

use berth_access::{Anonymous, User, UserAccess, hash_password};
use berth_catalog::Clock;
use jiff::Timestamp;

use crate::TestRegistry;

/// Describes a registry; [`Builder::start`] starts it.
#[derive(Debug)]
pub struct Builder {
    pub(crate) access: berth_access::Config,
    pub(crate) http: berth_server::Config,
    pub(crate) registry: berth_registry::Config,
    pub(crate) clock: Clock,
    pub(crate) tls: bool,
}

impl Default for Builder {
    fn default() -> Self {
        let http = berth_server::Config {
            listen: vec![([127, 0, 0, 1], 0).into()],
            shutdown_grace_seconds: 1,
            ..berth_server::Config::default()
        };
        Self {
            access: berth_access::Config::default(),
            http,
            registry: berth_registry::Config::default(),
            clock: Clock::system(),
            tls: false,
        }
    }
}

impl Builder {
    /// Adds a user who may pull, push and delete. Without `anonymous`, nobody else may do anything then.
    #[must_use]
    pub fn with_user(self, name: &str, password: &str) -> Self {
        self.with_user_who_may(UserAccess::Write, name, password)
    }

    /// Adds a user with this access.
    #[must_use]
    pub fn with_user_who_may(mut self, access: UserAccess, name: &str, password: &str) -> Self {
        let password = hash_password(password).expect("a test's password can be hashed");
        self.access.users.push(User { name: name.to_owned(), password, access });
        self
    }

    /// Says what requests without credentials may do.
    #[must_use]
    pub fn anonymous(mut self, anonymous: Anonymous) -> Self {
        self.access.anonymous = Some(anonymous);
        self
    }

    /// Serves HTTPS with a certificate for 127.0.0.1 that [`TestRegistry::client`] trusts.
    #[must_use]
    pub fn with_tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Changes the `http` part of the configuration.
    #[must_use]
    pub fn http(mut self, change: impl FnOnce(&mut berth_server::Config)) -> Self {
        change(&mut self.http);
        self
    }

    /// Changes what the registry is told: limits, storage, collection, scrub.
    #[must_use]
    pub fn registry(mut self, change: impl FnOnce(&mut berth_registry::Config)) -> Self {
        change(&mut self.registry);
        self
    }

    /// Stops the registry's clock at a moment; [`TestRegistry::clock`] moves it.
    #[must_use]
    pub fn at(mut self, moment: Timestamp) -> Self {
        self.clock = Clock::manual(moment);
        self
    }

    /// Starts the registry on an empty directory and a free port of the loopback address.
    pub async fn start(self) -> TestRegistry {
        TestRegistry::start(self).await
    }
}

//! The `access` part of the configuration, and what callers without credentials may do where it is unset.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::account::{ApplicationPasswordRules, PasswordRules, RobotRules, SessionRules, user_name_problem};
use crate::federation::{Ldap, Oidc, Workload};
use crate::manage::ManageLimits;
use crate::password::{PasswordHash, PasswordHashError};
use crate::policy::{BindingConfig, RoleConfig, RoleError, Rules, SubjectError};
use crate::token::{TokensConfig, TokensConfigError};

/// Who may use the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What requests without credentials may do: `none`, `read` (pull) or `write` (pull, push, delete). Unset, it is
    /// `none` once there are users, and `write` while there are none and Berth listens on loopback only.
    pub anonymous: Option<Anonymous>,
    /// The users who may log in.
    pub users: Vec<User>,
    /// How long verified credentials are believed without hashing the password again, in seconds. 0 hashes at every
    /// request.
    pub credential_cache_seconds: u32,
    /// Refuses every push and delete and lets background work rest, until this is taken back and Berth is started again.
    /// `berth read-only on` does the same for all nodes without a restart.
    pub read_only: bool,
    /// Who holds which role, beside what is bound by commands and the API.
    pub bindings: Vec<BindingConfig>,
    /// Keeps three duties apart: running the registry, saying who may do what, and keeping the audit trail. The role `administrator`,
    /// which has all three, is refused then, and nobody may hold roles of two.
    pub separation_of_duties: bool,
    /// Whether the first push to a project that does not exist makes it, private, for those who may `create` it.
    pub create_projects: bool,
    /// The tokens that clients get for their credentials.
    pub tokens: TokensConfig,
    /// Roles beside the built-in ones: the configuration's top-level `roles`.
    #[serde(skip)]
    pub roles: Vec<RoleConfig>,
    /// Rules for the passwords of accounts that Berth keeps (`berth user add`). Those of `users` above are whatever was hashed.
    pub passwords: PasswordRules,
    /// Rules for robots.
    pub robots: RobotRules,
    /// Rules for the passwords that users make for their clients.
    pub application_passwords: ApplicationPasswordRules,
    /// How long a login in a browser lasts.
    pub sessions: SessionRules,
    /// How many bindings, robots, roles and projects the management API makes.
    pub limits: ManageLimits,
    /// The address of this registry as browsers know it, `https://registry.example.com`: where login services send users back to.
    pub public_url: Option<String>,
    /// Directories of users, asked in this order about names that Berth does not know itself.
    pub ldap: Vec<Ldap>,
    /// Services at which users log in with their browser.
    pub oidc: Vec<Oidc>,
    /// Which jobs of other systems are let in by the tokens that those give them.
    pub workloads: Vec<Workload>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            anonymous: None,
            users: Vec::new(),
            credential_cache_seconds: 10,
            read_only: false,
            bindings: Vec::new(),
            separation_of_duties: false,
            create_projects: true,
            tokens: TokensConfig::default(),
            roles: Vec::new(),
            passwords: PasswordRules::default(),
            robots: RobotRules::default(),
            application_passwords: ApplicationPasswordRules::default(),
            sessions: SessionRules::default(),
            limits: ManageLimits::default(),
            public_url: None,
            ldap: Vec::new(),
            oidc: Vec::new(),
            workloads: Vec::new(),
        }
    }
}

/// What requests without credentials may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Anonymous {
    /// Nothing: every request needs credentials.
    None,
    /// Pull.
    Read,
    /// Pull, push and delete.
    Write,
}

/// A user who may log in with a name and a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name to log in with: 1 to 128 bytes, no colon, no control characters, not `anonymous`, and not as robots' names begin.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// The argon2id hash of the password, as `berth passwd` prints it.
    pub password: PasswordHash,
    /// What the user may do.
    #[serde(default)]
    pub access: UserAccess,
}

/// What a user may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UserAccess {
    /// Pull.
    Read,
    /// Pull, push and delete.
    #[default]
    Write,
    /// All that `write` may, and whatever administration comes to need.
    Admin,
}

/// The access configuration can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A user's name can't be sent in Basic credentials, or means somebody else.
    #[error("user name {name:?} {problem}; choose another in access.users")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Two users have one name.
    #[error("user {0:?} is in access.users twice; remove one")]
    Duplicate(String),
    /// Tokens can't work so.
    #[error(transparent)]
    Tokens(#[from] TokensConfigError),
    /// A user's password isn't a usable hash.
    #[error("user {name:?}: {source}")]
    Password {
        /// The user.
        name: String,
        /// What is wrong with the hash.
        source: PasswordHashError,
    },
    /// A role can't be used.
    #[error("role {name:?} in roles: {source}")]
    Role {
        /// The role.
        name: String,
        /// What is wrong with it.
        source: RoleError,
    },
    /// Two roles have one name.
    #[error("role {0:?} is in roles twice; remove one")]
    DuplicateRole(String),
    /// A binding names nobody.
    #[error("access.bindings: {0}")]
    Subject(#[from] SubjectError),
    /// A binding names a role that the configuration doesn't know. Roles of the catalog are bound there.
    #[error(
        "role {name:?}, bound to {subject} in access, is neither built in nor in roles; add it there, or use `berth bind add`"
    )]
    UnknownRole {
        /// The role.
        name: String,
        /// Whom it is bound to.
        subject: String,
    },
    /// A binding names what can be no project.
    #[error(
        "{name:?}, where access.bindings binds {role}, is no project's name; use the first component of a repository's"
    )]
    Project {
        /// The role.
        role: String,
        /// The project.
        name: String,
    },
    /// Everybody would govern.
    #[error(
        "access.bindings binds role {role:?}, which may administer or change the system, to {subject}, which is everybody; \
         bind it to somebody you can name"
    )]
    Everybody {
        /// The role.
        role: String,
        /// Who is meant.
        subject: String,
    },
    /// Duties that are to be kept apart come together.
    #[error("{0}")]
    Duties(String),
    /// The system gave no random numbers for the credential cache's key.
    #[error("no random numbers from the system: {0}")]
    Random(String),
}

impl Config {
    /// Checks what the types don't: names, that each is there once, what roles say; and compiles the roles.
    pub fn validate(&self) -> Result<Rules, ConfigError> {
        let mut seen = HashSet::new();
        for User { name, .. } in &self.users {
            if let Some(problem) = user_name_problem(name) {
                return Err(ConfigError::Name { name: name.clone(), problem });
            }
            if !seen.insert(name) {
                return Err(ConfigError::Duplicate(name.clone()));
            }
        }
        self.tokens.validate()?;
        let mut seen = HashSet::new();
        if let Some(role) = self.roles.iter().find(|role| !seen.insert(&role.name)) {
            return Err(ConfigError::DuplicateRole(role.name.clone()));
        }
        Rules::compile(self)
    }
}

impl Config {
    /// The secrets in the catalog that the configuration names, each with the key that does.
    pub fn stored_secrets(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let of_ldap = self.ldap.iter().filter_map(|ldap| ldap.bind.as_ref()?.stored_password.as_deref());
        let of_oidc = self.oidc.iter().filter_map(|oidc| oidc.stored_client_secret.as_deref());
        let of_ldap = of_ldap.map(|name| ("access.ldap.bind.stored_password", name));
        of_ldap.chain(of_oidc.map(|name| ("access.oidc.stored_client_secret", name)))
    }

    /// Tells whether the configuration names anybody who can prove who it is.
    fn anybody_can_log_in(&self) -> bool {
        !(self.users.is_empty() && self.ldap.is_empty() && self.oidc.is_empty() && self.workloads.is_empty())
    }
}

/// The decisions can't be prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The catalog did not say who may do what.
    #[error("who may do what can't be read: {0}")]
    Catalog(#[from] berth_catalog::Error),
}

/// Berth refuses to start: whoever reaches its address could read and overwrite everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no users are configured, so only loopback addresses may be listened on; either add a user to access.users \
     (`berth passwd NAME` prints the entry), or say what everybody may do with --anonymous read, --anonymous write, or \
     --anonymous none and accounts made by `berth user add`"
)]
pub struct Refusal;

/// Decides what requests without credentials may do, given whether every listen address is a loopback one.
pub fn effective_anonymous(config: &Config, all_loopback: bool) -> Result<Anonymous, Refusal> {
    match config.anonymous {
        Some(anonymous) => Ok(anonymous),
        None if config.anybody_can_log_in() => Ok(Anonymous::None),
        None if all_loopback => Ok(Anonymous::Write),
        None => Err(Refusal),
    }
}

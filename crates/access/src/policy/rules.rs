//! The configuration's roles, users and bindings, compiled and checked: they stay until a restart.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use berth_catalog::binding::Kind;

use super::built_in;
use super::duty::Conflict;
use super::role::Role;
use super::subject::Subject;
use super::{Book, RoleConfig};
use crate::config::{Anonymous, Config, ConfigError, UserAccess};
use crate::manage::ManageLimits;
use crate::resource::is_project;

/// What the configuration says of roles, compiled: the part of every decision that stays the same until a restart.
#[derive(Debug)]
pub struct Rules {
    pub(crate) roles: HashMap<Arc<str>, Arc<Role>>,
    configs: Vec<RoleConfig>,
    /// The names of those that the configuration makes.
    configured: HashSet<String>,
    bindings: Vec<(Subject, Arc<Role>, Option<Arc<str>>)>,
    /// Users, each with what stands for the hash of its password.
    pub(crate) users: HashMap<Arc<str>, Arc<str>>,
    pub(crate) separation: bool,
    pub(crate) create_projects: bool,
    pub(crate) limits: ManageLimits,
    /// Whether others vouch for users or jobs.
    pub(crate) is_federated: bool,
    /// How long tokens are good that jobs get, by what their names begin with.
    pub(crate) job_seconds: HashMap<String, u32>,
}

impl Rules {
    /// Compiles a configuration. A role of a built-in's name replaces it.
    pub fn compile(config: &Config) -> Result<Self, ConfigError> {
        let mut configs = built_in::roles();
        for role in &config.roles {
            match configs.iter_mut().find(|known| known.name == role.name) {
                Some(known) => known.clone_from(role),
                None => configs.push(role.clone()),
            }
        }
        let mut compiled = HashMap::new();
        for config in &configs {
            let role = Role::compile(config)
                .map_err(|source| ConfigError::Role { name: config.name.clone(), source })?;
            compiled.insert(Arc::clone(&role.name), Arc::new(role));
        }
        let users = config
            .users
            .iter()
            .map(|user| (Arc::from(user.name.as_str()), user.password.fingerprint()))
            .collect();
        let mut rules = Self {
            roles: compiled,
            configs,
            configured: config.roles.iter().map(|role| role.name.clone()).collect(),
            bindings: Vec::new(),
            users,
            separation: config.separation_of_duties,
            create_projects: config.create_projects,
            limits: config.limits.clone(),
            is_federated: !(config.ldap.is_empty() && config.oidc.is_empty() && config.workloads.is_empty()),
            job_seconds: config
                .workloads
                .iter()
                .map(|one| (trust(&one.name), one.lifetime_seconds))
                .collect(),
        };
        rules.bind(config)?;
        rules.check_duties(config)?;
        Ok(rules)
    }

    /// Binds what the configuration says, also in its oldest words.
    fn bind(&mut self, config: &Config) -> Result<(), ConfigError> {
        let everybody = match config.anonymous.unwrap_or(Anonymous::None) {
            Anonymous::None => None,
            Anonymous::Read => Some(built_in::GUEST),
            Anonymous::Write => Some(built_in::MAINTAINER),
        };
        if let Some(role) = everybody {
            self.bind_one(Subject::new(Kind::Anonymous, "")?, role, None)?;
        }
        for user in &config.users {
            let role = match user.access {
                UserAccess::Read => built_in::GUEST,
                UserAccess::Write => built_in::MAINTAINER,
                UserAccess::Admin => built_in::ADMINISTRATOR,
            };
            self.bind_one(Subject::new(Kind::User, &user.name)?, role, None)?;
        }
        for binding in &config.bindings {
            if let Some(name) = binding.project.as_ref().filter(|name| !is_project(name)) {
                return Err(ConfigError::Project { role: binding.role.clone(), name: name.clone() });
            }
            let project = binding.project.as_deref().map(Arc::from);
            for subject in &binding.subjects {
                self.not_for_everybody(subject, &binding.role)?;
                self.bind_one(subject.clone(), &binding.role, project.clone())?;
            }
        }
        self.bind_workloads(config)
    }

    /// Binds what trust policies grant to the jobs that they let in.
    fn bind_workloads(&mut self, config: &Config) -> Result<(), ConfigError> {
        for workload in &config.workloads {
            let subject = Subject::new(Kind::Workload, &trust(&workload.name))?;
            for grant in &workload.grants {
                if let Some(name) = grant.project.as_ref().filter(|name| !is_project(name)) {
                    return Err(ConfigError::Project { role: grant.role.clone(), name: name.clone() });
                }
                let project = grant.project.as_deref().map(Arc::from);
                self.bind_one(subject.clone(), &grant.role, project)?;
            }
        }
        Ok(())
    }

    /// Refuses to let everybody govern, as [`bind`](crate::admin::bind) does.
    fn not_for_everybody(&self, subject: &Subject, role: &str) -> Result<(), ConfigError> {
        let everybody = matches!(subject.kind(), Kind::Anonymous | Kind::Authenticated);
        if everybody && self.roles.get(role).is_some_and(|role| role.governs()) {
            return Err(ConfigError::Everybody { role: role.to_owned(), subject: subject.to_string() });
        }
        Ok(())
    }

    fn bind_one(
        &mut self,
        subject: Subject,
        role: &str,
        project: Option<Arc<str>>,
    ) -> Result<(), ConfigError> {
        let Some(role) = self.roles.get(role) else {
            return Err(ConfigError::UnknownRole { name: role.to_owned(), subject: subject.to_string() });
        };
        self.bindings.push((subject, Arc::clone(role), project));
        Ok(())
    }

    /// Refuses what joins two duties: in a role that the configuration makes or binds, or in one hand.
    fn check_duties(&self, config: &Config) -> Result<(), ConfigError> {
        if !self.separation {
            return Ok(());
        }
        let conflict = |who: String, duties| ConfigError::Duties(Conflict { who, duties }.to_string());
        for RoleConfig { name, .. } in &config.roles {
            if let Some(role) = self.roles.get(name.as_str()).filter(|role| role.duties.conflict()) {
                return Err(conflict(format!("role {name}"), role.duties));
            }
        }
        let book = self.book();
        match book.duties().find(|(_, _, duties)| duties.conflict()) {
            None => Ok(()),
            Some((kind, name, duties)) => {
                let who = Subject::new(kind, name).map_or_else(|_| name.to_owned(), |who| who.to_string());
                Err(conflict(who, duties))
            }
        }
    }

    /// Returns how long a token is good that a job gets.
    pub(crate) fn job_seconds(&self, name: &str) -> Option<u32> {
        self.job_seconds.get(name.split('/').next()?).copied()
    }

    /// Opens a book with what the configuration binds.
    pub(crate) fn book(&self) -> Book {
        let mut book = Book::default();
        for (subject, role, project) in &self.bindings {
            book.add(subject, role, project.as_ref());
        }
        book
    }

    /// Lists the roles that the configuration or the binary has: those are not the catalog's to change.
    pub fn roles(&self) -> &[RoleConfig] {
        &self.configs
    }

    /// Tells whether a role is the binary's own, and not replaced by the configuration.
    pub fn is_built_in(&self, name: &str) -> bool {
        !self.configured.contains(name) && self.roles.contains_key(name)
    }

    /// Lists what the configuration binds: to whom, which role, in which project.
    pub fn bindings(&self) -> impl Iterator<Item = (&Subject, &str, Option<&str>)> {
        self.bindings.iter().map(|(subject, role, project)| (subject, &*role.name, project.as_deref()))
    }
}

/// What the names of all jobs begin with that a trust policy lets in.
fn trust(policy: &str) -> String {
    format!("ci:{policy}")
}

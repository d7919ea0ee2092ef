//! Those who vouch for identities, as the configuration names them.

use std::sync::Arc;

use anyhow::Result;
use berth_access::federation::{Directory, Issuers};
use berth_access::{Access, Accounts, Secrets};
use berth_federation::{Directories, LoginService, RefreshJob, Workloads};
use berth_jobs::{Runner, Schedule};

/// Those who vouch for identities.
#[derive(Debug)]
pub(crate) struct Federation {
    directories: Option<Arc<Directories>>,
    workloads: Option<Arc<Workloads>>,
    /// Where users log in with their browser.
    pub(crate) services: Vec<LoginService>,
}

impl Federation {
    /// Prepares to ask them; asks nobody yet. `secrets` are those that the configuration may name, where there is a catalog.
    pub(crate) fn new(config: &berth_access::Config, secrets: Option<&Secrets>) -> Result<Self> {
        let directories = Directories::new(&config.ldap, secrets)?;
        let workloads = Workloads::new(&config.workloads)?;
        Ok(Self {
            directories: (!directories.is_empty()).then(|| Arc::new(directories)),
            workloads: (!workloads.is_empty()).then(|| Arc::new(workloads)),
            services: LoginService::all(&config.oidc, config.public_url.as_deref(), secrets)?,
        })
    }

    /// Lets `access` ask them.
    pub(crate) fn ask(&self, mut access: Access) -> Access {
        if let Some(directories) = self.directories.clone() {
            access = access.with_directory(directories as Arc<dyn Directory>);
        }
        if let Some(workloads) = self.workloads.clone() {
            access = access.with_issuers(workloads as Arc<dyn Issuers>);
        }
        access
    }

    /// Looks again and again what directories say of those who have logged in.
    pub(crate) fn keep(&self, mut runner: Runner, accounts: &Accounts) -> Runner {
        let every = self.directories.as_ref().and_then(|directories| directories.refresh_every());
        if let Some(directories) = self.directories.clone() {
            let job = RefreshJob::new(accounts.clone(), directories);
            runner = runner.handle(RefreshJob::KIND, Arc::new(job));
        }
        // Without a directory too: one that was taken out of the configuration leaves no schedule.
        runner.schedule(Schedule { kind: RefreshJob::KIND, every, payload: "{}".to_owned() })
    }
}

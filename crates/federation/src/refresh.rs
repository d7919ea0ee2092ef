//! Looking again and again what directories say of everybody who has logged in by them.

use std::sync::Arc;

use async_trait::async_trait;
use berth_access::Accounts;
use berth_catalog::job::Job;
use berth_jobs::{Failure, Handler, Work};
use serde_json::{Value, json};

use crate::directories::Directories;

/// Looks everybody up as a durable job: on one node at a time.
#[derive(Debug)]
pub struct RefreshJob {
    accounts: Accounts,
    directories: Arc<Directories>,
}

impl RefreshJob {
    /// The job's kind.
    pub const KIND: &'static str = "directory";

    /// Works on `accounts` by what `directories` say.
    pub fn new(accounts: Accounts, directories: Arc<Directories>) -> Self {
        Self { accounts, directories }
    }
}

#[async_trait]
impl Handler for RefreshJob {
    async fn run(&self, _job: &Job, _work: &Work) -> Result<Value, Failure> {
        let looked = self.accounts.look_up_all(&*self.directories).await;
        let looked = looked.map_err(|error| Failure::Retry(error.to_string()))?;
        if looked.changed + looked.gone > 0 {
            tracing::info!(?looked, "directories have news of users");
        }
        Ok(json!({ "accounts": looked.accounts, "changed": looked.changed, "gone": looked.gone }))
    }
}

//! Orders an import from another registry, asks how it stands, calls it off.

use berth_catalog::job::{self, Job, JobId, NewJob};
use berth_catalog::{Tx, moving};

use super::job::PullJob;
use super::order::PullOrder;
use super::select::Selection;
use crate::import::ImportError;
use crate::{Error, Registry, Result};

impl Registry {
    /// Enqueues an import from another registry. The same order that is open already is left as it is, and returned.
    ///
    /// # Errors
    /// [`ImportError::Refused`] where it makes no sense; [`ImportError::Catalog`], among others while the registry is moving.
    pub async fn start_pull(&self, order: &PullOrder) -> Result<JobId, ImportError> {
        Selection::of(order).map_err(ImportError::Refused)?;
        berth_client::Address::parse(&order.registry, order.plain_http)
            .map_err(|error| ImportError::Refused(error.to_string()))?;
        let payload = serde_json::to_string(order).map_err(|error| Error::Internal(error.into()))?;
        let now = self.now();
        let new = NewJob {
            kind: PullJob::KIND,
            slot: Some(PullJob::KIND.to_owned()),
            payload: payload.clone(),
            run_at: now,
        };
        let unit = async move |tx: &mut Tx| {
            moving::refuse_leaving(tx).await?;
            job::enqueue(tx, &new, now).await
        };
        if let Some(id) = self.catalog().write(unit).await? {
            return Ok(id);
        }
        match self.last_pull().await? {
            Some(open) if open.payload == payload => Ok(open.id),
            _ => Err(ImportError::Refused(
                "another import from a registry is under way: wait for its end, or call it off with `berth import registry --cancel`"
                    .to_owned(),
            )),
        }
    }

    /// Finds the import from another registry that is under way, or the last of the day.
    pub async fn last_pull(&self) -> Result<Option<Job>> {
        Ok(self.catalog().read(async |r| job::find_last(r, PullJob::KIND).await).await?)
    }

    /// Ends the import that is under way; what it took stays. Returns whether there was one.
    pub async fn call_off_pull(&self) -> Result<bool> {
        let now = self.now();
        let unit = async move |tx: &mut Tx| job::call_off(tx, PullJob::KIND, "it was called off", now).await;
        Ok(self.catalog().write(unit).await?)
    }
}

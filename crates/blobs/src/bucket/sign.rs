//! Signs addresses from which anybody may fetch a blob for a while.

use std::time::Duration;

use http::Method;
use object_store::{path::Path, signer::Signer as _};

use super::{Inner, error::map};
use crate::{Location, Result};

/// The longest time that services sign for.
const LONGEST: Duration = Duration::from_hours(7 * 24);

impl Inner {
    /// Signs a GET of a blob. Asks nobody but for keys that have to be renewed.
    pub(super) async fn link(&self, location: &Location, valid: Duration) -> Result<String> {
        self.sign(&self.keys.checked_blob(location)?, valid).await
    }

    /// Does the same for an object.
    pub(super) async fn sign(&self, key: &Path, valid: Duration) -> Result<String> {
        let url = self
            .store
            .signed_url(Method::GET, key, valid.clamp(Duration::from_secs(1), LONGEST))
            .await
            .map_err(|error| map(error, "sign an address"))?;
        Ok(url.into())
    }
}

//! The name of a store: a random text in an object of its own, by which its catalog knows that this is its bucket.

use super::Bucket;
use crate::{Error, Result};

impl Bucket {
    /// Reads the name of the store; `None` if it has none.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the bucket can't be asked or doesn't exist, [`Error::Io`] when it refuses.
    pub async fn identity(&self) -> Result<Option<String>> {
        match self.0.read_object(&self.0.keys.identity(), "read the store's name").await {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned())),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives the store a name, unless another node was faster; returns the name it has now.
    pub async fn identify(&self, name: &str) -> Result<String> {
        let key = self.0.keys.identity();
        if self.0.create_object(&key, format!("{name}\n").into(), "write the store's name").await? {
            return Ok(name.to_owned());
        }
        self.identity().await?.ok_or(Error::NotFound)
    }
}

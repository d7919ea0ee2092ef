//! Tokens for the API: whoever comes in person gets one, and nobody by another such token.

use jiff::Timestamp;

use super::{ManageError, Management, Result};
use crate::account::RandomSecret;
use crate::caller::{Caller, Proof};

impl Management {
    /// Makes a token for the API, good for some minutes, for a person who came in person. One token makes no other: else whoever has
    /// come by one would have it for ever.
    pub async fn create_token(&self, caller: &Caller) -> Result<(RandomSecret, Timestamp)> {
        self.user_in_person(caller, "only users have tokens for the API; a robot has its secret")?;
        if caller.proof() == Proof::ApiToken {
            return Err(ManageError::NotByThis);
        }
        Ok(self.access.begin_api_token(caller).await?)
    }
}

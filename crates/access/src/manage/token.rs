use jiff::Timestamp;

use super::{ManageError, Management, Result};
use crate::account::RandomSecret;
use crate::caller::{Caller, Identity, Proof};
use crate::part;
use crate::resource::Resource;

impl Management {
    /// Makes a token for the API, good for some minutes, for a person who came in person. One token makes no other: else whoever has
    /// come by one would have it for ever.
    pub async fn create_token(&self, caller: &Caller) -> Result<(RandomSecret, Timestamp)> {
        Self::in_person(caller)?;
        let Identity::User(_) = caller.identity() else {
            if caller.is_anonymous() {
                self.see(caller, &Resource::System(part::USERS))?;
            }
            return Err(ManageError::Invalid(
                "only users have tokens for the API; a robot has its secret".to_owned(),
            ));
        };
        if caller.scope().is_some() || caller.proof() == Proof::ApiToken {
            return Err(ManageError::NotByThis);
        }
        Ok(self.access.begin_api_token(caller).await?)
    }
}

//! Application passwords: users make their own; whoever manages users may list and revoke them, too.

use berth_catalog::app_password::{AppPassword, AppPasswordId};
use jiff::Timestamp;

use super::user::is_named;
use super::{Management, Result};
use crate::account::{Error as AccountError, RandomSecret};
use crate::action::Action;
use crate::caller::Caller;
use crate::part;
use crate::resource::Resource;
use crate::snapshot::Reach;

impl Management {
    /// Lists a user's application passwords, the newest first, without their secrets.
    pub async fn application_passwords(&self, caller: &Caller, user: &str) -> Result<Vec<AppPassword>> {
        if is_named(caller, user) && self.accounts.is_configured(user) {
            // What an account of that name has is somebody else's.
            return Err(AccountError::Configured(user.to_owned()).into());
        }
        if !self.is_own(caller, user) {
            self.see(caller, &Resource::System(part::USERS))?;
        }
        self.account(user).await?;
        Ok(self.accounts.application_passwords(user).await?)
    }

    /// Makes one for the caller, and for nobody else: who makes it knows it.
    pub async fn create_application_password(
        &self,
        caller: &Caller,
        name: String,
        days: u32,
    ) -> Result<(AppPasswordId, RandomSecret, Timestamp)> {
        self.user_in_person(caller, "only users have application passwords; a robot has its secret")?;
        Ok(self.accounts.create_own_application_password(caller, name, days).await?)
    }

    /// Revokes one of a user's.
    pub async fn revoke_application_password(
        &self,
        caller: &Caller,
        user: &str,
        id: AppPasswordId,
    ) -> Result<()> {
        Self::in_person(caller)?;
        if !self.is_own(caller, user) {
            self.weigh(caller, user, Action::Update, Reach::System).await?;
        }
        self.account(user).await?;
        self.accounts.revoke_application_password(user, id, &caller.author()).await?;
        self.heed().await;
        Ok(())
    }
}

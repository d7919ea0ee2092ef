//! The caller's own second factor: begun with the password, confirmed and dropped with a code.

use super::{ManageError, Management, Result};
use crate::account::Enrolment;
use crate::caller::{Caller, Proof};

const OTHERS: &str = "only users have a second factor";

impl Management {
    /// Begins a second factor for the caller, who is shown its secret this once and confirms it with a code. It takes the password: who
    /// has come by a session alone, or by an open browser, gets none.
    pub async fn begin_factor(&self, caller: &Caller, password: Option<&str>) -> Result<Enrolment> {
        let user = self.user_in_person(caller, OTHERS)?;
        if password.is_none() && caller.proof() != Proof::Password {
            return Err(ManageError::Invalid("give your password".to_owned()));
        }
        Ok(self.accounts.begin_totp(user, password).await?)
    }

    /// Takes the second factor that waits for the caller into use, which ends all that was proved without it: sessions, refresh tokens,
    /// tokens.
    pub async fn confirm_factor(&self, caller: &Caller, code: &str) -> Result<()> {
        let user = self.user_in_person(caller, OTHERS)?;
        self.accounts.confirm_totp(user, code, &caller.author()).await?;
        self.heed().await;
        Ok(())
    }

    /// Asks the caller for no second factor any more, for a code of it. That ends all that was proved with it.
    pub async fn drop_factor(&self, caller: &Caller, code: &str) -> Result<()> {
        let user = self.user_in_person(caller, OTHERS)?;
        self.accounts.remove_totp(user, code, &caller.author()).await?;
        self.heed().await;
        Ok(())
    }
}

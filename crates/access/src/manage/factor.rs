use super::{ManageError, Management, Result};
use crate::account::Enrolment;
use crate::caller::{Caller, Identity, Proof};
use crate::part;
use crate::resource::Resource;

impl Management {
    /// Begins a second factor for the caller, who is shown its secret this once and confirms it with a code. It takes the password: who
    /// has come by a session alone, or by an open browser, gets none.
    pub async fn begin_factor(&self, caller: &Caller, password: Option<&str>) -> Result<Enrolment> {
        let user = self.owner_of_factor(caller)?;
        if password.is_none() && caller.proof() != Proof::Password {
            return Err(ManageError::Invalid("give your password".to_owned()));
        }
        Ok(self.accounts.begin_totp(user, password).await?)
    }

    /// Takes the second factor that waits for the caller into use, which ends all that was proved without it: sessions, refresh tokens,
    /// tokens.
    pub async fn confirm_factor(&self, caller: &Caller, code: &str) -> Result<()> {
        let user = self.owner_of_factor(caller)?;
        self.accounts.confirm_totp(user, code, &caller.author()).await?;
        self.heed().await;
        Ok(())
    }

    /// Asks the caller for no second factor any more, for a code of it. That ends all that was proved with it.
    pub async fn drop_factor(&self, caller: &Caller, code: &str) -> Result<()> {
        let user = self.owner_of_factor(caller)?;
        self.accounts.remove_totp(user, code, &caller.author()).await?;
        self.heed().await;
        Ok(())
    }

    /// Sees that a caller is a person who came in person.
    fn owner_of_factor<'a>(&self, caller: &'a Caller) -> Result<&'a str> {
        Self::in_person(caller)?;
        let Identity::User(user) = caller.identity() else {
            if caller.is_anonymous() {
                self.see(caller, &Resource::System(part::USERS))?;
            }
            return Err(ManageError::Invalid("only users have a second factor".to_owned()));
        };
        if caller.scope().is_some() {
            return Err(ManageError::NotByThis);
        }
        Ok(user)
    }
}

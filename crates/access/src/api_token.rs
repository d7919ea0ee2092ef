//! How people prove who they are to the management API from a shell: with a code beside the password, or with a token that was had so.

use jiff::Timestamp;

use crate::access::Access;
use crate::account::{RandomSecret, SecretKind};
use crate::caller::{Caller, Proof};
use crate::credentials::Credentials;
use crate::error::Unauthenticated;
use crate::token::bearer;

/// What callers hear of a token that proves nobody.
const WRONG: Unauthenticated = Unauthenticated::InvalidToken("for the API is over, or none of ours");

impl Access {
    /// Tells whether an `Authorization` header holds a token for the management API.
    pub fn is_api_token(authorization: &str) -> bool {
        bearer(authorization).is_some_and(|token| token.starts_with(SecretKind::Api.prefix()))
    }

    /// Finds out whom such a token proves. No other door asks, so it is good for nothing else.
    pub async fn resume_api_token(&self, authorization: &str) -> Result<Caller, Unauthenticated> {
        let token = bearer(authorization).ok_or(WRONG)?;
        let secret = RandomSecret::parse(SecretKind::Api, token.as_bytes()).ok_or(WRONG)?;
        let accounts = self.accounts().ok_or(Unauthenticated::Unavailable)?;
        let resumed = accounts.resume_api_token(&secret).await;
        let resumed = resumed.map_err(|_| Unauthenticated::Unavailable)?.ok_or(WRONG)?;
        let began = resumed.caller;
        self.stands(&began, resumed.began_at).map_err(Unauthenticated::gone(&began))?;
        let caller = Caller::new(began.identity().clone(), Proof::ApiToken)
            .by(began.evidence().cloned())
            .proved(Some(resumed.began_at));
        // As they are now, not as of the login.
        let groups = self.groups_of(&caller.clone().with_groups(began.groups().into()));
        Ok(self.name_in_logs(caller.with_groups(groups)).await)
    }

    /// Finds out whom Basic credentials prove together with a code of a second factor. Secrets that Berth made up need none.
    pub async fn authenticate_with_code(
        &self,
        authorization: &str,
        code: &str,
    ) -> Result<Caller, Unauthenticated> {
        let credentials = Credentials::parse(authorization)?;
        let password = credentials.as_ref().and_then(|given| str::from_utf8(given.password()).ok());
        let person = credentials.as_ref().zip(password).filter(|(given, password)| {
            !crate::account::name::is_robot(given.name())
                && RandomSecret::parse(SecretKind::Application, password.as_bytes()).is_none()
        });
        match person {
            Some((given, password)) => self.log_in(given.name(), password, Some(code)).await,
            None => self.authenticate(Some(authorization)).await,
        }
    }

    pub(crate) async fn begin_api_token(
        &self,
        caller: &Caller,
    ) -> Result<(RandomSecret, Timestamp), crate::account::Error> {
        let accounts = self.accounts().ok_or(crate::account::Error::NoCatalog)?;
        accounts.begin_api_token(caller).await
    }
}

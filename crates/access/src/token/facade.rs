//! What the rest of the house asks of tokens.

use tokio::sync::watch;

use super::{Ask, Issued, TokenError, Tokens};
use crate::access::Access;
use crate::account::{RandomSecret, SecretKind};
use crate::caller::{Caller, Identity, Proof};
use crate::error::Unauthenticated;
use crate::resource::Resource;
use crate::scope::Scope;

impl Access {
    /// Lets clients get tokens, and show them instead of credentials.
    #[must_use]
    pub fn with_tokens(mut self, tokens: Tokens) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Returns what signs tokens, if anything does.
    pub fn tokens(&self) -> Option<&Tokens> {
        self.tokens.as_ref()
    }

    /// Follows the keys of all nodes until `stop` turns true, and lets another key take over when the one that signs is old. Ends at
    /// once where nothing is signed.
    pub async fn keep_tokens(&self, stop: watch::Receiver<bool>) {
        if let Some(tokens) = &self.tokens {
            tokens.keep(stop, || self.generation(), || !self.read_only().is_on()).await;
        }
    }

    /// Signs a token that allows what a caller asks for, as far as its roles grant it. To `keep` is to get something along that further
    /// tokens can be had with.
    pub async fn issue(&self, caller: &Caller, asks: &[Ask], keep: bool) -> Result<Issued, TokenError> {
        let tokens = self.tokens.as_ref().ok_or(TokenError::Off)?;
        let job_seconds = match caller.identity() {
            Identity::Workload(name) => self.rules().job_seconds(name),
            _ => None,
        };
        let scope = self.narrowed(caller, asks);
        let mut issued = tokens.issue(caller, &scope, job_seconds).await?;
        // A job is over soon: its own system vouches for it as long as it is not.
        // Who has a secret that was made for one client needs no second, which would outlive the first.
        if keep && caller.proof() == Proof::Password && job_seconds.is_none() {
            issued.refresh_token = tokens.remember(caller).await;
        }
        Ok(issued)
    }

    /// Finds out whom a refresh token speaks for.
    pub async fn refresh_caller(&self, shown: &str) -> Result<Caller, Unauthenticated> {
        const WRONG: Unauthenticated =
            Unauthenticated::InvalidToken("is no refresh token that is still good");
        let tokens = self.tokens.as_ref().ok_or(WRONG)?;
        let secret = RandomSecret::parse(SecretKind::Refresh, shown.as_bytes()).ok_or(WRONG)?;
        let (caller, since) = tokens.recall(&secret).await?.ok_or(WRONG)?;
        self.stands(&caller, since).map_err(Unauthenticated::gone(&caller))?;
        Ok(caller)
    }

    /// Finds out for whom a token speaks that came in an `Authorization` header.
    pub(crate) async fn bear(&self, tokens: &Tokens, token: &str) -> Result<Caller, Unauthenticated> {
        tokens.verify(token, |caller, signed_at| self.stands(caller, signed_at)).await
    }

    /// Leaves of what is asked for what the caller's roles grant.
    fn narrowed(&self, caller: &Caller, asks: &[Ask]) -> Scope {
        let mut scope = Scope::default();
        for ask in asks {
            match ask {
                Ask::Repository(name, asked) => {
                    let granted = self.granted(caller, &Resource::Repository(name)).and(*asked);
                    if !granted.is_empty() {
                        let known = scope.repositories.entry(name.clone()).or_default();
                        *known = known.or(granted);
                    }
                }
                Ask::Catalog => scope.catalog |= self.catalog(caller).is_ok(),
            }
        }
        scope
    }
}

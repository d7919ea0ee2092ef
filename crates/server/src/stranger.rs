//! Who sent a request: from credentials to a caller, behind the limit on logins that fail.

use std::net::IpAddr;

use berth_access::{Caller, Claim, Unauthenticated};
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::app::App;
use crate::limit::Limited;

/// Somebody whose credentials prove nothing.
#[derive(Debug)]
pub(crate) enum Stranger {
    /// Too many such attempts were made; these were not looked at.
    Limited(Limited),
    /// They are wrong, or nobody could say.
    Unauthenticated(Unauthenticated),
}

/// Finds out who sent a request from `client` with these header fields.
pub(crate) async fn identify(app: &App, client: IpAddr, headers: &HeaderMap) -> Result<Caller, Stranger> {
    // What isn't text can't be credentials; an empty value is refused as malformed.
    let authorization = headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    // A token can't be guessed; a password can.
    let Some((authorization, claim)) = authorization.and_then(|text| Some((text, Claim::parse(text)?)))
    else {
        return app.access.authenticate(authorization).await.map_err(Stranger::Unauthenticated);
    };
    let work = app.access.authenticate(Some(authorization));
    attempt(app, client, &claim, authorization, work).await
}

/// Lets somebody try what credentials claim, and counts an attempt that was wrong; `tried` is all that was given.
pub(crate) async fn attempt(
    app: &App,
    client: IpAddr,
    claim: &Claim,
    tried: &str,
    work: impl Future<Output = Result<Caller, Unauthenticated>>,
) -> Result<Caller, Stranger> {
    let attempt = app.limits.login_as(client, claim, tried).map_err(Stranger::Limited)?;
    match work.await {
        Ok(caller) => {
            attempt.succeeded();
            Ok(caller)
        }
        Err(error) => {
            if error.is_busy() {
                attempt.undecided();
            }
            Err(Stranger::Unauthenticated(error))
        }
    }
}

//! Who calls the API or searches the trail: a browser's user by its cookie; anybody else by credentials, by a certificate, or by a token
//! for such calls.

use berth_access::{Access, Caller, Claim, Unauthenticated};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};

use crate::app::App;
use crate::context::RequestContext;
use crate::stranger::{self, Stranger};
use crate::{certificate, login};

/// A code of the authenticator, beside Basic credentials. It is good for one call.
static X_BERTH_OTP: HeaderName = HeaderName::from_static("x-berth-otp");

/// Finds out who calls, and whether a cookie said so.
pub(crate) async fn identify(
    app: &App,
    cx: &RequestContext,
    headers: &HeaderMap,
) -> Result<(Caller, bool), Stranger> {
    if let Some(caller) = session(app, headers).await? {
        return Ok((caller, true));
    }
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let caller = match (text(&AUTHORIZATION), text(&X_BERTH_OTP)) {
        (Some(token), _) if Access::is_api_token(token) => {
            app.access.resume_api_token(token).await.map_err(Stranger::Unauthenticated)?
        }
        (Some(basic), Some(code)) => with_code(app, cx, basic, code).await?,
        _ => certificate::identify(app, cx, headers).await?,
    };
    Ok((caller, false))
}

/// Finds out who is logged in with a browser. Who sends credentials means those; a cookie of nobody counts for nothing.
async fn session(app: &App, headers: &HeaderMap) -> Result<Option<Caller>, Stranger> {
    let secret = login::session_secret(headers).filter(|_| !headers.contains_key(AUTHORIZATION));
    let Some(secret) = secret else { return Ok(None) };
    app.access
        .resume_session(secret)
        .await
        .map_err(|_| Stranger::Unauthenticated(Unauthenticated::Unavailable))
}

/// Finds out whom credentials prove together with a code, behind the limit on logins that fail.
async fn with_code(app: &App, cx: &RequestContext, basic: &str, code: &str) -> Result<Caller, Stranger> {
    let Some(claim) = Claim::parse(basic) else {
        return app.access.authenticate(Some(basic)).await.map_err(Stranger::Unauthenticated);
    };
    let tried = format!("{basic}\0{code}");
    let work = app.access.authenticate_with_code(basic, code.trim());
    stranger::attempt(app, cx.client, &claim, &tried, work).await
}

//! What was proved once and is believed for a while, as a session's row holds it: browser sessions, refresh tokens, tokens for the API.

use berth_catalog::account::{self, Account, Source};
use berth_catalog::session::{self, Kind, Session};
use berth_catalog::{Error, Reader, Tx, logout};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::caller::{Caller, Identity, Proof};
use crate::evidence::Evidence;

/// Sessions of one kind that one user has at most. More are those of a client that logs in anew each time: what was used last counts.
const MOST: usize = 100;

/// Whom a session proves, as its row says it.
#[derive(Serialize, Deserialize)]
struct Proven {
    kind: String,
    name: String,
    proof: String,
    #[serde(default)]
    groups: Vec<String>,
}

/// Begins a session for a user, in the unit of work that has seen that what proved the user still does; `ends_at` says when it ends, and
/// is told who vouches for the user. Returns false, and begins none, if something ended meanwhile or it has no time to live.
pub(crate) async fn begin(
    tx: &mut Tx,
    kind: Kind,
    secret: &str,
    caller: &Caller,
    ends_at: impl Fn(Source) -> Option<Timestamp>,
    now: Timestamp,
) -> Result<bool, Error> {
    let Some(source) = vouched_for_by(tx, caller).await? else { return Ok(false) };
    let Some(expires_at) = ends_at(source) else { return Ok(false) };
    let proven = Proven {
        kind: caller.identity().kind().to_owned(),
        name: caller.name().to_owned(),
        proof: caller.proof().as_str().to_owned(),
        groups: caller.group_names(),
    };
    let origin = caller.origin();
    let detail = serde_json::json!({
        "client": origin.map(|origin| origin.client),
        "agent": origin.and_then(|origin| origin.agent.as_deref()),
    });
    let new = session::New {
        kind,
        secret: secret.to_owned(),
        owner: proven.name.clone(),
        configured: caller.evidence().and_then(Evidence::fingerprint).map(ToOwned::to_owned),
        identity: serde_json::to_string(&proven).unwrap_or_default(),
        detail: detail.to_string(),
        expires_at,
    };
    session::insert(tx, &new, MOST, now).await?;
    Ok(true)
}

/// Tells who vouches for a user; `None` if what proved the user has ended, or is nothing that a session may come of.
async fn vouched_for_by(r: &Reader, caller: &Caller) -> Result<Option<Source>, Error> {
    match (caller.identity(), caller.evidence()) {
        (Identity::User(name), Some(Evidence::Configured { .. })) => {
            let ended_at = logout::find(r, name).await?;
            let ended = ended_at.zip(caller.as_of()).is_some_and(|(ended_at, as_of)| as_of < ended_at);
            Ok((!ended).then_some(Source::Local))
        }
        _ => Ok(account_of(r, caller).await?.map(|account| account.source)),
    }
}

/// Finds a user's account, in the unit of work that makes something of what was proved; `None` if that has ended, or is nothing that
/// something may be made of.
pub(crate) async fn account_of(r: &Reader, caller: &Caller) -> Result<Option<Account>, Error> {
    let (Identity::User(name), Some(as_of)) = (caller.identity(), caller.as_of()) else { return Ok(None) };
    let found = match caller.evidence() {
        Some(Evidence::Account { id }) => account::find_by_id(r, *id).await?,
        // A session, or a token that was had for one: its time says whose it is.
        None => account::find(r, name).await?,
        Some(Evidence::Configured { .. } | Evidence::Secret { .. }) => None,
    };
    Ok(found.filter(|account| account.disabled_at.is_none() && account.valid_after <= as_of))
}

/// Returns whom a session proves, by the proof that it was begun with; `None` if it can't be read.
pub(crate) fn caller(session: &Session) -> Option<Caller> {
    let proven: Proven = serde_json::from_str(&session.identity).ok()?;
    let identity = Identity::of(&proven.kind, &proven.name)?;
    let configured = session.configured.as_deref();
    let evidence = configured.map(|print| Evidence::Configured { fingerprint: print.into() });
    let groups = proven.groups.into_iter().map(Into::into).collect();
    Some(Caller::new(identity, Proof::of(&proven.proof)?).with_groups(groups).by(evidence))
}

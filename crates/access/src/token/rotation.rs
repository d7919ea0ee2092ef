//! One key takes over from another.

use std::time::Duration;

use berth_catalog::event::{Author, Kind};
use berth_catalog::{Catalog, access_generation, signing_key};
use berth_vault::Vault;
use jiff::Timestamp;
use serde_json::json;

use super::config::MAX_LIFETIME_SECONDS;
use super::error::TokenError;
use super::key::NewPair;
use crate::admin::tell;

/// Longer than any node takes to hear of another key, and than clocks differ.
const SLACK: Duration = Duration::from_mins(2);

/// Whom the event log names when nobody ordered it. The colon keeps it apart from users.
pub(super) const BY_ITSELF: &str = "order:keys";

/// When another key is to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Successor {
    /// Only if none does.
    IfNone,
    /// If the one that does was made before this.
    IfOlder(Timestamp),
    /// Now. The old ones verify until every token that they signed has ended.
    Now,
    /// Now, and what the old ones signed is good for nothing any more.
    AtOnce,
}

/// Makes another key that signs, if it is time. Returns its name; `None` if another node was faster, or it is not time.
pub async fn rotate(
    catalog: &Catalog,
    vault: &Vault,
    when: Successor,
    author: &Author,
) -> Result<Option<String>, TokenError> {
    let new = NewPair::generate(vault)?;
    let now = catalog.clock().now();
    let (kid, author) = (new.kid.clone(), author.clone());
    let rotated = catalog
        .write(async move |tx| {
            let keys = signing_key::list(tx).await?;
            let mut active = keys.iter().filter(|key| key.gone_at.is_none()).peekable();
            let stays = match when {
                Successor::IfNone => active.peek().is_some(),
                Successor::IfOlder(limit) => active.peek().is_some_and(|key| key.created_at >= limit),
                Successor::Now | Successor::AtOnce => false,
            };
            if stays {
                return Ok::<_, berth_catalog::Error>(false);
            }
            let longest = Duration::from_secs(MAX_LIFETIME_SECONDS.into());
            let gone_at = if when == Successor::AtOnce { now } else { now + longest + SLACK };
            for key in &keys {
                if key.gone_at.is_some_and(|gone| gone <= now) {
                    signing_key::delete(tx, key).await?;
                } else if key.gone_at.is_none_or(|gone| gone_at < gone) {
                    signing_key::retire(tx, key, gone_at).await?;
                }
            }
            signing_key::insert(tx, &new.kid, &new.sealed, &new.public, now).await?;
            access_generation::bump(tx).await?;
            let detail = json!({ "kid": new.kid, "at_once": when == Successor::AtOnce });
            tell(tx, Kind::SigningKeyChanged, &author, detail, now).await;
            Ok(true)
        })
        .await?;
    Ok(rotated.then_some(kid))
}

//! `/v2/`: tells clients that they speak to a registry, and whether they have to log in (end-1).

use super::error::Refusal;
use super::{Answer, Call, header};

pub(super) fn get(call: &Call<'_>) -> Answer {
    let access = &call.app.access;
    // Who has a token for what everybody may do has been challenged.
    let is_stranger = call.caller.is_anonymous() && call.caller.scope().is_none();
    if is_stranger && access.challenge_needed() {
        return Err(Refusal::login_needed(access.has_users()));
    }
    Ok(header::json(&serde_json::Map::new()))
}

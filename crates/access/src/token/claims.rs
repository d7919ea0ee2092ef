//! What a token says (Docker's token specification, RFC 7519), and what of a caller that is.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ask::{actions, words};
use crate::caller::{Caller, Identity, Proof};
use crate::evidence::Evidence;
use crate::scope::Scope;

/// Says who signed, in `iss`. Which registry it was for is in `aud`.
pub(super) const ISSUER: &str = "berth";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) sub: String,
    pub(super) aud: String,
    pub(super) exp: i64,
    pub(super) nbf: i64,
    pub(super) iat: i64,
    pub(super) jti: String,
    pub(super) access: Vec<Entry>,
    pub(super) berth: Who,
}

/// What may be done to one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    actions: Vec<String>,
}

/// What `sub` doesn't say of the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Who {
    kind: String,
    proof: String,
    /// The secret that proved it, where that can end before the caller does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<String>,
    /// When it was signed, in microseconds: whoever was disabled in the same second must not get through.
    at: i64,
}

impl Claims {
    pub(super) fn new(
        caller: &Caller,
        scope: &Scope,
        service: &str,
        now: Timestamp,
        lifetime_seconds: u32,
    ) -> Self {
        let second = now.as_second();
        Self {
            iss: ISSUER.to_owned(),
            sub: caller.name().to_owned(),
            aud: service.to_owned(),
            exp: second + i64::from(lifetime_seconds),
            nbf: second,
            iat: second,
            jti: uuid::Uuid::new_v4().simple().to_string(),
            access: entries(scope),
            berth: Who {
                kind: caller.identity().kind().to_owned(),
                proof: caller.proof().as_str().to_owned(),
                by: caller.evidence().and_then(Evidence::to_claim),
                groups: caller.group_names(),
                at: now.as_microsecond(),
            },
        }
    }

    /// When it was signed.
    pub(super) fn signed_at(&self) -> Option<Timestamp> {
        let at = Timestamp::from_microsecond(self.berth.at).ok()?;
        (at.as_second() == self.iat).then_some(at)
    }

    /// The caller whom it speaks of; `None` if we could not have signed that.
    pub(super) fn caller(&self) -> Option<Caller> {
        let identity = Identity::of(&self.berth.kind, &self.sub)?;
        let proof = Proof::of(&self.berth.proof)?;
        let evidence = match &self.berth.by {
            Some(claim) => Some(Evidence::of_claim(claim)?),
            None => None,
        };
        let caller = Caller::new(identity, proof)
            .by(evidence)
            .with_groups(self.berth.groups.iter().map(|group| Arc::from(group.as_str())).collect());
        Some(caller.within(Arc::new(self.scope()?)))
    }

    fn scope(&self) -> Option<Scope> {
        let mut scope = Scope::default();
        for entry in &self.access {
            match (entry.kind.as_str(), entry.name.as_str()) {
                ("registry", "catalog") => scope.catalog = true,
                ("repository", name) => {
                    let actions = actions(entry.actions.iter().map(String::as_str));
                    let known = scope.repositories.entry(name.parse().ok()?).or_default();
                    *known = known.or(actions);
                }
                _ => return None,
            }
        }
        Some(scope)
    }
}

fn entries(scope: &Scope) -> Vec<Entry> {
    let repositories = scope.repositories.iter().map(|(name, actions)| Entry {
        kind: "repository".to_owned(),
        name: name.to_string(),
        actions: words(*actions).map(ToOwned::to_owned).collect(),
    });
    let catalog = scope.catalog.then(|| Entry {
        kind: "registry".to_owned(),
        name: "catalog".to_owned(),
        actions: vec!["*".to_owned()],
    });
    repositories.chain(catalog).collect()
}

/// Writes what a token allows as the `scope` of an answer.
pub(super) fn scope_text(claims: &Claims) -> String {
    let scopes = claims.access.iter().map(|entry| {
        let Entry { kind, name, actions } = entry;
        format!("{kind}:{name}:{}", actions.join(","))
    });
    scopes.collect::<Vec<_>>().join(" ")
}

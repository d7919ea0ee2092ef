//! Jobs of other systems: their tokens, and which of them the configuration lets in.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use berth_access::federation::{Issuers, Job, OneOrMany, Refused, Workload as Settings};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::error::SettingsError;
use crate::issuer::{Issuer, Unread};
use crate::name::printable;
use crate::pattern;
use crate::token::{Claims, unverified_issuer};

/// Longest subject that is repeated in names.
const SUBJECT: usize = 200;
/// How long what a job gets may be good for.
const LIFETIMES: std::ops::RangeInclusive<u32> = 60..=3_600;

/// The trust policies of the configuration.
#[derive(Default)]
pub struct Workloads(Vec<Policy>);

struct Policy {
    settings: Settings,
    issuer: Arc<Issuer>,
}

impl Workloads {
    /// Prepares to check tokens; asks nobody yet.
    pub fn new(settings: &[Settings]) -> Result<Self, SettingsError> {
        let mut issuers: HashMap<_, Arc<Issuer>> = HashMap::new();
        let mut policies: Vec<Policy> = Vec::new();
        for one in settings {
            let part = format!("workloads {:?}", one.name);
            check(&part, one)?;
            if policies.iter().any(|policy| policy.settings.name == one.name) {
                return Err(SettingsError::new(part, "there are two of this name"));
            }
            let key = (one.issuer.clone(), one.ca_file.clone(), one.keys_file.clone());
            let issuer = if let Some(known) = issuers.get(&key) {
                Arc::clone(known)
            } else {
                let (ca, keys) = (one.ca_file.as_deref(), one.keys_file.as_deref());
                let issuer = Arc::new(Issuer::new(&part, &one.issuer, ca, keys)?);
                issuers.insert(key, Arc::clone(&issuer));
                issuer
            };
            policies.push(Policy { settings: one.clone(), issuer });
        }
        Ok(Self(policies))
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[async_trait]
impl Issuers for Workloads {
    /// Whom to ask for keys comes from the configuration, never from the token.
    async fn exchange(&self, token: &str, now: Timestamp) -> Result<Job, Refused> {
        let issuer = unverified_issuer(token).map_err(|error| Refused::Token(error.to_string()))?;
        let mut reasons = Vec::new();
        for policy in self.0.iter().filter(|policy| policy.issuer.name() == issuer) {
            let claims = match policy.issuer.read(token).await {
                Ok(claims) => claims,
                Err(Unread::Wrong(error)) => return Err(Refused::Token(error.to_string())),
                Err(Unread::Unreachable(reason)) => return Err(Refused::Unavailable(reason)),
            };
            let expires_at = claims.check_times(now).map_err(|error| Refused::Token(error.to_string()))?;
            match policy.admit(&claims, expires_at) {
                Ok(job) => return Ok(job),
                Err(reason) => reasons.push(format!("{} wants {reason}", policy.settings.name)),
            }
        }
        if reasons.is_empty() { Err(Refused::Issuer) } else { Err(Refused::Claims(reasons.join("; "))) }
    }
}

impl Policy {
    /// Lets a job in if its token says all that it must, or tells what it does not say.
    fn admit(&self, claims: &Claims, expires_at: Timestamp) -> Result<Job, String> {
        let Settings { name, audience, claims: wanted, .. } = &self.settings;
        if !claims.texts("aud").iter().any(|aud| audience.all().contains(aud)) {
            return Err(format!("the audience {}", shown(audience)));
        }
        for (claim, patterns) in wanted {
            let given = claims.texts(claim);
            let fits = |pattern: &String| given.iter().any(|text| pattern::matches(pattern, text));
            if !patterns.all().iter().any(fits) {
                return Err(format!("{claim} to be {}", shown(patterns)));
            }
        }
        let subject = claims.text("sub").ok_or("a subject (sub)")?;
        let once = match (self.settings.single_use, claims.text("jti")) {
            (false, _) => None,
            (true, Some(jti)) => Some(mark(self.issuer.name(), jti)),
            (true, None) => return Err("a token that can be told from others (jti)".to_owned()),
        };
        let name = format!("ci:{name}/{}", printable(subject, SUBJECT));
        Ok(Job { name, lifetime_seconds: self.settings.lifetime_seconds, once, expires_at })
    }
}

/// Stands for a token of an issuer, without the token.
fn mark(issuer: &str, jti: &str) -> String {
    let mut hash = Sha256::new();
    hash.update((issuer.len() as u64).to_be_bytes());
    hash.update(issuer);
    hash.update(jti);
    hex::encode(hash.finalize())
}

fn shown(values: &OneOrMany) -> String {
    values.all().iter().map(|value| format!("{value:?}")).collect::<Vec<_>>().join(" or ")
}

/// Refuses a policy that could let anybody in, or nobody.
fn check(part: &str, settings: &Settings) -> Result<(), SettingsError> {
    let wrong = |problem: &str| Err(SettingsError::new(part, problem));
    let is_name = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
    if settings.name.is_empty() || !settings.name.chars().all(is_name) {
        return wrong("give it a name of lower-case letters, digits and -");
    }
    if settings.audience.all().is_empty() || settings.audience.all().iter().any(String::is_empty) {
        return wrong("audience is empty: name this registry as the tokens must");
    }
    if settings.claims.is_empty() {
        return wrong("claims is empty: everybody who can get a token of this issuer would be let in");
    }
    let is_open = |values: &OneOrMany| {
        values.all().is_empty() || values.all().iter().any(|value| value.chars().all(|char| char == '*'))
    };
    if settings.claims.values().any(is_open) {
        return wrong(
            "a claim without a value, or with nothing but stars, says nothing: write what it must be",
        );
    }
    if settings.grants.is_empty() {
        return wrong("grants is empty: name a role");
    }
    if !LIFETIMES.contains(&settings.lifetime_seconds) {
        return wrong("lifetime_seconds must be 60 to 3600");
    }
    Ok(())
}

impl std::fmt::Debug for Workloads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|policy| &policy.settings.name)).finish()
    }
}

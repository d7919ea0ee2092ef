//! The directories of the configuration, as one: asked in turn, believed for a while.

use std::time::Duration;

use async_trait::async_trait;
use berth_access::federation::{Directory, Ldap as Settings, LookedUp, Proven, REFUSAL, Unavailable};
use berth_access::{Secrets, user_name_problem};
use getrandom::Error as RandomError;
use hmac::{Hmac, KeyInit as _, Mac as _};
use moka::Expiry;
use moka::sync::Cache;
use sha2::Sha256;
use tokio::time::{Instant, sleep_until};

use crate::error::SettingsError;
use crate::ldap::{Ldap, Trouble, Verdict};

/// Verified credentials that are kept.
const CACHE_ENTRIES: u64 = 10_000;

/// The directories of the configuration. The first that knows a name is the one that decides.
pub struct Directories {
    all: Vec<Ldap>,
    /// Makes keys that tell nothing about the password, should memory leak.
    key: Hmac<Sha256>,
    verified: Cache<[u8; 32], Believed>,
}

/// Who gave the right password, and how long that is believed.
#[derive(Clone)]
struct Believed {
    proven: Proven,
    lasts: Duration,
}

struct AsItSays;

impl Expiry<[u8; 32], Believed> for AsItSays {
    fn expire_after_create(
        &self,
        _key: &[u8; 32],
        value: &Believed,
        _at: std::time::Instant,
    ) -> Option<Duration> {
        Some(value.lasts)
    }
}

impl Directories {
    /// Prepares to ask the directories of the configuration; asks nothing yet. `secrets` are those that the configuration may name.
    pub fn new(settings: &[Settings], secrets: Option<&Secrets>) -> Result<Self, SettingsError> {
        for (n, one) in settings.iter().enumerate() {
            if settings[..n].iter().any(|other| other.name == one.name) {
                return Err(SettingsError::new("ldap", format!("there are two of the name {:?}", one.name)));
            }
        }
        let all = settings.iter().map(|one| Ldap::new(one, secrets)).collect::<Result<_, _>>()?;
        let mut key = [0; 64];
        getrandom::fill(&mut key).map_err(|error: RandomError| {
            SettingsError::new("ldap", format!("no random numbers from the system: {error}"))
        })?;
        Ok(Self {
            all,
            key: Hmac::new(&key.into()),
            verified: Cache::builder().max_capacity(CACHE_ENTRIES).expire_after(AsItSays).build(),
        })
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The shortest time between two looks at the groups of everybody, of those that can be asked.
    pub fn refresh_every(&self) -> Option<Duration> {
        let settings = self.all.iter().map(Ldap::settings);
        let seconds = settings.filter(|one| one.bind.is_some()).map(|one| one.refresh_seconds.max(1)).min();
        seconds.map(Duration::from_secs)
    }

    async fn ask(&self, name: &str, password: &str) -> Result<Option<Proven>, Unavailable> {
        let mut is_out = false;
        for directory in &self.all {
            let of = &directory.settings().name;
            match directory.verify(name, password).await {
                Ok(Verdict::Right(proven)) => {
                    let lasts = Duration::from_secs(directory.settings().believe_seconds);
                    let believed = Believed { proven: proven.clone(), lasts };
                    if !lasts.is_zero() {
                        self.verified.insert(self.key(name, password), believed);
                    }
                    return Ok(Some(proven));
                }
                Ok(Verdict::Wrong) => return Ok(None),
                Ok(Verdict::Nobody) => {}
                Err(trouble @ Trouble::Entry(_)) => {
                    tracing::warn!(directory = of, %trouble, "user of a directory can't log in");
                    return Ok(None);
                }
                Err(Trouble::Server(trouble)) => {
                    tracing::warn!(directory = of, trouble, "no server of a directory answers");
                    is_out = true;
                }
            }
        }
        if is_out { Err(Unavailable) } else { Ok(None) }
    }

    fn key(&self, name: &str, password: &str) -> [u8; 32] {
        let mut mac = self.key.clone();
        mac.update(&(name.len() as u64).to_be_bytes());
        mac.update(name.as_bytes());
        mac.update(password.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

#[async_trait]
impl Directory for Directories {
    async fn verify(&self, name: &str, password: &str) -> Result<Option<Proven>, Unavailable> {
        if let Some(believed) = self.verified.get(&self.key(name, password)) {
            return Ok(Some(believed.proven));
        }
        let refused_at = Instant::now() + REFUSAL;
        // What can't be a name need not bother anybody.
        let verdict = match user_name_problem(name) {
            None => self.ask(name, password).await,
            Some(_) => Ok(None),
        };
        if verdict == Ok(None) {
            sleep_until(refused_at).await;
        }
        verdict
    }

    async fn look_up(&self, name: &str, external: &str) -> Result<LookedUp, Unavailable> {
        let of = external.split(' ').next().unwrap_or_default();
        let Some(directory) = self.all.iter().find(|directory| directory.settings().name == of) else {
            // A directory that was taken out of the configuration lets nobody in any more.
            return Ok(LookedUp::Gone);
        };
        match directory.look_up(name, external).await {
            Ok(looked_up) => Ok(looked_up),
            Err(trouble @ Trouble::Entry(_)) => {
                tracing::warn!(directory = of, %trouble, "user of a directory can't be looked up");
                Ok(LookedUp::Gone)
            }
            Err(Trouble::Server(_)) => Err(Unavailable),
        }
    }
}

impl std::fmt::Debug for Directories {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.all.iter().map(|directory| &directory.settings().name);
        f.debug_list().entries(names).finish()
    }
}

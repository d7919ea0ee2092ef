use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use moka::sync::Cache;
use parking_lot::Mutex;
use sha2::Sha256;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::timeout;

use crate::caller::Caller;
use crate::config::{Config, ConfigError};
use crate::credentials::Credentials;
use crate::error::Unauthenticated;
use crate::password;

const MAX_WAIT: Duration = Duration::from_secs(5);
const CACHE_ENTRIES: u64 = 10_000;

type Key = [u8; 32];
/// The outcome of one verification that several requests may wait for; none means wrong credentials.
type Outcome = Arc<OnceCell<Option<Caller>>>;

/// Finds out whether credentials are right, at the cost of as few argon2 hashes as it can.
pub(crate) struct Verifier {
    users: HashMap<Arc<str>, Arc<argon2::PasswordHash>>,
    /// What an unknown user's password is verified against, so that the time taken doesn't tell whether a name exists.
    decoy: Option<Arc<argon2::PasswordHash>>,
    cache_key: Hmac<Sha256>,
    verified: Cache<Key, Caller>,
    in_flight: Mutex<HashMap<Key, (usize, Outcome)>>,
    slots: Arc<Semaphore>,
    hashes: AtomicU64,
}

impl Verifier {
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        let mut users = HashMap::with_capacity(config.users.len());
        for user in &config.users {
            let hash = user
                .password
                .parsed()
                .map_err(|source| ConfigError::Password { name: user.name.clone(), source })?;
            users.insert(Arc::from(user.name.as_str()), Arc::new(hash));
        }
        let decoy = config.users.first().and_then(|user| users.get(user.name.as_str()).cloned());
        let mut key = [0; 64];
        getrandom::fill(&mut key).map_err(|error| ConfigError::Random(error.to_string()))?;
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Ok(Self {
            users,
            decoy,
            cache_key: Hmac::new(&key.into()),
            verified: Cache::builder()
                .max_capacity(CACHE_ENTRIES)
                .time_to_live(Duration::from_secs(config.credential_cache_seconds.into()))
                .build(),
            in_flight: Mutex::default(),
            slots: Arc::new(Semaphore::new(2 * cores)),
            hashes: AtomicU64::new(0),
        })
    }

    /// Number of argon2 hashes computed since start.
    pub(crate) fn hashes(&self) -> u64 {
        self.hashes.load(Ordering::Relaxed)
    }

    /// Returns the caller whom the credentials prove.
    pub(crate) async fn verify(&self, credentials: &Credentials) -> Result<Caller, Unauthenticated> {
        let Some(decoy) = &self.decoy else { return Err(Unauthenticated::NoUsers) };
        let key = self.key(credentials);
        if let Some(caller) = self.verified.get(&key) {
            return Ok(caller);
        }
        let flight = self.join(key);
        // If the request that computes is dropped, the next one waiting takes over.
        let outcome = flight.outcome.get_or_try_init(|| self.compute(key, credentials, decoy)).await?;
        outcome
            .clone()
            .ok_or_else(|| Unauthenticated::WrongCredentials { name: credentials.name().to_owned() })
    }

    /// Lets no hash be computed until what it returns is dropped.
    #[cfg(test)]
    pub(crate) fn hold(&self) -> tokio::sync::OwnedSemaphorePermit {
        let all = u32::try_from(self.slots.available_permits()).unwrap_or(u32::MAX);
        Arc::clone(&self.slots).try_acquire_many_owned(all).unwrap_or_else(|error| unreachable!("{error}"))
    }

    #[cfg(test)]
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.lock().len()
    }

    async fn compute(
        &self,
        key: Key,
        credentials: &Credentials,
        decoy: &Arc<argon2::PasswordHash>,
    ) -> Result<Option<Caller>, Unauthenticated> {
        // Another flight may have landed between the first look and joining this one.
        if let Some(caller) = self.verified.get(&key) {
            return Ok(Some(caller));
        }
        let user = self.users.get_key_value(credentials.name());
        let hash = Arc::clone(user.map_or(decoy, |(_, hash)| hash));
        let password = credentials.password().to_vec();
        let slot = timeout(MAX_WAIT, Arc::clone(&self.slots).acquire_owned())
            .await
            .map_err(|_| Unauthenticated::Busy)?
            .map_err(|_| Unauthenticated::Busy)?;
        self.hashes.fetch_add(1, Ordering::Relaxed);
        let matches = tokio::task::spawn_blocking(move || {
            // The slot goes with the work: a request dropped meanwhile doesn't free the processor.
            let _slot = slot;
            password::verify(&password, &hash)
        })
        .await
        .map_err(|_| Unauthenticated::Busy)?;
        let caller = user.filter(|_| matches).map(|(name, _)| Caller::user(name));
        if let Some(caller) = &caller {
            self.verified.insert(key, caller.clone());
        }
        Ok(caller)
    }

    /// A key that tells nothing about the password, should memory leak. A name has no NUL, so pairs don't collide.
    fn key(&self, credentials: &Credentials) -> Key {
        let mut mac = self.cache_key.clone();
        mac.update(credentials.name().as_bytes());
        mac.update(&[0]);
        mac.update(credentials.password());
        mac.finalize().into_bytes().into()
    }

    fn join(&self, key: Key) -> Flight<'_> {
        let mut in_flight = self.in_flight.lock();
        let (aboard, outcome) = in_flight.entry(key).or_default();
        *aboard += 1;
        Flight { verifier: self, key, outcome: Arc::clone(outcome) }
    }
}

/// One request's part in a verification; the last to leave removes it.
struct Flight<'a> {
    verifier: &'a Verifier,
    key: Key,
    outcome: Outcome,
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if let Entry::Occupied(mut entry) = self.verifier.in_flight.lock().entry(self.key) {
            entry.get_mut().0 -= 1;
            if entry.get().0 == 0 {
                entry.remove();
            }
        }
    }
}

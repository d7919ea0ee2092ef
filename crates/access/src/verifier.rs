//! Whom a name and a password prove, with few hashes: right ones are believed for a while, equal ones shared.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use berth_catalog::Hidden;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use moka::sync::Cache;
use parking_lot::Mutex;
use sha2::Sha256;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::account::hash::{self, Cost, Stored};
use crate::account::hasher::Hasher;
use crate::account::name::is_robot;
use crate::account::{Accounts, Proven, Purpose, RandomSecret, SecretKind};
use crate::caller::{Caller, Identity, Proof};
use crate::config::{Config, ConfigError};
use crate::credentials::Credentials;
use crate::error::{Cause, Unauthenticated};
use crate::evidence::Evidence;
use crate::federation::REFUSAL;

const CACHE_ENTRIES: u64 = 10_000;

type Key = [u8; 32];
/// The outcome of one verification that several requests may wait for.
type Outcome = Arc<OnceCell<Result<Caller, Unauthenticated>>>;

/// Finds out whether credentials are right, at the cost of as few hashes as it can.
pub(crate) struct Verifier {
    users: HashMap<Arc<str>, Configured>,
    /// What an unknown user's password is verified against where there are no accounts, so that the time taken doesn't tell whether a
    /// name exists.
    decoy: Option<Arc<Stored>>,
    accounts: Option<Accounts>,
    cache_key: Hmac<Sha256>,
    verified: Cache<Key, Believed>,
    in_flight: Mutex<HashMap<Key, (usize, Outcome)>>,
    hasher: Arc<Hasher>,
}

/// A user of the configuration.
struct Configured {
    hash: Arc<Stored>,
    fingerprint: Arc<str>,
}

/// What was proved a moment ago.
#[derive(Clone)]
struct Believed {
    caller: Caller,
    /// What the accounts' generation was: under another they are asked again.
    generation: i64,
    hash: Option<Hidden<String>>,
    until: Option<Timestamp>,
}

impl Verifier {
    pub(crate) fn new(config: &Config, accounts: Option<Accounts>) -> Result<Self, ConfigError> {
        let mut users = HashMap::with_capacity(config.users.len());
        for user in &config.users {
            let hash = user
                .password
                .parsed()
                .map_err(|source| ConfigError::Password { name: user.name.clone(), source })?;
            let hash = Arc::new(Stored::Argon2(Box::new(hash)));
            let configured = Configured { hash, fingerprint: user.password.fingerprint() };
            users.insert(Arc::from(user.name.as_str()), configured);
        }
        let decoy = config.users.first().and_then(|user| users.get(user.name.as_str()));
        let decoy = decoy.map(|user| Arc::clone(&user.hash));
        let mut key = [0; 64];
        getrandom::fill(&mut key).map_err(|error| ConfigError::Random(error.to_string()))?;
        Ok(Self {
            users,
            decoy,
            hasher: accounts
                .as_ref()
                .map_or_else(|| Arc::new(Hasher::new()), |known| Arc::clone(known.hasher())),
            accounts,
            cache_key: Hmac::new(&key.into()),
            verified: Cache::builder()
                .max_capacity(CACHE_ENTRIES)
                .time_to_live(Duration::from_secs(config.credential_cache_seconds.into()))
                .build(),
            in_flight: Mutex::default(),
        })
    }

    /// Number of argon2 hashes computed since start.
    pub(crate) fn hashes(&self) -> u64 {
        self.hasher.cost().argon2
    }

    pub(crate) fn accounts(&self) -> Option<&Accounts> {
        self.accounts.as_ref()
    }

    /// Returns the caller whom the credentials prove. `generation` is the newest generation of access that decisions know of; none
    /// where nobody follows it.
    pub(crate) async fn verify(
        &self,
        credentials: &Credentials,
        generation: Option<i64>,
    ) -> Result<Caller, Unauthenticated> {
        let key = self.key(credentials);
        if let Some(caller) = self.believed(&key, generation) {
            return Ok(caller);
        }
        let even = Instant::now() + REFUSAL;
        self.refuse_without_users().await?;
        let flight = self.join(key);
        // If the request that computes is dropped, the next one waiting takes over.
        let outcome = flight.outcome.get_or_try_init(|| self.compute(key, credentials, generation));
        let outcome = outcome.await?.clone();
        self.even_out(even, outcome).await
    }

    /// Lets refusals take as long as those of a directory.
    async fn even_out(
        &self,
        at: Instant,
        outcome: Result<Caller, Unauthenticated>,
    ) -> Result<Caller, Unauthenticated> {
        if let Some(accounts) = &self.accounts {
            accounts.even_out(at, &outcome).await;
        }
        outcome
    }

    /// Returns the caller whom a person's password proves, and believes nothing from before.
    pub(crate) async fn log_in(
        &self,
        name: &str,
        password: &str,
        purpose: Purpose<'_>,
    ) -> Result<Caller, Unauthenticated> {
        self.refuse_without_users().await?;
        let even = Instant::now() + REFUSAL;
        let outcome = match &self.accounts {
            Some(accounts) if !self.users.contains_key(name) => {
                let person = accounts.person(name, password.as_bytes(), purpose, None).await;
                person.map(|(account, _)| crate::account::caller(&account, Proof::Password))
            }
            _ => self.user(name, password.as_bytes()).await?,
        };
        self.even_out(even, outcome).await
    }

    /// Lets no hash be computed until what it returns is dropped.
    #[cfg(test)]
    pub(crate) fn hold(&self) -> tokio::sync::OwnedSemaphorePermit {
        self.hasher.hold()
    }

    #[cfg(test)]
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.lock().len()
    }

    /// Says so where nobody can log in.
    async fn refuse_without_users(&self) -> Result<(), Unauthenticated> {
        if !self.users.is_empty() {
            return Ok(());
        }
        let any = match &self.accounts {
            Some(accounts) => accounts.any().await.map_err(|_| Unauthenticated::Unavailable)?,
            None => false,
        };
        if any { Ok(()) } else { Err(Unauthenticated::NoUsers) }
    }

    /// Returns whom these credentials proved a moment ago, if nothing has changed since.
    fn believed(&self, key: &Key, generation: Option<i64>) -> Option<Caller> {
        let found = self.verified.get(key)?;
        let Some(accounts) = &self.accounts else { return Some(found.caller) };
        let is_over = found.until.is_some_and(|until| until <= accounts.now());
        // This process may have changed something that decisions have not heard of, or the other way round.
        let newest =
            generation.map_or_else(|| accounts.generation(), |known| known.max(accounts.generation()));
        (found.generation >= newest && !is_over).then_some(found.caller)
    }

    async fn compute(
        &self,
        key: Key,
        credentials: &Credentials,
        generation: Option<i64>,
    ) -> Result<Result<Caller, Unauthenticated>, Unauthenticated> {
        // Another flight may have landed between the first look and joining this one.
        if let Some(caller) = self.believed(&key, generation) {
            return Ok(Ok(caller));
        }
        let (name, password) = (credentials.name(), credentials.password());
        let is_configured = self.users.contains_key(name) && !is_robot(name);
        let (generation, proven) = match &self.accounts {
            Some(accounts) if !is_configured => {
                if generation.is_some_and(|known| known > accounts.generation()) {
                    accounts.look().await.map_err(|_| Unauthenticated::Unavailable)?;
                }
                // Before anything is read: what changes meanwhile makes it stale.
                let generation = accounts.generation();
                let known = self.verified.get(&key).and_then(|found| found.hash);
                (generation, accounts.prove(name, password, known.as_ref().map(|hash| hash.as_str())).await)
            }
            accounts => {
                let generation = accounts.as_ref().map_or(0, Accounts::generation);
                let caller = self.user(name, password).await?;
                let caller = self.say_whose(credentials, caller).await;
                (generation, caller.map(|caller| Proven { caller, hash: None, until: None }))
            }
        };
        match proven {
            // No outcome: who waits tries for itself.
            Err(busy) if busy.is_busy() => Err(busy),
            Err(refused) => Ok(Err(refused)),
            Ok(Proven { caller, hash, until }) => {
                self.verified.insert(key, Believed { caller: caller.clone(), generation, hash, until });
                Ok(Ok(caller))
            }
        }
    }

    /// Compares a password with that of a user of the configuration, or with a decoy. A refusal costs what it costs for a name that
    /// nobody has.
    async fn user(
        &self,
        name: &str,
        password: &[u8],
    ) -> Result<Result<Caller, Unauthenticated>, Unauthenticated> {
        let user = self.users.get_key_value(name);
        let Some(hash) = user.map(|(_, user)| &user.hash).or(self.decoy.as_ref()).cloned() else {
            return Err(Unauthenticated::NoUsers);
        };
        let password = password.to_vec();
        let harbor_waits = self.accounts.as_ref().is_some_and(Accounts::harbor_waits);
        let proved_at = self.accounts.as_ref().map(Accounts::now);
        self.hasher.count(Cost { argon2: 1, rounds: 0 });
        let checked = self.hasher.run(move || hash::check(Some(&hash), &password, harbor_waits)).await;
        let (matches, cost) = checked.ok_or(Unauthenticated::Busy)?;
        self.hasher.count(Cost { argon2: 0, ..cost });
        let cause = match (user, matches) {
            (Some((name, user)), true) => {
                let evidence = Evidence::Configured { fingerprint: Arc::clone(&user.fingerprint) };
                let caller = Caller::new(Identity::User(Arc::clone(name)), Proof::Password);
                return Ok(Ok(caller.by(Some(evidence)).proved(proved_at)));
            }
            (Some(_), false) => Cause::WrongPassword,
            (None, _) => Cause::UnknownName,
        };
        Ok(Err(Unauthenticated::WrongCredentials { name: name.to_owned(), cause }))
    }

    /// Says so to whoever has the application password of an account whose name the configuration has given to somebody else. It costs a
    /// look-up, and tells nothing to who has none.
    async fn say_whose(
        &self,
        credentials: &Credentials,
        outcome: Result<Caller, Unauthenticated>,
    ) -> Result<Caller, Unauthenticated> {
        let made_up = RandomSecret::parse(SecretKind::Application, credentials.password()).is_some();
        let Some(accounts) = self.accounts.as_ref().filter(|_| outcome.is_err() && made_up) else {
            return outcome;
        };
        match accounts.prove(credentials.name(), credentials.password(), None).await {
            Err(taken @ Unauthenticated::NameTaken { .. }) => Err(taken),
            _ => outcome,
        }
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

//! Whom a name and a secret prove.
//!
//! A client learns why only if it gave the right secret. Whatever is wrong, an unknown name included, is answered alike and costs alike.

use std::sync::Arc;

use berth_catalog::account::{self, Account, Source};
use berth_catalog::robot::{self, Robot};
use berth_catalog::robot_secret::{self, RobotSecret};
use berth_catalog::{Hidden, app_password};
use jiff::Timestamp;

use super::hash::{self, HARBOR, Harbor, Stored, Version};
use super::secret::{RandomSecret, SecretKind, hash_of};
use super::strikes::Count;
use super::{Accounts, Ended};
use crate::caller::{Caller, Identity, Proof};
use crate::error::{Cause, Unauthenticated};
use crate::evidence::{Evidence, SecretId};
use crate::password::{PasswordHash, hash_bytes};

/// Secrets of one robot that are looked at: two while one takes over from the other, and a few that ended.
const SECRETS: usize = 8;

/// What was proved.
#[derive(Debug, Clone)]
pub(crate) struct Proven {
    pub(crate) caller: Caller,
    /// The password's hash: while the account still has it, it need not be computed again.
    pub(crate) hash: Option<Hidden<String>>,
    /// When it ends by itself.
    pub(crate) until: Option<Timestamp>,
}

/// What a password is given for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose<'a> {
    /// A request of a client that can send no second factor.
    Client,
    /// A login by a person, with a code of the second factor.
    Person(Option<&'a str>),
    /// A change of the password, with a code of the second factor.
    Change(Option<&'a str>),
}

type Outcome = Result<Proven, Unauthenticated>;

pub(super) fn wrong<T>(name: &str, cause: Cause) -> Result<T, Unauthenticated> {
    Err(Unauthenticated::WrongCredentials { name: name.to_owned(), cause })
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
pub(super) fn unavailable(error: berth_catalog::Error) -> Unauthenticated {
    tracing::warn!(%error, "the catalog can't say who somebody is");
    Unauthenticated::Unavailable
}

impl Accounts {
    /// Finds out whom a client's credentials prove. `known` is the hash under which the password was right before.
    pub(crate) async fn prove(&self, name: &str, secret: &[u8], known: Option<&str>) -> Outcome {
        let now = self.now();
        if let Some(robot) = super::name::canonical_robot(name) {
            return self.robot(name, &robot, secret, now).await;
        }
        if let Some(secret) = RandomSecret::parse(SecretKind::Application, secret) {
            return self.application(name, &secret, now).await;
        }
        let (account, hash) = self.person(name, secret, Purpose::Client, known).await?;
        let until = self.0.rules.passwords.ends_at(account.password_changed_at);
        Ok(Proven { caller: caller(&account, Proof::Password), hash, until })
    }

    /// Finds the account that a password proves.
    pub(crate) async fn person(
        &self,
        name: &str,
        password: &[u8],
        purpose: Purpose<'_>,
        known: Option<&str>,
    ) -> Result<(Account, Option<Hidden<String>>), Unauthenticated> {
        let now = self.now();
        // An account that has the name of a user of the configuration is nobody's.
        let is_hidden = self.is_configured(name);
        let find = async || {
            let found = self.0.catalog.read(async |r| account::find(r, name).await).await;
            found.map(|found| found.filter(|_| !is_hidden)).map_err(unavailable)
        };
        let before = find().await?;
        if let Some(directory) = self.directory()
            && !is_hidden
            && before.as_ref().is_none_or(|account| account.source == Source::Ldap)
        {
            let account = self.of_directory(directory, before.as_ref(), name, password).await?;
            let under_way = self.0.strikes.under_way(account.id);
            self.allows(&account, self.count(&account, under_way), purpose, now).await?;
            return Ok((account, None));
        }
        let hash = before.as_ref().and_then(|account| account.password.clone());
        let is_known = known.is_some() && hash.as_ref().map(|hash| hash.as_str()) == known;
        let matches = is_known || self.matches(before.as_ref(), password).await?;
        // Hashing takes a while, in which others may have guessed, or something was changed.
        let under_way =
            before.as_ref().map(|account| self.0.strikes.under_way(account.id)).unwrap_or_default();
        let is_it = |account: &Account| before.as_ref().is_some_and(|before| before.id == account.id);
        let Some(account) = find().await?.filter(is_it) else { return wrong(name, Cause::UnknownName) };
        let count = self.count(&account, under_way);
        // Also the right one: or guessing could go on, and who guesses would hear when it is right.
        if count.is_locked(now) {
            return wrong(name, Cause::Locked);
        }
        let is_same = account.password == hash || hash.as_ref().is_some_and(|hash| hash.starts_with(HARBOR));
        if !matches || !is_same {
            if account.source != Source::Local {
                return wrong(name, Cause::Elsewhere);
            }
            self.strike(account.id, count, now);
            return wrong(name, Cause::WrongPassword);
        }
        self.allows(&account, count, purpose, now).await?;
        if account::is_news(&account, now) {
            let id = account.id;
            self.note(async move |tx| account::note_login(tx, id, now).await);
        }
        Ok((account, hash))
    }

    /// Compares a password, and writes it our way if it was still kept in Harbor's.
    async fn matches(&self, account: Option<&Account>, password: &[u8]) -> Result<bool, Unauthenticated> {
        let text = account.and_then(|account| account.password.clone());
        let stored = text.as_ref().and_then(|text| Stored::parse(text));
        let (given, harbor_waits) = (password.to_vec(), self.harbor_waits());
        let work = move || {
            let (matches, mut cost) = hash::check(stored.as_ref(), &given, harbor_waits);
            let rehash = matches && stored.as_ref().is_some_and(Stored::is_harbor);
            let ours = rehash.then(|| hash_bytes(&given).ok()).flatten();
            cost.argon2 += u64::from(rehash);
            (matches, ours, cost)
        };
        let (matches, ours, cost) = self.0.hasher.run(work).await.ok_or(Unauthenticated::Busy)?;
        self.0.hasher.count(cost);
        if let (Some(account), Some(before), Some(ours)) = (account, text, ours) {
            let id = account.id;
            self.note(async move |tx| account::rehash(tx, id, &before, ours.as_str()).await);
        }
        Ok(matches)
    }

    /// Tells whether an account, whose password was right, may do what it is given for.
    async fn allows(
        &self,
        account: &Account,
        count: Count,
        purpose: Purpose<'_>,
        now: Timestamp,
    ) -> Result<(), Unauthenticated> {
        usable(account)?;
        let name = || account.name.clone();
        if let Purpose::Client | Purpose::Person(_) = purpose {
            if account.must_change {
                return Err(Unauthenticated::PasswordChangeNeeded {
                    name: name(),
                    why: "somebody else chose it",
                });
            }
            let ends_at = self.0.rules.passwords.ends_at(account.password_changed_at);
            if ends_at.is_some_and(|ends_at| ends_at <= now) {
                return Err(Unauthenticated::PasswordChangeNeeded { name: name(), why: "it is too old" });
            }
        }
        let code = match purpose {
            _ if account.totp.is_none() => return Ok(()),
            Purpose::Client => {
                return Err(Unauthenticated::SecondFactorNeeded { name: name(), client: true });
            }
            Purpose::Person(code) | Purpose::Change(code) => code,
        };
        let Some(code) = code else {
            return Err(Unauthenticated::SecondFactorNeeded { name: name(), client: false });
        };
        match self.use_code(account, code).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.strike(account.id, count, now);
                wrong(&account.name, Cause::WrongCode)
            }
            Err(error) => {
                tracing::error!(%error, "a second factor can't be checked");
                Err(Unauthenticated::Unavailable)
            }
        }
    }

    /// Whom a password for one client proves.
    async fn application(&self, name: &str, secret: &RandomSecret, now: Timestamp) -> Outcome {
        let hash = secret.hash();
        let found = self.0.catalog.read(async |r| {
            let Some(found) = app_password::find(r, &hash).await? else { return Ok(None) };
            Ok(account::find_by_id(r, found.account).await?.map(|account| (found, account)))
        });
        let Some((found, account)) = found.await.map_err(unavailable)? else {
            return wrong(name, Cause::WrongSecret);
        };
        // Somebody else's.
        if account.name != name {
            return wrong(name, Cause::WrongSecret);
        }
        if self.is_configured(name) {
            return Err(Unauthenticated::NameTaken { name: account.name });
        }
        let ended = |why, at| {
            let what = format!("application password {:?} of {name:?}", found.name);
            let (who, advice) = (Identity::User(name.into()), "make another, and log in with that");
            Err(Unauthenticated::Ended(Ended { who, what, why, at, advice }))
        };
        if let Some(at) = found.revoked_at {
            return ended("was revoked", at);
        }
        if found.expires_at <= now {
            return ended("expired", found.expires_at);
        }
        usable(&account)?;
        if account.must_change && account.source != Source::Local {
            return ended(
                "ended, because the service that vouched for its owner does so no more,",
                account.valid_after,
            );
        }
        if account.must_change {
            let why = "somebody else chose it";
            return Err(Unauthenticated::PasswordChangeNeeded { name: account.name, why });
        }
        if app_password::is_news(&found, now) {
            let id = found.id;
            self.note(async move |tx| app_password::note_use(tx, id, now).await);
        }
        let until = Some(found.expires_at);
        let evidence = Evidence::Secret { id: SecretId::Application(found.id), until };
        let caller = caller(&account, Proof::ApplicationPassword).by(Some(evidence));
        Ok(Proven { caller, hash: None, until })
    }

    /// Whom a robot's secret proves. `given` is the name that the client gave.
    async fn robot(&self, given: &str, name: &str, secret: &[u8], now: Timestamp) -> Outcome {
        let hash = hash_of(secret);
        let found = self.0.catalog.read(async |r| {
            let robot = robot::find(r, name).await?;
            let secret = robot_secret::find(r, &hash).await?;
            Ok(robot.zip(secret).filter(|(robot, secret)| secret.robot == robot.id))
        });
        let found = match found.await.map_err(unavailable)? {
            // What Berth made up is never kept in Harbor's way.
            None if RandomSecret::parse(SecretKind::Robot, secret).is_none() => {
                self.harbor_robot(name, secret).await?
            }
            found => found,
        };
        let Some((robot, secret)) = found else { return wrong(given, Cause::WrongSecret) };
        robot_usable(&robot, &secret, now)?;
        if robot::is_news(&robot, now) {
            let id = robot.id;
            self.note(async move |tx| robot::note_use(tx, id, now).await);
        }
        let until = [robot.expires_at, secret.expires_at].into_iter().flatten().min();
        let evidence = Evidence::Secret { id: SecretId::Robot(secret.id), until };
        let caller = Caller::new(Identity::Robot(robot.name.as_str().into()), Proof::RobotSecret)
            .by(Some(evidence))
            .proved(Some(robot.valid_after));
        Ok(Proven { caller, hash: None, until })
    }

    /// Compares a secret with what Harbor left of a robot's, at the cost of one hash whether there is such a robot or not.
    async fn harbor_robot(
        &self,
        name: &str,
        secret: &[u8],
    ) -> Result<Option<(Robot, RobotSecret)>, Unauthenticated> {
        let found = self.0.catalog.read(async |r| {
            let Some(robot) = robot::find(r, name).await? else { return Ok(None) };
            let secrets = robot_secret::list(r, robot.id, SECRETS).await?;
            let theirs =
                secrets.into_iter().find_map(|secret| Some((Harbor::parse(&secret.secret)?, secret)));
            Ok(theirs.map(|(harbor, secret)| (robot, harbor, secret)))
        });
        let found = found.await.map_err(unavailable)?;
        let harbor = found.as_ref().map(|(_, harbor, _)| harbor.clone());
        let given = secret.to_vec();
        let rounds = Version::Sha256.rounds();
        let work = move || {
            let Some(harbor) = harbor else {
                hash::burn(rounds, &given);
                return false;
            };
            harbor.verify(&given)
        };
        let matches = self.0.hasher.run(work).await.ok_or(Unauthenticated::Busy)?;
        self.0.hasher.count(hash::Cost { argon2: 0, rounds: rounds.into() });
        let Some((robot, _, kept)) = found.filter(|_| matches) else { return Ok(None) };
        let (id, before, ours) = (kept.id, kept.secret.clone(), hash_of(secret));
        self.note(async move |tx| robot_secret::rehash(tx, id, &before, &ours).await);
        Ok(Some((robot, kept)))
    }
}

pub(crate) fn caller(account: &Account, proof: Proof) -> Caller {
    let groups: Arc<[Arc<str>]> = account.groups.iter().map(|group| Arc::from(group.as_str())).collect();
    Caller::new(Identity::User(account.name.as_str().into()), proof)
        .with_groups(groups)
        .by(Some(Evidence::Account { id: account.id }))
        .proved(Some(account.valid_after))
}

pub(super) fn usable(account: &Account) -> Result<(), Unauthenticated> {
    let Some(at) = account.disabled_at else { return Ok(()) };
    let what = format!("account {:?}", account.name);
    let (who, advice) = (Identity::User(account.name.as_str().into()), "ask the administrator");
    Err(Unauthenticated::Ended(Ended { who, what, why: "was disabled", at, advice }))
}

fn robot_usable(robot: &Robot, secret: &RobotSecret, now: Timestamp) -> Result<(), Unauthenticated> {
    let ended = |what: &str, why, at, advice| {
        let (who, what) = (Identity::Robot(robot.name.as_str().into()), format!("{what} {:?}", robot.name));
        Err(Unauthenticated::Ended(Ended { who, what, why, at, advice }))
    };
    if let Some(at) = robot.disabled_at {
        return ended("robot", "was disabled", at, "ask its owner or the administrator");
    }
    if let Some(at) = robot.expires_at.filter(|at| *at <= now) {
        return ended("robot", "expired", at, "ask its owner to renew it (`berth robot rotate --days`)");
    }
    if let Some(at) = secret.expires_at.filter(|at| *at <= now) {
        return ended("this secret of robot", "was replaced and ended", at, "use the one that replaced it");
    }
    Ok(())
}

impl Accounts {
    /// Hashes a password that somebody chose.
    pub(super) async fn hash(&self, password: &str) -> Result<PasswordHash, super::Error> {
        let given = password.as_bytes().to_vec();
        let hash = self.0.hasher.run(move || hash_bytes(&given)).await.ok_or(super::Error::Busy)??;
        self.0.hasher.count(hash::Cost { argon2: 1, rounds: 0 });
        Ok(hash)
    }

    /// Tells whether a password is one of those, whose hashes are these.
    pub(super) async fn is_one_of(
        &self,
        password: &str,
        hashes: Vec<Hidden<String>>,
    ) -> Result<bool, super::Error> {
        let given = password.as_bytes().to_vec();
        let work = move || {
            hashes
                .iter()
                .filter_map(|hash| Stored::parse(hash))
                .any(|stored| hash::check(Some(&stored), &given, false).0)
        };
        self.0.hasher.run(work).await.ok_or(super::Error::Busy)
    }
}

//! Accounts in a real catalog, on both databases, under a clock that stands still.

mod applications;
mod committed;
mod configured;
mod enrolment;
mod federated;
mod flood;
mod harbor;
mod named;
mod passwords;
mod revocation;
mod robots;
mod sessions;
mod totp;

use std::sync::Arc;
use std::time::Duration;

use berth_catalog::event::{self, Author};
use berth_catalog::{Catalog, Clock, PostgresConfig};
use berth_engines::Postgres;
use jiff::Timestamp;
use tempfile::TempDir;

use super::basic;
use crate::account::hash::Cost;
use crate::{
    Access, Accounts, Caller, Config, LoginCause as Cause, NewUser, ReadOnly, Sealer, Unauthenticated,
};

/// Fits the default rules.
const PASSWORD: &str = "Secret-1";

#[derive(Debug, Clone, Copy)]
enum On {
    Sqlite,
    Postgres,
}

/// Makes two tests of each function: one on SQLite, one on PostgreSQL.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(super::On::Sqlite).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(super::On::Postgres).await;
            })*
        }
    };
}
use on_both;

struct Fixture {
    access: Access,
    accounts: Accounts,
    catalog: Catalog,
    clock: Clock,
    config: Config,
    directory: Option<TempDir>,
}

/// Seals by turning bits, and knows the place.
struct Turned;

impl Sealer for Turned {
    fn seal(&self, context: &str, secret: &[u8]) -> Result<Vec<u8>, String> {
        Ok(format!("{context}\n").into_bytes().into_iter().chain(secret.iter().map(|byte| !byte)).collect())
    }

    fn open(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, String> {
        let secret =
            sealed.strip_prefix(format!("{context}\n").as_bytes()).ok_or("sealed for another place")?;
        Ok(secret.iter().map(|byte| !byte).collect())
    }
}

impl Fixture {
    async fn new(on: On) -> Self {
        Self::with(on, Config::default()).await
    }

    async fn with(on: On, config: Config) -> Self {
        let clock = Clock::manual(Timestamp::from_second(1_700_000_000).unwrap());
        let (catalog, directory) = match on {
            On::Sqlite => {
                let directory = TempDir::new().unwrap();
                let file = directory.path().join("catalog.db");
                (Catalog::open(&file, clock.clone()).unwrap(), Some(directory))
            }
            On::Postgres => {
                let url = Postgres::shared().database();
                let settings =
                    PostgresConfig { pool: 4, patience: Duration::from_mins(1), ..PostgresConfig::new(&url) };
                (Catalog::connect(&settings, clock.clone()).await.unwrap(), None)
            }
        };
        let (access, accounts) = node(&catalog, &config).await;
        Self { access, accounts, catalog, clock, config, directory }
    }

    /// Another node on the same catalog.
    async fn other_node(&self) -> (Access, Accounts) {
        node(&self.catalog, &self.config).await
    }

    async fn add(&self, name: &str) {
        self.accounts.create_user(new_user(name), &by()).await.unwrap();
    }

    async fn log_in(&self, name: &str, password: &str) -> Result<Caller, Unauthenticated> {
        self.access.authenticate(Some(&basic(name, password))).await
    }

    async fn is_right(&self, name: &str, password: &str) -> bool {
        self.log_in(name, password).await.is_ok()
    }

    /// Gives so many wrong passwords.
    async fn guess(&self, name: &str, times: usize) {
        for number in 0..times {
            assert!(!self.is_right(name, &format!("guess {number}")).await);
        }
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    fn cost(&self) -> Cost {
        self.accounts.hasher().cost()
    }

    /// What an event log says was done to accounts and robots, in order.
    async fn changes(&self) -> Vec<String> {
        let changes = self.catalog.read(async |r| event::list(r, 0, 100).await);
        let changes: Vec<_> = changes.await.unwrap();
        changes.iter().map(|event| event.detail["change"].as_str().unwrap().to_owned()).collect()
    }
}

async fn node(catalog: &Catalog, config: &Config) -> (Access, Accounts) {
    let accounts = Accounts::new(catalog.clone(), config, Some(Arc::new(Turned)));
    accounts.look().await.unwrap();
    let access = Access::with_accounts(config, &ReadOnly::default(), Some(accounts.clone())).unwrap();
    (access, accounts)
}

fn by() -> Author {
    Author::from("berth:operator")
}

fn new_user(name: &str) -> NewUser {
    NewUser {
        name: name.to_owned(),
        display_name: None,
        email: None,
        password: PASSWORD.to_owned(),
        own_choice: true,
    }
}

fn wrong(name: &str, cause: Cause) -> Result<Caller, Unauthenticated> {
    Err(Unauthenticated::WrongCredentials { name: name.to_owned(), cause })
}

/// Waits until something is so: notes of logins are written behind the answer.
async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("waited in vain until {what}");
}

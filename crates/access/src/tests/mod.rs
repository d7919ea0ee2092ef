mod accounts;
mod authenticate;
mod config;
mod decision;
mod duties;
mod explain;
mod followed;
mod grants;
mod matrix;
mod model;
mod policy;
mod read_only;
mod stored;
mod vault;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{Access, Anonymous, Caller, Config, PasswordHash, ReadOnly, User, UserAccess};

/// argon2id of "secret" with the cheapest parameters, so that tests don't spend their time hashing.
const SECRET: &str =
    "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzYWx0$4bKx8xqYl+hsJtplzfOhb58XVdEg2q8nqW/oZg1WP/o";

pub(crate) fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

pub(crate) fn cheap_hash() -> PasswordHash {
    SECRET.parse().unwrap()
}

pub(crate) fn user(name: &str, access: UserAccess) -> User {
    User { name: name.to_owned(), password: cheap_hash(), access }
}

pub(crate) fn config(anonymous: Anonymous, users: Vec<User>) -> Config {
    Config { anonymous: Some(anonymous), users, ..Config::default() }
}

fn named(name: &str) -> Caller {
    Caller::user(name)
}

fn access(anonymous: Anonymous, users: Vec<User>) -> Access {
    access_of(&config(anonymous, users))
}

fn access_of(config: &Config) -> Access {
    Access::new(config, &ReadOnly::default()).unwrap()
}

/// An access configuration as `berth.yaml` has it, with its top-level `roles`.
fn with_roles(access: serde_json::Value, roles: serde_json::Value) -> Config {
    let mut config: Config = serde_json::from_value(access).unwrap();
    config.roles = serde_json::from_value(roles).unwrap();
    config
}

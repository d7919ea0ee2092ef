//! Against real servers: `slapd`, `oidc-provider` and, where it was fetched, Keycloak; and against issuers that tell lies.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a stage that can't be set fails its test")]

mod browser;
mod issuer;
mod jobs;
mod keycloak;
mod ldap;
mod ldap_trouble;
mod lies;
mod login;

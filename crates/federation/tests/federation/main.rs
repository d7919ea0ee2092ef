//! Against real servers: OpenLDAP, `oidc-provider` and, where it was fetched, Keycloak; and against issuers that tell lies.

mod browser;
mod issuer;
mod jobs;
mod keycloak;
mod ldap;
mod ldap_trouble;
mod lies;
mod login;

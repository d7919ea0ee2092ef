//! The `access.oidc` part of the configuration: services at which users log in with their browser.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A service at which users log in with their browser (`OpenID` Connect).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// Names the service in addresses and logs: lower-case letters, digits and `-`. The service must let it return to
    /// `PUBLIC_URL/login/oidc/NAME/callback`.
    pub name: String,
    /// What the login page calls it.
    #[serde(default)]
    pub label: Option<String>,
    /// Its issuer, exactly as in its discovery document: `https://id.example.com/realms/main`.
    pub issuer: String,
    /// Who Berth is to the service.
    pub client_id: String,
    /// The file that holds Berth's secret there; none for a public client.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// In its place the name under which the catalog keeps the secret: `berth secrets set NAME`. It is looked up at each use, so a
    /// changed one counts on all nodes without a restart.
    #[serde(default)]
    pub stored_client_secret: Option<String>,
    /// Authorities to trust beside the system's, as a PEM file.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// What is asked for.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The claim with the name to log in with. An `email` counts only if the service has verified it.
    #[serde(default = "name_claim")]
    pub name_claim: String,
    /// The claim with the user's groups; a JSON pointer, `/realm_access/roles`, finds one further down.
    #[serde(default = "groups_claim")]
    pub groups_claim: String,
    /// Put before every group's name, so that no other service can claim it.
    #[serde(default)]
    pub group_prefix: String,
    /// Only members of one of these groups may log in; empty lets everybody. Names with `group_prefix`.
    #[serde(default)]
    pub required_groups: Vec<String>,
}

fn scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(str::to_owned).to_vec()
}

fn name_claim() -> String {
    "preferred_username".to_owned()
}

fn groups_claim() -> String {
    "groups".to_owned()
}

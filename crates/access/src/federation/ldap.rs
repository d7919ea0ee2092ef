//! The `access.ldap` part of the configuration: directories of users.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A directory of users that speaks LDAP, Active Directory among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ldap {
    /// Names the directory in logs, and keeps its users apart from another's. Changing it makes everybody a stranger.
    pub name: String,
    /// Its servers, `ldaps://dc1.example.com` or `ldap://dc1.example.com:389`; they are tried in this order.
    pub servers: Vec<String>,
    /// Begins TLS on connections to `ldap://` before anything else is said.
    #[serde(default)]
    pub start_tls: bool,
    /// The authorities to trust, as a PEM file, in place of the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Sends passwords over connections without TLS, for all in between to read.
    #[serde(default)]
    pub plain_text: bool,
    /// Who Berth is to the directory. Without it, the directory must let anybody search, or `user_dn` be set.
    #[serde(default)]
    pub bind: Option<LdapBind>,
    /// What a user binds as, without a search before it: `uid={name},ou=people,dc=example,dc=com`, or
    /// `{name}@example.com` for Active Directory.
    #[serde(default)]
    pub user_dn: Option<String>,
    /// Where users are, and how one is found.
    #[serde(default)]
    pub users: Option<UserSearch>,
    /// Which attributes say what of a user.
    #[serde(default)]
    pub attributes: Attributes,
    /// Where groups are that list their members. Not needed where users have `memberOf`.
    #[serde(default)]
    pub groups: Option<GroupSearch>,
    /// How the groups of `memberOf` are called here.
    #[serde(default)]
    pub group_names: GroupNames,
    /// Put before every group's name, so that no other service can claim it: `corp/`.
    #[serde(default)]
    pub group_prefix: String,
    /// Only members of one of these groups may log in; empty lets everybody. Names with `group_prefix`.
    #[serde(default)]
    pub required_groups: Vec<String>,
    /// Seconds for all that a login asks of one server.
    #[serde(default = "timeout")]
    pub timeout_seconds: u64,
    /// Seconds that a password which was right is believed without asking again. A changed password works, and an old one
    /// stops, at the latest after that.
    #[serde(default = "believe")]
    pub believe_seconds: u64,
    /// Seconds between two looks at the groups of everybody who has logged in: whoever left a group loses its rights at the
    /// latest after that, whoever left the directory is disabled. Needs `bind`.
    #[serde(default = "refresh")]
    pub refresh_seconds: u64,
}

/// Who Berth is to the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LdapBind {
    /// Its distinguished name, or user principal name.
    pub dn: String,
    /// The file that holds its password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// In its place the name under which the catalog keeps the password: `berth secrets set NAME`. It is looked up at each use, so a
    /// changed one counts on all nodes without a restart.
    #[serde(default)]
    pub stored_password: Option<String>,
}

/// Where users are, and how one is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserSearch {
    /// The entry below which they are.
    pub base: String,
    /// What finds one: `(uid={name})`, `(&(objectClass=user)(sAMAccountName={name}))`.
    pub filter: String,
}

/// Which attributes say what of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Attributes {
    /// The name to log in with: `sAMAccountName` in Active Directory.
    pub name: String,
    /// The name to show.
    pub display: String,
    /// The address to write to.
    pub email: String,
    /// What stays when a user is renamed or moved, and is never given to another: `entryUUID`, `objectGUID`. Empty takes the
    /// distinguished name.
    pub id: String,
    /// The distinguished names of the user's groups.
    pub member_of: String,
}

impl Default for Attributes {
    fn default() -> Self {
        Self {
            name: "uid".to_owned(),
            display: "cn".to_owned(),
            email: "mail".to_owned(),
            id: String::new(),
            member_of: "memberOf".to_owned(),
        }
    }
}

/// Where groups are that list their members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupSearch {
    /// The entry below which they are.
    pub base: String,
    /// What finds those of a user: `(member={dn})`, `(memberUid={name})`. Active Directory finds nested ones itself with
    /// `(member:1.2.840.113556.1.4.1941:={dn})`.
    pub filter: String,
    /// The attribute with the group's name.
    #[serde(default = "cn")]
    pub name: String,
    /// Also looks for the groups that a group is in, by the same filter.
    #[serde(default)]
    pub nested: bool,
}

/// How a group is called here whose distinguished name is all that is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GroupNames {
    /// The value of its first part: `builders` for `cn=builders,ou=groups,dc=example,dc=com`.
    #[default]
    First,
    /// The whole distinguished name, in lower case.
    Whole,
}

fn cn() -> String {
    "cn".to_owned()
}

fn timeout() -> u64 {
    5
}

fn believe() -> u64 {
    60
}

fn refresh() -> u64 {
    300
}

//! What a login asks a directory, on one connection.

use berth_access::federation::Ldap as Settings;
use ldap3::{DerefAliases, LdapResult, Scope, SearchEntry, SearchOptions};

use super::servers::Connection;
use super::{Question, Trouble, Verdict, entry, groups, template};

/// Result codes of RFC 4511 appendix A.
const SUCCESS: u32 = 0;
const SIZE_LIMIT_EXCEEDED: u32 = 4;
const CONSTRAINT_VIOLATION: u32 = 19;
const NO_SUCH_OBJECT: u32 = 32;
const INVALID_DN: u32 = 34;
const INAPPROPRIATE_AUTHENTICATION: u32 = 48;
const INVALID_CREDENTIALS: u32 = 49;
const UNWILLING_TO_PERFORM: u32 = 53;

/// One connection at work for one login.
pub(super) struct Session<'a> {
    settings: &'a Settings,
    bind_password: Option<&'a str>,
    connection: Connection,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        bind_password: Option<&'a str>,
        connection: Connection,
    ) -> Self {
        Self { settings, bind_password, connection }
    }

    pub(super) async fn answer(&mut self, question: &Question) -> Result<Verdict, Trouble> {
        let Question { name, password } = question;
        match (password, self.settings.user_dn.as_deref()) {
            (Some(password), Some(user_dn)) => self.verify_directly(user_dn, name, password).await,
            (Some(password), None) => self.verify_found(name, password).await,
            (None, _) => self.look_up(name).await,
        }
    }

    /// Finds the user as Berth, then binds as the user.
    async fn verify_found(&mut self, name: &str, password: &str) -> Result<Verdict, Trouble> {
        self.bind().await?;
        let Some(found) = self.find(name).await? else { return Ok(Verdict::Nobody) };
        if !self.lets_in(&found.dn, password).await? {
            return Ok(Verdict::Wrong);
        }
        if self.settings.groups.is_some() {
            // A user may not see its own groups.
            self.bind().await?;
        }
        self.proven(&found).await
    }

    /// Binds as the user, then reads the user's entry as the user.
    async fn verify_directly(
        &mut self,
        user_dn: &str,
        name: &str,
        password: &str,
    ) -> Result<Verdict, Trouble> {
        let Some(dn) = template::user_dn(user_dn, name) else { return Ok(Verdict::Nobody) };
        if !self.lets_in(&dn, password).await? {
            // Nothing tells a wrong name from a wrong password.
            return Ok(Verdict::Nobody);
        }
        let found = match (&self.settings.users, template::is_dn(user_dn)) {
            (Some(_), false) => self.find(name).await?,
            _ => self.search(&dn, Scope::Base, "(objectClass=*)").await?,
        };
        let Some(found) = found else {
            return Err(Trouble::Entry(format!(
                "{dn} may log in, but can't be read: let users read their own entries"
            )));
        };
        self.proven(&found).await
    }

    /// Finds out who has a name, as Berth.
    async fn look_up(&mut self, name: &str) -> Result<Verdict, Trouble> {
        self.bind().await?;
        match self.find(name).await? {
            Some(found) => self.proven(&found).await,
            None => Ok(Verdict::Nobody),
        }
    }

    /// Becomes Berth; without a name of its own, nobody.
    async fn bind(&mut self) -> Result<(), Trouble> {
        let (dn, password) = match (&self.settings.bind, self.bind_password) {
            (Some(bind), Some(password)) => (bind.dn.as_str(), password),
            _ => ("", ""),
        };
        let result = self.connection.ldap.simple_bind(dn, password).await?;
        match result.rc {
            SUCCESS => Ok(()),
            code => Err(Trouble::Server(format!(
                "it does not let Berth in as {dn:?}: {}",
                described(code, &result)
            ))),
        }
    }

    /// Finds out whether somebody is let in. A referral is not followed: whoever it names could be anybody.
    async fn lets_in(&mut self, dn: &str, password: &str) -> Result<bool, Trouble> {
        // Both would be let in as nobody.
        if dn.is_empty() || password.is_empty() {
            return Ok(false);
        }
        let result = self.connection.ldap.simple_bind(dn, password).await?;
        match result.rc {
            SUCCESS => Ok(true),
            // Wrong, locked, without a password, or not there.
            CONSTRAINT_VIOLATION
            | NO_SUCH_OBJECT
            | INVALID_DN
            | INAPPROPRIATE_AUTHENTICATION
            | INVALID_CREDENTIALS
            | UNWILLING_TO_PERFORM => Ok(false),
            code => Err(Trouble::Server(format!(
                "it answers the login of {dn:?} by {}",
                described(code, &result)
            ))),
        }
    }

    /// Finds the entry of a user.
    async fn find(&mut self, name: &str) -> Result<Option<SearchEntry>, Trouble> {
        let Some(users) = &self.settings.users else { return Ok(None) };
        let filter = template::user_filter(&users.filter, name);
        let base = users.base.clone();
        self.search(&base, Scope::Subtree, &filter).await
    }

    /// Finds the one entry that there may be.
    async fn search(
        &mut self,
        base: &str,
        scope: Scope,
        filter: &str,
    ) -> Result<Option<SearchEntry>, Trouble> {
        let mut entries = self.entries(base, scope, filter, entry::attributes(self.settings), 2).await?;
        match entries.len() {
            0 | 1 => Ok(entries.pop()),
            _ => Err(Trouble::Entry(format!(
                "{filter} below {base:?} finds more than one entry: make it say which"
            ))),
        }
    }

    /// Searches; what lies on other servers is left there, and aliases lead nowhere.
    pub(super) async fn entries(
        &mut self,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: Vec<String>,
        most: i32,
    ) -> Result<Vec<SearchEntry>, Trouble> {
        let options = SearchOptions::new().deref(DerefAliases::Never).sizelimit(most);
        let ldap = self.connection.ldap.with_search_options(options);
        let found = ldap.search(base, scope, filter, attributes).await?;
        match found.1.rc {
            SUCCESS => Ok(found.0.into_iter().map(SearchEntry::construct).collect()),
            // A base that is not there, or not to be seen, holds nobody.
            NO_SUCH_OBJECT => Ok(Vec::new()),
            SIZE_LIMIT_EXCEEDED => Err(Trouble::Entry(format!(
                "the search for {filter} below {base:?} finds too much: narrow it"
            ))),
            code => Err(Trouble::Server(format!(
                "the search for {filter} below {base:?}: {}",
                described(code, &found.1)
            ))),
        }
    }

    /// Makes out who an entry is, and whether that user may log in.
    async fn proven(&mut self, found: &SearchEntry) -> Result<Verdict, Trouble> {
        let mut proven = entry::read(self.settings, found)?;
        let of_groups = groups::find(self, self.settings, found, &proven.name).await?;
        proven.groups = groups::named(self.settings, found, of_groups);
        let required = &self.settings.required_groups;
        let may = required.is_empty() || proven.groups.iter().any(|group| required.contains(group));
        if !may {
            tracing::info!(
                user = proven.name,
                directory = self.settings.name,
                "user is in none of the groups that may log in"
            );
        }
        Ok(if may { Verdict::Right(proven) } else { Verdict::Wrong })
    }
}

/// What a server says of a failure.
fn described(code: u32, result: &LdapResult) -> String {
    format!("code {code} {}", crate::name::printable(&result.text, 200))
}

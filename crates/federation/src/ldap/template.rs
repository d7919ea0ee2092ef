//! Names in filters and distinguished names.

use berth_access::federation::Ldap;
use ldap3::{dn_escape, ldap_escape, parse_filter};

use crate::error::SettingsError;

/// What stands for the name that somebody gave.
const NAME: &str = "{name}";
/// What stands for the distinguished name of the user's entry.
const DN: &str = "{dn}";

/// Puts a name into the filter that finds a user. Nothing in it can change the filter (RFC 4515 section 3).
pub(super) fn user_filter(template: &str, name: &str) -> String {
    template.replace(NAME, &ldap_escape(name))
}

/// Puts name and entry of a user into the filter that finds groups.
pub(super) fn group_filter(template: &str, name: &str, dn: &str) -> String {
    // One at a time, split first: what is put in must not be taken for a template.
    let with_name = |part: &str| part.replace(NAME, &ldap_escape(name));
    template.split(DN).map(with_name).collect::<Vec<_>>().join(&ldap_escape(dn))
}

/// Makes what a user binds as; `None` for a name that can't be in it.
pub(super) fn user_dn(template: &str, name: &str) -> Option<String> {
    if is_dn(template) {
        // RFC 4514 section 2.4.
        return Some(template.replace(NAME, &dn_escape(name)));
    }
    // `NAME@example.com` and `DOMAIN\NAME` know no escaping.
    let is_plain = name.chars().all(|char| char.is_alphanumeric() || "._-".contains(char));
    is_plain.then(|| template.replace(NAME, name))
}

/// Tells whether a template makes distinguished names.
pub(super) fn is_dn(template: &str) -> bool {
    template.contains('=')
}

/// Refuses what could find nobody, or anybody.
pub(super) fn check(part: &str, settings: &Ldap) -> Result<(), SettingsError> {
    let wrong = |problem: String| Err(SettingsError::new(part, problem));
    if settings.name.is_empty()
        || !settings.name.chars().all(|char| char.is_ascii_alphanumeric() || char == '-')
    {
        return wrong("give it a name of letters, digits and -".to_owned());
    }
    if settings.user_dn.as_ref().is_some_and(|template| !template.contains(NAME)) {
        return wrong(format!("user_dn must contain {NAME}, else everybody is the same user"));
    }
    if let Some(users) = &settings.users {
        if !users.filter.contains(NAME) {
            return wrong(format!("users.filter must contain {NAME}, else it finds everybody"));
        }
        if parse_filter(user_filter(&users.filter, "x")).is_err() {
            return wrong(format!(
                "users.filter {:?} is no filter; write one like (uid={NAME})",
                users.filter
            ));
        }
    } else if !settings.user_dn.as_deref().is_some_and(is_dn) {
        return wrong("say by users.base and users.filter how a user is found".to_owned());
    }
    if let Some(groups) = &settings.groups {
        if !groups.filter.contains(DN) && !groups.filter.contains(NAME) {
            return wrong(format!(
                "groups.filter must contain {DN} or {NAME}, else everybody is in every group"
            ));
        }
        if parse_filter(group_filter(&groups.filter, "x", "cn=x")).is_err() {
            return wrong(format!(
                "groups.filter {:?} is no filter; write one like (member={DN})",
                groups.filter
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

//! What an entry says of a user.

use std::fmt::Write as _;

use berth_access::federation::{Ldap as Settings, Proven, Source};
use berth_access::user_name_problem;
use ldap3::SearchEntry;

use super::Trouble;
use crate::name;

/// Longest display name or address that is kept.
const MOST: usize = 200;

/// Lists the attributes to ask for.
pub(super) fn attributes(settings: &Settings) -> Vec<String> {
    let wanted = &settings.attributes;
    let all = [&wanted.name, &wanted.display, &wanted.email, &wanted.id, &wanted.member_of];
    all.into_iter().filter(|name| !name.is_empty()).cloned().collect()
}

/// Makes out who an entry is, but for the groups.
pub(super) fn read(settings: &Settings, entry: &SearchEntry) -> Result<Proven, Trouble> {
    let wanted = &settings.attributes;
    let Some(user) = first(entry, &wanted.name) else {
        return Err(Trouble::Entry(format!(
            "{} has no {}: name another in attributes.name",
            entry.dn, wanted.name
        )));
    };
    // A directory does not tell Alice from alice, so neither may we.
    let user = user.to_lowercase();
    if let Some(problem) = user_name_problem(&user) {
        return Err(Trouble::Entry(format!("the {} of {} {problem}", wanted.name, entry.dn)));
    }
    let id = if wanted.id.is_empty() {
        entry.dn.to_lowercase()
    } else {
        id(entry, &wanted.id).ok_or_else(|| {
            Trouble::Entry(format!("{} has no {}: name another in attributes.id", entry.dn, wanted.id))
        })?
    };
    let shown = |attribute: &str| first(entry, attribute).map(|text| name::printable(text, MOST));
    Ok(Proven {
        source: Source::Ldap,
        external: format!("{} {id}", settings.name),
        name: user,
        groups: Vec::new(),
        display: shown(&wanted.display),
        email: shown(&wanted.email),
    })
}

/// Returns an attribute's values. Its name is one in any case.
pub(super) fn values<'a>(entry: &'a SearchEntry, attribute: &str) -> &'a [String] {
    let found = entry.attrs.iter().find(|(name, _)| name.eq_ignore_ascii_case(attribute));
    found.map_or(&[], |(_, values)| values)
}

fn first<'a>(entry: &'a SearchEntry, attribute: &str) -> Option<&'a str> {
    values(entry, attribute).first().map(String::as_str).filter(|value| !value.is_empty())
}

/// Returns a value that may be bytes, which are written in hex.
fn id(entry: &SearchEntry, attribute: &str) -> Option<String> {
    let bytes = entry.bin_attrs.iter().find(|(name, _)| name.eq_ignore_ascii_case(attribute));
    match bytes.and_then(|(_, values)| values.first()) {
        Some(bytes) => Some(bytes.iter().fold(String::new(), |mut hex, byte| {
            // Writing to a text can't fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })),
        None => first(entry, attribute).map(str::to_owned),
    }
}

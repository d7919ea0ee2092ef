//! The groups that a user is in.

use std::collections::BTreeSet;

use berth_access::federation::{GroupNames, GroupSearch, Ldap as Settings};
use ldap3::{Scope, SearchEntry};

use super::session::Session;
use super::{Trouble, entry, template};

/// Most groups that a user is in: more would make every decision slow.
const MOST: usize = 1_000;
/// How far groups in groups are followed.
const DEPTH: usize = 10;

/// Finds the groups that list a user as a member, by the search of the configuration; returns their names.
pub(super) async fn find(
    session: &mut Session<'_>,
    settings: &Settings,
    user: &SearchEntry,
    name: &str,
) -> Result<BTreeSet<String>, Trouble> {
    let mut names = BTreeSet::new();
    let Some(search) = &settings.groups else { return Ok(names) };
    let mut seen = BTreeSet::new();
    let mut around = vec![template::group_filter(&search.filter, name, &user.dn)];
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for filter in around {
            for group in groups_of(session, search, &filter).await? {
                if !seen.insert(group.dn.to_lowercase()) {
                    continue;
                }
                if seen.len() > MOST {
                    return Err(Trouble::Entry(format!(
                        "{} is in more than {MOST} groups: narrow the search",
                        user.dn
                    )));
                }
                names.extend(entry::values(&group, &search.name).first().cloned());
                next.push(template::group_filter(&search.filter, "", &group.dn));
            }
        }
        if !search.nested || next.is_empty() {
            break;
        }
        around = next;
    }
    Ok(names)
}

async fn groups_of(
    session: &mut Session<'_>,
    search: &GroupSearch,
    filter: &str,
) -> Result<Vec<SearchEntry>, Trouble> {
    let most = i32::try_from(MOST).unwrap_or(i32::MAX);
    session.entries(&search.base, Scope::Subtree, filter, vec![search.name.clone()], most).await
}

/// Puts what a search found beside what the user's entry says, by the names that roles use.
pub(super) fn named(settings: &Settings, user: &SearchEntry, found: BTreeSet<String>) -> Vec<String> {
    let of_entry =
        entry::values(user, &settings.attributes.member_of).iter().take(MOST).filter_map(|dn| match settings
            .group_names
        {
            GroupNames::Whole => Some(dn.to_lowercase()),
            GroupNames::First => first_value(dn),
        });
    let all: BTreeSet<String> = found.into_iter().chain(of_entry).collect();
    let clean = all.into_iter().filter(|name| !name.is_empty() && !name.chars().any(char::is_control));
    clean.map(|name| format!("{}{name}", settings.group_prefix)).collect()
}

/// Returns the value of the first part of a distinguished name (RFC 4514), without its escapes.
fn first_value(dn: &str) -> Option<String> {
    let (_, rest) = dn.split_once('=')?;
    let mut bytes = Vec::new();
    let mut rest = rest.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b',' | b'+' => break,
            b'\\' => {
                let first = rest.next()?;
                let second = rest.clone().next();
                let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                match (hex(first), second.and_then(hex)) {
                    (Some(high), Some(low)) => {
                        rest.next();
                        bytes.push(high << 4 | low);
                    }
                    _ => bytes.push(first),
                }
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok().map(|value| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::first_value;

    #[test]
    fn a_group_is_called_by_the_first_value_of_its_name() {
        for (dn, expected) in [
            ("cn=builders,ou=groups,dc=example,dc=com", "builders"),
            ("CN=Domain Users,CN=Users,DC=example", "Domain Users"),
            ("cn=a\\,b,ou=groups", "a,b"),
            ("cn=a\\2cb,ou=groups", "a,b"),
            ("cn=\\e6\\9d\\8e,ou=groups", "李"),
            ("cn=a=b,ou=groups", "a=b"),
            ("cn=a+uid=b,ou=groups", "a"),
            ("cn=x\\\\,ou=groups", "x\\"),
        ] {
            assert_eq!(first_value(dn).as_deref(), Some(expected), "{dn}");
        }
        assert_eq!(first_value("nonsense"), None);
        assert_eq!(first_value("cn=x\\"), None);
    }
}

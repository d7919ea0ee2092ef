//! Warns at a start of accounts that can't log in because a user of the configuration has their name.

use super::Stored;
use crate::policy::Rules;

/// Says at a start which accounts can't log in, because the configuration has given their names to others.
pub(super) fn warn(rules: &Rules, stored: &Stored) {
    for account in stored.accounts.iter().filter(|one| rules.users.contains_key(one.name.as_str())) {
        tracing::warn!(
            user = account.name,
            "an account of the catalog has the name of a user in access.users: it can't log in; rename the user there, or delete \
             the account"
        );
    }
}

//! What a sealed value belongs to. One name per sealed column, with what names its row for good: ids differ after a restore.

/// The private half of a key that tokens are signed with, by its `kid`.
pub fn signing_key(kid: &str) -> String {
    format!("signing_key/{kid}")
}

/// A secret of the configuration, by its name.
pub fn secret(name: &str) -> String {
    format!("secret/{name}")
}

/// The secret of an account's second factor, by the account's name.
pub fn totp(account: &str) -> String {
    format!("account/{account}/totp")
}

/// The secret of a second factor that waits for its first code, by the account's name.
pub fn enrolment(account: &str) -> String {
    format!("account/{account}/enrolment")
}

/// The key to what the logs say of a person, by the pseudonym and by the name that it stands for, so that nobody can give one person
/// another's name.
pub fn subject(pseudonym: &str, name: &str) -> String {
    format!("subject/{pseudonym}/{name}")
}

//! The second factor: codes of an authenticator (RFC 6238: SHA-1, six digits, thirty seconds, as all of them know).

use std::fmt;

use berth_catalog::account::{self, Account, Source};
use berth_catalog::event::Author;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use totp_rs::{Builder, Totp};

use super::admin::tell_account;
use super::{Accounts, Error};

const SECRET_BYTES: usize = 20;

/// Seals what the catalog keeps, so that who has the catalog alone can't read it.
pub trait Sealer: Send + Sync {
    /// Seals a secret for one place, which `context` names.
    fn seal(&self, context: &str, secret: &[u8]) -> Result<Vec<u8>, String>;

    /// Opens what was sealed for that place.
    fn open(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, String>;
}

/// A second factor that is not in use before a code of it is given.
#[derive(Clone)]
pub struct Enrolment(pub(super) Totp);

impl Enrolment {
    /// Makes one up.
    pub fn generate() -> Result<Self, Error> {
        let mut secret = [0; SECRET_BYTES];
        getrandom::fill(&mut secret)?;
        totp(&secret).map(Self)
    }

    /// Takes one from its secret in base 32, as an authenticator was given it.
    #[cfg(any(test, feature = "testing"))]
    pub fn from_base32(text: &str) -> Result<Self, Error> {
        let wrong = || Error::Factor("the secret is not the one that was shown");
        totp(totp_rs::Secret::try_from_base32(text.trim()).map_err(|_| wrong())?.as_bytes()).map(Self)
    }

    /// The secret in base 32, to be typed in.
    pub fn to_base32(&self) -> String {
        self.0.secret().to_base32()
    }

    /// The address that authenticators read, for a code to scan.
    pub fn to_uri(&self, issuer: &str, user: &str) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let (issuer, user) = (encoded(issuer), encoded(user));
        format!("otpauth://totp/{issuer}:{user}?secret={}&issuer={issuer}", self.to_base32())
    }

    /// The code of a moment.
    #[cfg(any(test, feature = "testing"))]
    pub fn code_at(&self, unix_seconds: i64) -> String {
        self.0.generate(u64::try_from(unix_seconds).unwrap_or_default()).to_string()
    }

    /// The step in which a code is right: this one, or the one before or behind it; none if it is wrong.
    fn step_of(&self, code: &str, unix_seconds: i64) -> Option<i64> {
        let code: String = code.chars().filter(|char| !char.is_whitespace()).collect();
        let step = self.0.check(&code, u64::try_from(unix_seconds).ok()?)?;
        i64::try_from(step).ok()
    }
}

impl fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Enrolment(..)")
    }
}

pub(super) fn totp(secret: &[u8]) -> Result<Totp, Error> {
    let built = Builder::new().with_secret(secret).build();
    built.map_err(|_| Error::Factor("the secret of the second factor is damaged"))
}

/// The place of an account's secret: no other account's is opened for it.
fn context(account: &Account) -> String {
    berth_vault::context::totp(&account.name)
}

impl Accounts {
    pub(super) fn sealer(&self) -> Result<&dyn Sealer, Error> {
        self.0.sealer.as_deref().ok_or_else(|| Error::Seal("this process has no key for them".to_owned()))
    }

    /// Begins to ask an account for a second factor, once a code of it was given. What was proved without it ends.
    ///
    /// # Errors
    /// [`Error::Code`] for a wrong code; [`Error::Seal`] where there is no key to seal its secret with.
    pub async fn enable_totp(
        &self,
        name: &str,
        enrolment: &Enrolment,
        code: &str,
        by: &Author,
    ) -> Result<(), Error> {
        let (account, now) = (self.user(name).await?, self.now());
        if account.source != Source::Local {
            return Err(Error::Elsewhere(account.name));
        }
        if account.totp.is_some() {
            return Err(Error::Factor("there is a second factor; disable it first"));
        }
        let step = enrolment.step_of(code, now.as_second()).ok_or(Error::Code)?;
        let sealed =
            self.sealer()?.seal(&context(&account), enrolment.0.secret().as_bytes()).map_err(Error::Seal)?;
        let by = by.clone();
        self.change(async move |tx| {
            account::set_totp(tx, account.id, Some(&sealed), Some(step), now).await?;
            let whose = (account.id, account.name.as_str());
            Ok(tell_account(tx, whose, "second factor enabled", &by, now).await?)
        })
        .await
    }

    /// Asks an account for no second factor any more. What was proved with it ends.
    pub async fn disable_totp(&self, name: &str, by: &Author) -> Result<(), Error> {
        let unit = async |tx: &mut _, id, now| account::set_totp(tx, id, None, None, now).await;
        self.on(name, "second factor disabled", by, unit).await
    }

    /// Tells whether a code is right, and uses it up.
    pub(super) async fn use_code(&self, account: &Account, code: &str) -> Result<bool, Error> {
        let Some(sealed) = &account.totp else { return Ok(false) };
        let secret = self.sealer()?.open(&context(account), sealed).map_err(Error::Seal)?;
        let Some(step) = Enrolment(totp(&secret)?).step_of(code, self.now().as_second()) else {
            return Ok(false);
        };
        let id = account.id;
        Ok(self.0.catalog.write(async move |tx| account::use_totp_step(tx, id, step).await).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_rfc() {
        // RFC 6238 appendix B, the last six of its eight digits.
        let enrolment = Enrolment(totp(b"12345678901234567890").unwrap());
        for (at, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
        {
            assert_eq!(enrolment.step_of(code, at), Some(at / 30), "{at}");
            assert_eq!(enrolment.step_of(code, at + 30), Some(at / 30), "a step late");
            assert_eq!(enrolment.step_of(code, at + 90), None, "too late");
        }
        assert_eq!(enrolment.step_of("287 082", 59), Some(1));
        assert_eq!(enrolment.step_of("", 59), None);
    }

    #[test]
    fn an_authenticator_reads_what_is_shown() {
        let enrolment = Enrolment::generate().unwrap();
        let again = Enrolment::from_base32(&enrolment.to_base32()).unwrap();
        assert_eq!(again.to_base32(), enrolment.to_base32());
        let uri = enrolment.to_uri("registry.example", "a b@c");
        assert!(uri.starts_with("otpauth://totp/registry%2Eexample:a%20b%40c?secret="), "{uri}");
        assert!(Enrolment::from_base32("!").is_err());
        assert!(!format!("{enrolment:?}").contains(&enrolment.to_base32()));
    }
}

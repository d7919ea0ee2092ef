//! What the catalog keeps of passwords: argon2id, or what Harbor left, until its first use.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2::{self, Algorithm, PBKDF2_HMAC_SHA1, PBKDF2_HMAC_SHA256};

use crate::password::{self, PasswordHash};

/// How Harbor's hashes begin in the catalog.
pub(crate) const HARBOR: &str = "$harbor-";
/// Bytes that Harbor keeps of each.
const LENGTH: usize = 16;

/// A way in which Harbor hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Sha1,
    Sha256,
    Pbkdf2Sha256,
}

impl Version {
    const ALL: [Self; 3] = [Self::Sha1, Self::Sha256, Self::Pbkdf2Sha256];

    /// The word for it, Harbor's and ours.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Pbkdf2Sha256 => "pbkdf2_sha256",
        }
    }

    /// Rounds of PBKDF2.
    pub(crate) const fn rounds(self) -> u32 {
        match self {
            Self::Sha1 | Self::Sha256 => 4096,
            Self::Pbkdf2Sha256 => 600_000,
        }
    }

    fn algorithm(self) -> Algorithm {
        match self {
            Self::Sha1 => PBKDF2_HMAC_SHA1,
            Self::Sha256 | Self::Pbkdf2Sha256 => PBKDF2_HMAC_SHA256,
        }
    }
}

impl std::str::FromStr for Version {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|version| version.as_str() == text).ok_or(())
    }
}

/// A hash that Harbor made: `hex(PBKDF2(password, salt, rounds, 16 bytes))`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Harbor {
    version: Version,
    salt: String,
    hash: [u8; LENGTH],
}

impl Harbor {
    /// Takes it as Harbor's database holds it; `None` for what no such hash is.
    pub(crate) fn new(version: Version, salt: &str, hex: &str) -> Option<Self> {
        let mut hash = [0; LENGTH];
        hex::decode_to_slice(hex, &mut hash).ok()?;
        let is_salt =
            (1..=256).contains(&salt.len()) && !salt.contains('$') && !salt.chars().any(char::is_control);
        is_salt.then(|| Self { version, salt: salt.to_owned(), hash })
    }

    /// Reads `$harbor-VERSION$SALT$HEX`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(HARBOR)?.split('$');
        let (version, salt, hex) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
        parts.next().is_none().then(|| Self::new(version, salt, hex)).flatten()
    }

    /// Writes it so.
    pub(crate) fn to_text(&self) -> String {
        format!("{HARBOR}{}${}${}", self.version.as_str(), self.salt, hex::encode(self.hash))
    }

    pub(crate) fn rounds(&self) -> u32 {
        self.version.rounds()
    }

    /// Tells whether a password matches, in a time that does not tell how far it does.
    pub(crate) fn verify(&self, password: &[u8]) -> bool {
        let rounds = NonZeroU32::new(self.rounds()).unwrap_or(NonZeroU32::MIN);
        pbkdf2::verify(self.version.algorithm(), rounds, self.salt.as_bytes(), password, &self.hash).is_ok()
    }
}

/// Takes the time that so many rounds take.
pub(crate) fn burn(rounds: u32, password: &[u8]) {
    if let Some(rounds) = NonZeroU32::new(rounds) {
        let mut out = [0; LENGTH];
        pbkdf2::derive(PBKDF2_HMAC_SHA256, rounds, b"no salt of anybody", password, &mut out);
        std::hint::black_box(out);
    }
}

/// What a password is compared with.
pub(crate) enum Stored {
    Argon2(Box<argon2::PasswordHash>),
    Harbor(Harbor),
}

impl Stored {
    /// Reads what the catalog holds; `None` for what can't be read, which no password matches.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.starts_with(HARBOR) {
            return Harbor::parse(text).map(Self::Harbor);
        }
        text.parse::<PasswordHash>().ok()?.parsed().ok().map(Box::new).map(Self::Argon2)
    }

    pub(crate) fn is_harbor(&self) -> bool {
        matches!(self, Self::Harbor(_))
    }
}

/// What an unknown name's password is compared with: the cost of a hash of ours, and nothing matches it.
const DECOY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlz$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What checking a password cost, which must not tell who has an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// argon2 hashes.
    pub(crate) argon2: u64,
    /// Rounds of PBKDF2.
    pub(crate) rounds: u64,
}

/// Tells whether a password matches, and what that cost. What does not match costs the same whatever it was compared with: one hash of
/// ours, and while hashes of Harbor's wait for their first use (`harbor_waits`), the dearest of those. Takes long: never call it on a
/// runtime thread.
pub(crate) fn check(stored: Option<&Stored>, password: &[u8], harbor_waits: bool) -> (bool, Cost) {
    let dearest = Version::Pbkdf2Sha256.rounds();
    match stored {
        Some(Stored::Harbor(harbor)) => {
            let mut cost = Cost { argon2: 0, rounds: harbor.rounds().into() };
            let matches = harbor.verify(password);
            if !matches {
                verify_decoy(password);
                burn(dearest - harbor.rounds(), password);
                cost = Cost { argon2: 1, rounds: dearest.into() };
            }
            (matches, cost)
        }
        other => {
            let matches = match other {
                Some(Stored::Argon2(hash)) => password::verify(password, hash),
                _ => verify_decoy(password),
            };
            let rounds = if !matches && harbor_waits { dearest } else { 0 };
            burn(rounds, password);
            (matches, Cost { argon2: 1, rounds: rounds.into() })
        }
    }
}

/// Never matches.
fn verify_decoy(password: &[u8]) -> bool {
    if let Some(Stored::Argon2(hash)) = Stored::parse(DECOY) {
        std::hint::black_box(password::verify(password, &hash));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `python3 -c "import hashlib; print(hashlib.pbkdf2_hmac(ALGORITHM, b'Harbor12345', SALT, ROUNDS, 16).hex())"`.
    const KNOWN: [(Version, &str, &str); 3] = [
        (Version::Sha1, "lAyzlqJcZ8xuFqQB", "a4e08cdff8dd0568e41dbbd85a060c2e"),
        (Version::Sha256, "lAyzlqJcZ8xuFqQB", "985671341e0ae1c16da5dde0775c5536"),
        (Version::Pbkdf2Sha256, "lAyzlqJcZ8xuFqQB", "698bed4ae80eec67cd8ae40da8fe17d9"),
    ];

    #[test]
    fn hashes_of_harbor_match_their_passwords_and_no_others() {
        for (version, salt, hex) in KNOWN {
            let harbor = Harbor::new(version, salt, hex).unwrap();
            assert!(harbor.verify(b"Harbor12345"), "{version:?}");
            assert!(!harbor.verify(b"harbor12345") && !harbor.verify(b""), "{version:?}");
            assert!(Harbor::parse(&harbor.to_text()) == Some(harbor), "{version:?}");
        }
    }

    #[test]
    fn what_is_no_hash_is_not_read() {
        let (_, salt, hex) = KNOWN[1];
        for wrong in [
            "$harbor-md5$salt$00".to_owned(),
            format!("$harbor-sha256${salt}"),
            format!("$harbor-sha256${salt}${}", &hex[2..]),
            format!("$harbor-sha256${salt}${hex}$"),
            format!("$harbor-sha256$${hex}"),
            format!("sha256${salt}${hex}"),
        ] {
            assert!(Harbor::parse(&wrong).is_none() && Stored::parse(&wrong).is_none(), "{wrong}");
        }
        assert!(Harbor::new(Version::Sha1, "a$b", hex).is_none());
        assert!(Stored::parse(DECOY).is_some());
    }

    #[test]
    fn what_does_not_match_costs_the_same_whatever_it_is_compared_with() {
        let ours = crate::hash_password("right").unwrap();
        let ours = Stored::parse(ours.as_str()).unwrap();
        let alone = [None, Some(&ours)].map(|stored| check(stored, b"wrong", false));
        assert_eq!(alone, [(false, Cost { argon2: 1, rounds: 0 }); 2]);
        let theirs =
            KNOWN.map(|(version, salt, hex)| Stored::Harbor(Harbor::new(version, salt, hex).unwrap()));
        for stored in [None, Some(&ours)].into_iter().chain(theirs.iter().map(Some)) {
            assert_eq!(check(stored, b"wrong", true), (false, Cost { argon2: 1, rounds: 600_000 }));
        }
        assert!(check(Some(&ours), b"right", true).0);
    }
}

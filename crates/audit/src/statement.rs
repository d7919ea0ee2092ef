//! What is said, signed, of records that left the trail: where they went. Nothing else excuses that they are not there.

use berth_catalog::trail::Hash;
use berth_catalog::trail::archived::Archived;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::archive;
use crate::error::{Error, Result};
use crate::keys::{PublicKey, SigningKeys};

/// Signs that the records from `first` to `last`, which has the hash `hash`, lie in a file.
pub(crate) fn sign(
    (first, last): (i64, i64),
    hash: Hash,
    file: &[u8],
    at: Timestamp,
    keys: &SigningKeys,
) -> Result<Archived> {
    let mut archived = Archived {
        first,
        last,
        hash,
        file: archive::name(first, last),
        sha256: Hash(Sha256::digest(file).into()),
        at,
        kid: String::new(),
        signature: Vec::new(),
    };
    let signed = keys.sign(message(&archived).as_bytes());
    let (key, signature) = signed.ok_or_else(|| Error::Key("there is none".to_owned()))?;
    (archived.kid, archived.signature) = (key.kid(), signature);
    Ok(archived)
}

/// Tells whether the one of `keys` that a statement names signed it.
pub(crate) fn is_signed(archived: &Archived, keys: &[PublicKey]) -> bool {
    let message = message(archived);
    let mut named = keys.iter().filter(|key| key.kid() == archived.kid);
    named.any(|key| key.verifies(message.as_bytes(), &archived.signature))
}

/// What is signed: readable, and like nothing else that a key of Berth signs.
fn message(archived: &Archived) -> String {
    let Archived { first, last, hash, file, sha256, at, .. } = archived;
    format!(
        "berth audit archived 1\nfirst {first}\nlast {last}\nhash {hash}\nfile {file}\nsha256 {sha256}\nat {}\n",
        at.as_microsecond()
    )
}

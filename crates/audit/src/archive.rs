//! Records that left the trail: JSON lines, compressed and signed, each file a stretch of the chain.
//!
//! ```text
//! {"berth_audit_archive":1,"first":1,"last":9000,"before":"00…","hash":"5f…"}
//! {"position":1,"hash":"a3…","record":{…}}
//! …
//! {"kid":"…","public_key":"…","signature":"…"}
//! ```
//!
//! The last line signs all before it. What is personal is in there only as it was sealed, so an archive forgets with the trail.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_catalog::trail::{Entry, Hash, Record};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::keys::{PublicKey, SigningKeys};

/// Largest archive that is read, unpacked: many times what Berth writes.
const LARGEST_BYTES: u64 = 1 << 30;

/// A stretch of the chain.
#[derive(Debug, Clone)]
pub struct Archive {
    /// Hash of the record before the first.
    pub before: Hash,
    /// The records, in order.
    pub records: Vec<Record>,
    /// Who signed, if the signature is right.
    pub signed_by: PublicKey,
}

#[derive(Serialize, Deserialize)]
struct Head {
    berth_audit_archive: u32,
    first: i64,
    last: i64,
    before: String,
    hash: String,
}

#[derive(Serialize, Deserialize)]
struct Line {
    position: i64,
    hash: String,
    record: Entry,
}

#[derive(Serialize, Deserialize)]
struct Seal {
    kid: String,
    public_key: String,
    signature: String,
}

/// Returns the name of the archive of the records from `first` to `last`: two nodes that part the same records differently write
/// different files, and neither replaces what the other has removed from the trail.
pub fn name(first: i64, last: i64) -> String {
    format!("audit-{first:020}-{last:020}.jsonl.gz")
}

/// Tells whether a file has the name of an archive.
pub fn is_name(name: &str) -> bool {
    name.starts_with("audit-") && name.ends_with(".jsonl.gz")
}

/// Writes records, which follow one whose hash is `before`.
///
/// # Errors
/// There are none, or there is no key to sign with.
pub(crate) fn write(records: &[Record], before: &Hash, keys: &SigningKeys) -> Result<Vec<u8>> {
    let (Some(first), Some(last)) = (records.first(), records.last()) else {
        return Err(Error::file("archive", "no records"));
    };
    let mut text = Vec::new();
    push(
        &mut text,
        &Head {
            berth_audit_archive: 1,
            first: first.position,
            last: last.position,
            before: before.to_string(),
            hash: last.hash.to_string(),
        },
    )?;
    for Record { position, entry, hash } in records {
        let mut record = entry.clone();
        if record.personal.is_some() {
            (record.client, record.agent) = (None, None);
        }
        push(&mut text, &Line { position: *position, hash: hash.to_string(), record })?;
    }
    let signed = keys.sign(&message(&text)).ok_or_else(|| Error::Key("there is none".to_owned()))?;
    let (key, signature) = signed;
    let seal = Seal { kid: key.kid(), public_key: key.to_string(), signature: STANDARD.encode(signature) };
    push(&mut text, &seal)?;
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&text)?;
    Ok(packed.finish()?)
}

fn push(text: &mut Vec<u8>, line: &impl Serialize) -> Result<()> {
    serde_json::to_writer(&mut *text, line).map_err(|error| Error::file("archive", &error))?;
    text.push(b'\n');
    Ok(())
}

/// What is signed of an archive.
fn message(text: &[u8]) -> Vec<u8> {
    format!("berth audit archive 1\nsha256 {}\n", hex::encode(Sha256::digest(text))).into_bytes()
}

/// Reads an archive and checks its signature; whether the signer is to be trusted, and the chain, is for the caller to check.
///
/// # Errors
/// It is no archive, or was changed.
pub fn read(name: &str, packed: &[u8]) -> Result<Archive> {
    let bad = |problem: &str| Error::file(name, problem);
    let mut text = Vec::new();
    GzDecoder::new(packed)
        .take(LARGEST_BYTES)
        .read_to_end(&mut text)
        .map_err(|error| bad(&format!("can't be unpacked: {error}")))?;
    let body_end = text
        .strip_suffix(b"\n")
        .and_then(|text| text.iter().rposition(|byte| *byte == b'\n'))
        .ok_or_else(|| bad("is cut short"))?;
    let (body, last) = text.split_at(body_end + 1);
    let seal: Seal = serde_json::from_slice(last).map_err(|_| bad("has no signature at its end"))?;
    let key: PublicKey = seal.public_key.parse().map_err(bad)?;
    let signature = STANDARD.decode(&seal.signature).map_err(|_| bad("has a malformed signature"))?;
    if !key.verifies(&message(body), &signature) {
        return Err(bad("is not what was signed"));
    }
    let mut lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let head: Head = lines
        .next()
        .and_then(|line| serde_json::from_slice(line).ok())
        .filter(|head: &Head| head.berth_audit_archive == 1)
        .ok_or_else(|| bad("has no head that this version knows"))?;
    let before = Hash::from_hex(&head.before).ok_or_else(|| bad("has a malformed hash"))?;
    let records = lines
        .map(|line| {
            let line: Line = serde_json::from_slice(line).ok()?;
            Some(Record { position: line.position, entry: line.record, hash: Hash::from_hex(&line.hash)? })
        })
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| bad("has a malformed record"))?;
    Ok(Archive { before, records, signed_by: key })
}

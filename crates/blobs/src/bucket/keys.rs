//! Makes every key of the bucket, and nobody else does.
//!
//! ```text
//! <prefix>/
//!   identity                          the store's name, as its catalog notes it
//!   uploads/<upload id>/
//!     head                            the attempts of an upload, and its states
//!     <offset>.<fingerprint>          a state: what a node needs to go on from these bytes
//!   blobs/
//!     ab/                             first two digits of the upload's identifier
//!       <upload id>                   a published blob that came in one request
//!       <upload id>.<attempt>         one that came in parts, or after another attempt
//! ```
//!
//! A location is the key below the prefix. Bytes are written where they stay: nothing is copied at a commit.
//!
//! Two nodes may write one upload at once, and only one of them gets its bytes into the catalog. So that the other can't
//! change what the catalog relies on, a state is named after what was hashed, and each attempt has a key of its own: the
//! first key, without a number, is only written where nothing lies.

use berth_oci::{Algorithm, Digest};
use object_store::path::Path;
use uuid::Uuid;

use super::config::BucketConfig;
use crate::{Error, Location, Progress, Result, UploadId};

const BLOBS: &str = "blobs/";
const UPLOADS: &str = "uploads/";
/// Digits that tell attempts of one upload apart.
const ATTEMPT_DIGITS: usize = 12;
/// Digits of a fingerprint: 128 bits.
const FINGERPRINT_DIGITS: usize = 32;

/// Knows the prefix.
#[derive(Debug)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(config: &BucketConfig) -> Self {
        let prefix = if config.prefix.is_empty() { String::new() } else { format!("{}/", config.prefix) };
        Self { prefix }
    }

    pub(super) fn identity(&self) -> Path {
        self.path("identity")
    }

    pub(super) fn head(&self, upload: &UploadId) -> Path {
        self.path(&format!("{UPLOADS}{upload}/head"))
    }

    pub(super) fn state(&self, upload: &UploadId, name: &str) -> Path {
        self.path(&format!("{UPLOADS}{upload}/{name}"))
    }

    /// Returns the key of an object that another program named.
    pub(super) fn object(&self, name: &str) -> Path {
        self.path(name)
    }

    /// Returns the key of a location that was made here or checked before.
    pub(super) fn blob(&self, location: &Location) -> Path {
        self.path(location.as_str())
    }

    /// Returns the key of a location.
    ///
    /// # Errors
    /// [`Error::InvalidLocation`] unless it has the exact shape that this module makes.
    pub(super) fn checked_blob(&self, location: &Location) -> Result<Path> {
        if is_location(location.as_str()) {
            return Ok(self.blob(location));
        }
        Err(Error::InvalidLocation(location.as_str().chars().take(256).collect()))
    }

    /// Returns the prefix of all blobs, as text.
    pub(super) fn blobs(&self) -> String {
        format!("{}{BLOBS}", self.prefix)
    }

    /// Returns the prefix of what uploads keep, as text.
    pub(super) fn uploads(&self) -> String {
        format!("{}{UPLOADS}", self.prefix)
    }

    /// Returns the prefix of what one upload keeps, as text.
    pub(super) fn upload_prefix(&self, upload: &UploadId) -> String {
        format!("{}{UPLOADS}{upload}/", self.prefix)
    }

    /// Returns a key that comes behind all that one upload keeps, and before the next one's.
    pub(super) fn behind_upload(&self, upload: &UploadId) -> Path {
        // The character after the slash.
        self.path(&format!("{UPLOADS}{upload}0"))
    }

    /// Returns the upload that keeps an object; `None` for one that the store didn't make.
    pub(super) fn upload(&self, key: &Path) -> Option<UploadId> {
        let (upload, _) = key.as_ref().strip_prefix(&self.prefix)?.strip_prefix(UPLOADS)?.split_once('/')?;
        upload.parse().ok()
    }

    /// Reads the key of a blob; `None` for one that the store didn't make.
    pub(super) fn location(&self, key: &Path) -> Option<Location> {
        let text = key.as_ref().strip_prefix(&self.prefix)?;
        is_location(text).then(|| Location::from(text))
    }

    fn path(&self, below: &str) -> Path {
        Path::from(format!("{}{below}", self.prefix))
    }
}

/// Returns where an upload that comes in one request goes.
pub(super) fn first_location(upload: &UploadId) -> Location {
    let id = upload.to_string();
    Location::from(format!("{BLOBS}{}/{id}", id.get(..2).unwrap_or_default()))
}

/// Returns a place that no other attempt has.
pub(super) fn new_location(upload: &UploadId) -> Location {
    let random = Uuid::new_v4().simple().to_string();
    let first = first_location(upload);
    Location::from(format!("{first}.{}", random.get(..ATTEMPT_DIGITS).unwrap_or_default()))
}

/// Returns the name of the state of an upload at a progress: the same bytes, the same name.
pub(super) fn state_name(progress: &Progress) -> String {
    let hash = Digest::of(Algorithm::Sha256, &progress.hasher.save()).hex();
    format!("{}.{}", progress.offset, hash.get(..FINGERPRINT_DIGITS).unwrap_or_default())
}

/// Returns the upload that brought what lies at a location.
pub(super) fn upload_of(location: &Location) -> Option<UploadId> {
    parse(location.as_str())
}

fn is_location(text: &str) -> bool {
    parse(text).is_some()
}

/// Reads `blobs/ab/<upload id>` or `blobs/ab/<upload id>.<attempt>`.
fn parse(text: &str) -> Option<UploadId> {
    let (fan_out, name) = text.strip_prefix(BLOBS)?.split_once('/')?;
    let (upload, attempt) = name.split_once('.').map_or((name, None), |(upload, rest)| (upload, Some(rest)));
    let digits = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_attempt = |attempt: &str| attempt.len() == ATTEMPT_DIGITS && digits(attempt);
    (upload.get(..2) == Some(fan_out) && attempt.is_none_or(is_attempt)).then(|| upload.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_stay_among_the_blobs() {
        let keys = Keys::new(&BucketConfig::new("s3://name/some/prefix").unwrap());
        let upload = UploadId::random();
        for good in [first_location(&upload), new_location(&upload)] {
            let key = keys.checked_blob(&good).unwrap();
            assert_eq!(key.as_ref(), format!("some/prefix/{good}"));
            assert_eq!(upload_of(&good), Some(upload));
            assert_eq!(keys.location(&key), Some(good));
        }
        assert_ne!(new_location(&upload), new_location(&upload));
        let good = new_location(&upload).to_string();
        for wrong in [
            String::new(),
            "identity".to_owned(),
            good.replace("blobs/", ""),
            good.replace("blobs/", "uploads/"),
            good.replace("blobs/", "/blobs/"),
            good.replace("blobs/", "blobs/../blobs/"),
            good.replace('.', "/"),
            good.to_uppercase(),
            format!("{good}0"),
            format!("{good}/"),
            good[..good.len() - 1].to_owned(),
        ] {
            let refused = keys.checked_blob(&Location::from(wrong.clone()));
            assert!(matches!(refused, Err(Error::InvalidLocation(_))), "{wrong}");
        }
    }

    #[test]
    fn uploads_are_found_by_what_they_keep() {
        let keys = Keys::new(&BucketConfig::new("s3://name/some/prefix").unwrap());
        let upload = UploadId::random();
        for key in [keys.head(&upload), keys.state(&upload, "0.ab")] {
            assert_eq!(keys.upload(&key), Some(upload));
            assert!(
                key.as_ref().starts_with(&keys.upload_prefix(&upload)) && key < keys.behind_upload(&upload)
            );
        }
        assert!(keys.upload_prefix(&upload).starts_with(&keys.uploads()));
        for other in [keys.identity(), keys.blob(&first_location(&upload)), keys.behind_upload(&upload)] {
            assert_eq!(keys.upload(&other), None);
        }
    }

    #[test]
    fn a_state_is_named_after_what_was_hashed() {
        let mut one = Progress::start(Algorithm::Sha256);
        let empty = state_name(&one);
        one.hasher.update(b"one");
        one.offset = 3;
        let mut two = Progress::start(Algorithm::Sha256);
        two.hasher.update(b"two");
        two.offset = 3;
        assert_eq!(state_name(&one), state_name(&one.clone()));
        assert_ne!(state_name(&one), state_name(&two));
        assert_ne!(state_name(&one), empty);
    }
}

//! Makes every path of the store, and nobody else does.
//!
//! ```text
//! <root>/
//!   identity                  the store's name, as its catalog notes it
//!   uploads/
//!     <upload id>             bytes of an upload that is not published
//!     <upload id>.to          marker: symbolic link to the place the upload is, or was, published to
//!   blobs/
//!     sha256/
//!       ab/                   first two digits of the digest
//!         ab…9f.<upload id>   a published blob: its digest and the upload that brought it
//!     sha512/…
//! ```
//!
//! A location is the path below `blobs/`.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use berth_oci::{Algorithm, Digest};

use crate::{Error, Location, Result, UploadId};

const MARKER: &str = ".to";
/// Leads from `uploads/` to `blobs/`, so that a marker is a link that works.
const TO_BLOBS: &str = "../blobs/";

/// Every algorithm that has a directory, in the order of their names.
pub(super) const ALGORITHMS: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Sha512];

/// Knows the store's directories.
#[derive(Debug)]
pub(super) struct Layout {
    identity: PathBuf,
    uploads: PathBuf,
    blobs: PathBuf,
}

impl Layout {
    pub(super) fn new(root: &Path) -> Self {
        Self { identity: root.join("identity"), uploads: root.join("uploads"), blobs: root.join("blobs") }
    }

    pub(super) fn identity(&self) -> &Path {
        &self.identity
    }

    pub(super) fn uploads(&self) -> &Path {
        &self.uploads
    }

    pub(super) fn blobs(&self) -> &Path {
        &self.blobs
    }

    /// Returns the directory that holds an algorithm's fan-out directories.
    pub(super) fn algorithm(&self, algorithm: Algorithm) -> PathBuf {
        self.blobs.join(algorithm.as_str())
    }

    pub(super) fn upload(&self, upload: &UploadId) -> PathBuf {
        self.uploads.join(upload.to_string())
    }

    pub(super) fn marker(&self, upload: &UploadId) -> PathBuf {
        self.uploads.join(format!("{upload}{MARKER}"))
    }

    /// Returns a blob's path.
    ///
    /// # Errors
    /// [`Error::InvalidLocation`] unless it has the exact shape that [`location`] makes, so that no text from outside
    /// leads out of the store.
    pub(super) fn blob(&self, location: &Location) -> Result<PathBuf> {
        check(location.as_str())
            .map(|()| self.blobs.join(location.as_str()))
            .ok_or_else(|| Error::InvalidLocation(location.as_str().chars().take(256).collect()))
    }
}

/// Returns where an upload's bytes go when they are published.
pub(super) fn location(digest: &Digest, upload: &UploadId) -> Location {
    let hex = digest.hex();
    let mut text = format!("{}/{}/{hex}", digest.algorithm().as_str(), hex.get(..2).unwrap_or_default());
    // Writing to a string can't fail.
    let _ = write!(text, ".{upload}");
    Location::from(text)
}

/// Returns the upload that a location ends with.
pub(super) fn upload_of(location: &Location) -> Option<UploadId> {
    check(location.as_str())?;
    location.as_str().rsplit_once('.')?.1.parse().ok()
}

/// Returns the content of a marker for a location.
pub(super) fn marker_target(location: &Location) -> PathBuf {
    PathBuf::from(format!("{TO_BLOBS}{location}"))
}

/// Reads the content of a marker; `None` if it names no location.
pub(super) fn parse_marker_target(target: &Path) -> Option<Location> {
    let text = target.to_str()?.strip_prefix(TO_BLOBS)?;
    check(text).map(|()| Location::from(text))
}

/// Says what a name in `uploads/` is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Bytes(UploadId),
    Marker(UploadId),
}

/// Reads a name in `uploads/`; `None` for one that the store didn't make.
pub(super) fn parse_upload(name: &str) -> Option<Entry> {
    match name.strip_suffix(MARKER) {
        Some(upload) => upload.parse().ok().map(Entry::Marker),
        None => name.parse().ok().map(Entry::Bytes),
    }
}

/// Returns something if the text is `algorithm/ab/<hex>.<upload id>`.
pub(super) fn check(location: &str) -> Option<()> {
    let (algorithm, rest) = location.split_once('/')?;
    let (fan_out, name) = rest.split_once('/')?;
    let (hex, upload) = name.split_once('.')?;
    let digest: Digest = format!("{algorithm}:{hex}").parse().ok()?;
    upload.parse::<UploadId>().ok()?;
    (digest.hex().get(..2) == Some(fan_out)).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_stay_inside_the_store() {
        let layout = Layout::new(Path::new("/store"));
        let upload = UploadId::random();
        let good = location(&Digest::of(Algorithm::Sha256, b"x"), &upload);
        assert!(layout.blob(&good).unwrap().starts_with("/store/blobs/sha256"));
        assert_eq!(upload_of(&good), Some(upload));

        let good = good.as_str();
        let (directory, name) = good.rsplit_once('/').unwrap();
        for wrong in [
            String::new(),
            "../../../etc/passwd".to_owned(),
            format!("/{good}"),
            format!("{good}/"),
            format!("{good}/.."),
            format!("./{good}"),
            good.replace("sha256", "sha512"),
            good.replace("sha256", "md5"),
            format!("sha256/00/{name}").replace(&format!("sha256/00/{}", &name[..0]), "sha256/0/"),
            format!("sha256/zz/{name}"),
            format!("{directory}/../{name}"),
            good.replace('.', "/"),
            good.to_uppercase(),
            format!("{directory}/{}", name.split('.').next().unwrap()),
            format!("{good}.to"),
            format!("{good}\0"),
        ] {
            let refused = layout.blob(&Location::from(wrong.clone()));
            assert!(matches!(refused, Err(Error::InvalidLocation(_))), "{wrong}");
        }
    }

    #[test]
    fn markers_and_uploads_are_told_apart() {
        let upload = UploadId::random();
        assert_eq!(parse_upload(&upload.to_string()), Some(Entry::Bytes(upload)));
        assert_eq!(parse_upload(&format!("{upload}.to")), Some(Entry::Marker(upload)));
        assert_eq!(parse_upload("lost+found"), None);

        let location = location(&Digest::of(Algorithm::Sha512, b"x"), &upload);
        assert_eq!(parse_marker_target(&marker_target(&location)), Some(location));
        assert_eq!(parse_marker_target(Path::new("../blobs/../../etc/passwd")), None);
        assert_eq!(parse_marker_target(Path::new("")), None);
    }
}

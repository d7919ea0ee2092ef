//! The OCI distribution and image specifications' vocabulary as types; no I/O.
//!
//! Everything a client sends is parsed here once, into a type that can't hold an illegal value; the rooms
//! above pass these types and never look at the text again. Parsing never panics, whatever the bytes.

mod descriptor;
mod digest;
mod error;
mod manifest;
mod name;
mod reference;
mod tag;
mod text;

pub mod media_type;
pub mod range;

pub use descriptor::{Descriptor, Platform};
pub use digest::{Algorithm, Digest, DigestError};
pub use error::{ErrorBody, ErrorCode, ErrorItem, UnknownCode};
pub use manifest::{Manifest, ManifestError, ManifestKind, ManifestLimits};
pub use name::{NameError, RepositoryName};
pub use range::{ByteRanges, ContentRange, ContentRangeError, RangeError};
pub use reference::{Reference, ReferenceError};
pub use tag::{Tag, TagError};

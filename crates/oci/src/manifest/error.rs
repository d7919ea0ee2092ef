//! Why a document is refused as a manifest.

use crate::Digest;

/// Why a document is refused as a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// JSON is UTF-8.
    #[error("manifest is not UTF-8 text")]
    NotUtf8,
    /// It is no JSON, or a field has a wrong type or value.
    #[error("manifest is not valid: {message}")]
    Json {
        /// What and where, from the JSON parser.
        message: String,
    },
    /// Docker schema 1, which clients stopped to push and pull years ago.
    #[error("docker schema 1 manifests are not supported, push the image with a current client")]
    Schema1,
    /// `schemaVersion` is not 2.
    #[error("schemaVersion is {version}, must be 2")]
    SchemaVersion {
        /// The version found.
        version: u64,
    },
    /// Not a manifest type of OCI or Docker schema 2.
    #[error(
        "manifest media type {media_type} is not supported, use an OCI image manifest or index, \
         or a Docker schema 2 manifest or list"
    )]
    UnsupportedMediaType {
        /// The type, quoted.
        media_type: String,
    },
    /// The document claims another type than the request.
    #[error(
        "mediaType {document} of the manifest differs from the Content-Type {content_type}, send the same"
    )]
    MediaTypeMismatch {
        /// The document's type, quoted.
        document: String,
        /// The request's type, quoted.
        content_type: String,
    },
    /// It can be read as an image and as an index.
    #[error("manifest is {kind} but also has `{field}`, which clients may understand differently: remove it")]
    Ambiguous {
        /// What its media type says, with an article.
        kind: &'static str,
        /// The other kind's field.
        field: &'static str,
    },
    /// A field differs from a known one only in case.
    #[error(
        "field {found} differs from `{field}` only in case, which clients may understand differently: rename it"
    )]
    FieldCase {
        /// The field found, quoted.
        found: String,
        /// The field that some clients take it for.
        field: &'static str,
    },
    /// A field occurs twice in one object (RFC 7493, section 2.3).
    #[error("field `{field}` occurs twice, which clients may understand differently: keep one")]
    FieldTwice {
        /// The field.
        field: &'static str,
    },
    /// An image has no config.
    #[error(
        "image manifest has no `config`, add one (of type application/vnd.oci.empty.v1+json if it has no content)"
    )]
    NoConfig,
    /// A list is longer than [`ManifestLimits::descriptors`](crate::ManifestLimits::descriptors).
    #[error("`{field}` has more than the {limit} entries allowed, split the manifest")]
    TooManyDescriptors {
        /// The list.
        field: &'static str,
        /// The most entries allowed.
        limit: usize,
    },
    /// Embedded content is not what its descriptor says.
    #[error(
        "embedded `data` does not match digest {digest} and size of its descriptor, correct it or leave it out"
    )]
    Data {
        /// The descriptor's digest.
        digest: Digest,
    },
}

impl ManifestError {
    /// Keeps the parser's words, shortened: it repeats wrong values whole.
    pub(crate) fn json(error: &serde_json::Error) -> Self {
        const LONGEST: usize = 300;
        let mut message = error.to_string();
        if let Some((end, _)) = message.char_indices().nth(LONGEST) {
            message.truncate(end);
            message = format!("{message}… at line {} column {}", error.line(), error.column());
        }
        Self::Json { message }
    }

    /// Tells whether the document may be a fine manifest of a kind that isn't supported.
    pub fn is_unsupported(&self) -> bool {
        matches!(self, Self::Schema1 | Self::UnsupportedMediaType { .. })
    }
}

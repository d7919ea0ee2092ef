//! What the domain refuses, in its own words. `server/v2/error.rs` turns these into the protocol's.

use std::fmt;

use berth_access::{Action, NewProject};
use berth_blobs::UploadId;
use berth_oci::{Digest, ManifestError, Reference, RepositoryName, Tag};

/// Why a request body ended early.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct BodyError(pub String);

/// A tag and the word behind it, or nothing.
struct Of<'a>(Option<&'a Tag>);

impl fmt::Display for Of<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |tag| write!(f, "tag {tag} of "))
    }
}

/// Says how a project may come to be.
fn advice(why: NewProject, project: &str, caller: &str) -> String {
    match why {
        NewProject::SwitchedOff => format!(
            "pushes make no projects here (access.create_projects): have it made with `berth project create {project}`"
        ),
        _ => format!(
            "{caller} may not create it: ask for a role that allows create on project/{project}, or have it made with \
             `berth project create {project}`"
        ),
    }
}

/// Why the registry did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller may push, but not this: seen only once it was known whether the push makes or changes something.
    #[error("{caller} may not {action} {}{repository}: ask for a role that allows to {action} there", Of(tag.as_ref()))]
    NotGranted {
        /// Who asked.
        caller: String,
        /// `create`, where nothing was; `update`, where a tag points at another manifest.
        action: Action,
        /// Where.
        repository: RepositoryName,
        /// The tag, if it was one that was to be made or moved.
        tag: Option<Tag>,
    },
    /// The push is the first to a project that does not exist, and this caller's pushes make none.
    #[error("project {project} does not exist, and {}", advice(*.why, project, caller))]
    NoProject {
        /// The project.
        project: String,
        /// Who pushed.
        caller: String,
        /// Why the push did not make it.
        why: NewProject,
    },
    /// The repository holds nothing.
    #[error("repository {0} is not known")]
    NameUnknown(RepositoryName),
    /// The repository holds no such manifest.
    #[error("manifest {reference} is not known in {repository}")]
    ManifestUnknown {
        /// Where it was looked for.
        repository: RepositoryName,
        /// What was looked for.
        reference: Reference,
    },
    /// The repository links no such blob, or its bytes are damaged.
    #[error("blob {digest} is not known in {repository}")]
    BlobUnknown {
        /// Where it was looked for.
        repository: RepositoryName,
        /// What was looked for.
        digest: Digest,
    },
    /// No such session for this repository and caller.
    #[error(
        "upload {0} is not known: it ended, expired, or belongs to another repository or caller; start a new one"
    )]
    UploadUnknown(UploadId),
    /// Another request is writing to the session.
    #[error("another request is writing to upload {0}: wait for it, then ask for the offset")]
    UploadBusy(UploadId),
    /// The chunk does not start where the session stands.
    #[error("the upload stands at {expected} bytes: send the bytes from there")]
    RangeMismatch {
        /// Acknowledged bytes.
        expected: u64,
    },
    /// The content is not what the digest says.
    #[error("content has digest {computed}, not {given}: it changed on the way, push it again")]
    DigestMismatch {
        /// Digest the client gave.
        given: Digest,
        /// Digest of what came.
        computed: Digest,
    },
    /// Another number of bytes came than was announced.
    #[error(
        "{received} bytes came where {announced} were announced: ask where the upload stands, and go on from there"
    )]
    SizeMismatch {
        /// Bytes announced.
        announced: u64,
        /// Bytes that came.
        received: u64,
    },
    /// The blob is larger than configured.
    #[error("blob is larger than {limit} bytes: raise limits.blob_bytes to allow it")]
    BlobTooLarge {
        /// Configured limit in bytes.
        limit: u64,
    },
    /// The manifest cannot be accepted.
    #[error(transparent)]
    ManifestInvalid(#[from] ManifestError),
    /// The manifest is larger than configured.
    #[error("manifest is larger than {limit} bytes: raise limits.manifest_bytes to allow it")]
    ManifestTooLarge {
        /// Configured limit in bytes.
        limit: usize,
    },
    /// Indexes are nested deeper than configured.
    #[error("indexes are nested deeper than {limit}: raise limits.index_depth to allow it")]
    IndexTooDeep {
        /// Configured limit.
        limit: u64,
    },
    /// The manifest names blobs that the repository does not link.
    #[error("manifest names blobs that {repository} does not have: push them first")]
    ManifestBlobsUnknown {
        /// Where the manifest was pushed to.
        repository: RepositoryName,
        /// Digests of the blobs.
        digests: Vec<Digest>,
    },
    /// The blob is part of a manifest.
    #[error("blob {digest} is part of a manifest in {repository}: delete the manifest first")]
    BlobInUse {
        /// Where it was to be deleted.
        repository: RepositoryName,
        /// What was to be deleted.
        digest: Digest,
    },
    /// No space is left for what was sent.
    #[error("no space left in the registry's storage: free some, or collect garbage, then push again")]
    StorageFull,
    /// The request body ended early.
    #[error("request body ended early: {0}")]
    Body(BodyError),
    /// The registry is overloaded for the moment.
    #[error("the registry is busy: try again in a moment")]
    Busy,
    /// The database or the blob store can't be reached.
    #[error("the registry can't reach its database or its storage: try again in a moment")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The registry was told to take nothing while this was under way.
    #[error("{}", berth_access::READ_ONLY)]
    ReadOnly,
    /// Anything else; the cause is for the log, not for the client.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Result of the registry's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<berth_catalog::Error> for Error {
    fn from(error: berth_catalog::Error) -> Self {
        match error {
            berth_catalog::Error::Busy => Self::Busy,
            berth_catalog::Error::Full => Self::StorageFull,
            berth_catalog::Error::Moved => Self::ReadOnly,
            berth_catalog::Error::Unavailable(_)
            | berth_catalog::Error::Crowded(_)
            | berth_catalog::Error::Unknown => Self::Unavailable(error.into()),
            other => Self::Internal(other.into()),
        }
    }
}

impl From<berth_blobs::Error> for Error {
    fn from(error: berth_blobs::Error) -> Self {
        match error {
            berth_blobs::Error::Full => Self::StorageFull,
            berth_blobs::Error::Unavailable(_) => Self::Unavailable(error.into()),
            other => Self::Internal(other.into()),
        }
    }
}

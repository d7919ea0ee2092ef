//! Manifests: what a pushed document refers to (image-spec, manifest.md and image-index.md).
//!
//! Reading is lenient and lies beside the bytes: those are stored and served as they came, never written
//! anew.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Descriptor, descriptor::null_as_default, media_type, text::quoted};

mod error;
mod shape;

pub use error::ManifestError;
use shape::Shape;

/// The two shapes of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ManifestKind {
    /// A config and layers: an image or another artifact.
    Image,
    /// A list of manifests.
    Index,
}

impl ManifestKind {
    /// Returns the kind of a media type, `None` if it isn't a supported manifest's.
    pub fn of(media_type: &str) -> Option<Self> {
        match media_type {
            _ if media_type::is_image(media_type) => Some(Self::Image),
            _ if media_type::is_index(media_type) => Some(Self::Index),
            _ => None,
        }
    }
}

/// Bounds on what one manifest may ask of the registry; its length in bytes is bounded before it is parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestLimits {
    /// Most entries of `layers` or `manifests`.
    pub descriptors: usize,
}

impl Default for ManifestLimits {
    fn default() -> Self {
        Self { descriptors: 10_000 }
    }
}

/// What a manifest says, of OCI or Docker schema 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its shape.
    pub kind: ManifestKind,
    /// Its media type: the document's, else the one it was pushed with, else what its fields suggest.
    pub media_type: String,
    /// The artifact's type: `artifactType`, or for an image without one its config's media type
    /// (distribution-spec, "Listing Referrers").
    pub artifact_type: Option<String>,
    /// The config; present if and only if it is an image.
    pub config: Option<Descriptor>,
    /// The layers of an image, non-distributable ones included.
    pub layers: Vec<Descriptor>,
    /// The manifests of an index; they may be missing from the registry (a sparse index).
    pub manifests: Vec<Descriptor>,
    /// The manifest that this one refers to; it may be missing from the registry.
    pub subject: Option<Descriptor>,
    /// Arbitrary metadata.
    pub annotations: BTreeMap<String, String>,
}

/// The fields of both kinds. `null` is an absent field.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: Option<u64>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    #[serde(default, deserialize_with = "null_as_default")]
    layers: Vec<Descriptor>,
    #[serde(default, deserialize_with = "null_as_default")]
    manifests: Vec<Descriptor>,
    subject: Option<Descriptor>,
    #[serde(default, deserialize_with = "null_as_default")]
    annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads a manifest that was pushed with this `Content-Type`, within the default [`ManifestLimits`].
    pub fn parse(content: &[u8], content_type: Option<&str>) -> Result<Self, ManifestError> {
        Self::parse_within(content, content_type, &ManifestLimits::default())
    }

    /// Reads a manifest that was pushed with this `Content-Type`.
    ///
    /// Accepts unknown fields, unknown types of configs, layers and children, and documents that leave out
    /// `mediaType`, `schemaVersion` or an empty list.
    ///
    /// # Errors
    /// Refuses whatever two readers could understand differently (GHSA-qq97-vm5h-rrhg, GHSA-77vh-xpmg-72qh):
    /// `manifests` beside `config` or `layers`, a `mediaType` other than the `Content-Type`, fields that
    /// occur twice or in another case, embedded `data` that isn't the content it stands for. Refuses Docker
    /// schema 1 and unknown manifest types.
    pub fn parse_within(
        content: &[u8],
        content_type: Option<&str>,
        limits: &ManifestLimits,
    ) -> Result<Self, ManifestError> {
        let json = str::from_utf8(content).map_err(|_| ManifestError::NotUtf8)?;
        let shape = Shape::of(json, limits)?;
        let content_type = content_type.map(media_type::essence).filter(|essence| !essence.is_empty());
        if shape.has("fsLayers") || content_type.is_some_and(media_type::is_schema_1) {
            return Err(ManifestError::Schema1);
        }
        let document: Document = serde_json::from_str(json).map_err(|error| ManifestError::json(&error))?;
        match document.schema_version {
            None | Some(2) => {}
            Some(1) => return Err(ManifestError::Schema1),
            Some(version) => return Err(ManifestError::SchemaVersion { version }),
        }
        let (kind, media_type) = decide(document.media_type.as_deref(), content_type, &shape)?;
        require(kind, &shape)?;
        let artifact_type =
            document.artifact_type.filter(|artifact_type| !artifact_type.is_empty()).or_else(|| {
                document
                    .config
                    .as_ref()
                    .map(|config| config.media_type.clone())
                    .filter(|media_type| !media_type.is_empty())
            });
        let manifest = Self {
            kind,
            media_type,
            artifact_type,
            config: document.config,
            layers: document.layers,
            manifests: document.manifests,
            subject: document.subject,
            annotations: document.annotations,
        };
        if let Some(descriptor) = manifest.descriptors().find(|descriptor| !descriptor.data_matches()) {
            return Err(ManifestError::Data { digest: descriptor.digest });
        }
        Ok(manifest)
    }

    /// Returns the blobs that a registry must hold to serve it: the config and the distributable layers.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        self.config.iter().chain(self.layers.iter().filter(|layer| !layer.is_non_distributable()))
    }

    /// Returns the manifests of an index; empty for an image.
    pub fn children(&self) -> &[Descriptor] {
        &self.manifests
    }

    /// Returns every descriptor, the subject last.
    pub fn descriptors(&self) -> impl Iterator<Item = &Descriptor> {
        self.config.iter().chain(&self.layers).chain(&self.manifests).chain(&self.subject)
    }
}

/// Decides kind and media type: what document and `Content-Type` agree on, or the one that is there, or the
/// fields.
fn decide(
    document: Option<&str>,
    content_type: Option<&str>,
    shape: &Shape,
) -> Result<(ManifestKind, String), ManifestError> {
    let document = document.filter(|media_type| !media_type.is_empty());
    // Media types in headers are case-insensitive; in the document only the exact form is a manifest's.
    let content_type = content_type.map(str::to_ascii_lowercase);
    let media_type = match (document, content_type) {
        (Some(document), Some(content_type)) if document != content_type => {
            let (document, content_type) = (quoted(document), quoted(&content_type));
            return Err(ManifestError::MediaTypeMismatch { document, content_type });
        }
        (Some(document), _) => document.to_owned(),
        (None, Some(content_type)) => content_type,
        (None, None) if shape.has("manifests") => media_type::OCI_INDEX.to_owned(),
        (None, None) => media_type::OCI_MANIFEST.to_owned(),
    };
    match ManifestKind::of(&media_type) {
        Some(kind) => Ok((kind, media_type)),
        None if media_type::is_schema_1(&media_type) => Err(ManifestError::Schema1),
        None => Err(ManifestError::UnsupportedMediaType { media_type: quoted(&media_type) }),
    }
}

/// Refuses the other kind's fields, and an image without a config.
fn require(kind: ManifestKind, shape: &Shape) -> Result<(), ManifestError> {
    let foreign: &[&'static str] = match kind {
        ManifestKind::Image => &["manifests"],
        ManifestKind::Index => &["config", "layers"],
    };
    if let Some(field) = foreign.iter().copied().find(|field| shape.has(field)) {
        return Err(ManifestError::Ambiguous {
            kind: if kind == ManifestKind::Image { "an image" } else { "an index" },
            field,
        });
    }
    if kind == ManifestKind::Image && !shape.has("config") {
        return Err(ManifestError::NoConfig);
    }
    Ok(())
}

#[cfg(test)]
mod tests;

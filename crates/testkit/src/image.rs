//! Images and other artifacts to push, with the digests that they really have.

use berth_oci::{Algorithm, Descriptor, Digest, Manifest, media_type};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::layer::tar;

/// Bytes with their media type: a config, a layer, or a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Media type.
    pub media_type: String,
    /// The bytes.
    pub content: Bytes,
}

impl Blob {
    /// Puts bytes and type together.
    pub fn new(media_type: &str, content: impl Into<Bytes>) -> Self {
        Self { media_type: media_type.to_owned(), content: content.into() }
    }

    fn json(media_type: &str, document: &Value) -> Self {
        Self::new(media_type, document.to_string())
    }

    /// The sha256 digest of the bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(Algorithm::Sha256, &self.content)
    }

    /// What a manifest says about it.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(&self.media_type, self.digest(), self.content.len() as u64)
    }

    /// Reads it as a manifest, which it must be.
    pub fn parsed(&self) -> Manifest {
        Manifest::parse(&self.content, Some(&self.media_type)).expect("it is a manifest")
    }
}

/// A manifest and the blobs that it names, config first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    manifest: Blob,
    blobs: Vec<Blob>,
}

impl Image {
    /// An image of one small layer.
    pub fn small() -> Self {
        Self::with_layers(&[b"hello from a layer\n"])
    }

    /// An image with a layer for each content: a tar archive with one file.
    pub fn with_layers(contents: &[&[u8]]) -> Self {
        let layers: Vec<Blob> = contents
            .iter()
            .enumerate()
            .map(|(index, content)| Blob::new(media_type::OCI_LAYER, tar(&format!("file{index}"), content)))
            .collect();
        let diff_ids: Vec<String> = layers.iter().map(|layer| layer.digest().to_string()).collect();
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        Self::build(Blob::json(media_type::OCI_CONFIG, &config), layers, |_| {})
    }

    /// An artifact of a type, with one blob (image-spec, "Guidelines for Artifact Usage").
    pub fn artifact(artifact_type: &str, content: &[u8]) -> Self {
        let layer = Blob::new("application/octet-stream", content.to_vec());
        let config = Blob::new(media_type::EMPTY_JSON, &b"{}"[..]);
        Self::build(config, vec![layer], |document| document["artifactType"] = artifact_type.into())
    }

    /// An artifact that refers to a manifest, as signatures and SBOMs do.
    pub fn referrer(subject: &Blob, artifact_type: &str, content: &[u8]) -> Self {
        let artifact = Self::artifact(artifact_type, content);
        artifact.change(|document| document["subject"] = value(&subject.descriptor()))
    }

    fn build(config: Blob, layers: Vec<Blob>, change: impl FnOnce(&mut Value)) -> Self {
        let descriptors: Vec<Value> = layers.iter().map(|layer| value(&layer.descriptor())).collect();
        let mut document = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "config": value(&config.descriptor()),
            "layers": descriptors,
        });
        change(&mut document);
        let manifest = Blob::json(media_type::OCI_MANIFEST, &document);
        Self { manifest, blobs: [vec![config], layers].concat() }
    }

    /// The same blobs under a manifest that says something else as well.
    #[must_use]
    pub fn change(mut self, change: impl FnOnce(&mut Value)) -> Self {
        let mut document = serde_json::from_slice(&self.manifest.content).expect("a manifest is JSON");
        change(&mut document);
        self.manifest = Blob::json(&self.manifest.media_type, &document);
        self
    }

    pub(crate) fn from_parts(manifest: Blob, blobs: Vec<Blob>) -> Self {
        Self { manifest, blobs }
    }

    /// The manifest.
    pub fn manifest(&self) -> &Blob {
        &self.manifest
    }

    /// The blobs, config first.
    pub fn blobs(&self) -> &[Blob] {
        &self.blobs
    }

    /// The digest of the manifest.
    pub fn digest(&self) -> Digest {
        self.manifest.digest()
    }
}

/// An index that lists manifests, for instance one for each platform.
pub fn index(manifests: &[&Blob]) -> Blob {
    let descriptors: Vec<Value> = manifests.iter().map(|manifest| value(&manifest.descriptor())).collect();
    let document =
        json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": descriptors });
    Blob::json(media_type::OCI_INDEX, &document)
}

fn value(descriptor: &Descriptor) -> Value {
    serde_json::to_value(descriptor).expect("a descriptor can be written")
}

//! Media types (image-spec, media-types.md; and what Docker's schema 2 uses).

/// OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// OCI image configuration.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// OCI layer, a tar archive.
pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// OCI layer compressed with gzip.
pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// OCI layer compressed with zstd.
pub const OCI_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
/// OCI layer that may not be distributed freely (deprecated); compressed ones add a suffix.
pub const OCI_LAYER_NON_DISTRIBUTABLE: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar";
/// The two bytes `{}`, for a config or layer that isn't needed.
pub const EMPTY_JSON: &str = "application/vnd.oci.empty.v1+json";
/// OCI artifact manifest, withdrawn before image-spec 1.1 was released.
pub const OCI_ARTIFACT_MANIFEST: &str = "application/vnd.oci.artifact.manifest.v1+json";

/// Docker image manifest, schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker manifest list.
pub const DOCKER_MANIFEST_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker image configuration.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// Docker layer compressed with gzip.
pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// Docker layer that is fetched from elsewhere; the plain one lacks the suffix `.gzip`.
pub const DOCKER_LAYER_FOREIGN_GZIP: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
/// Docker image manifest, schema 1, which no current client pushes.
pub const DOCKER_MANIFEST_V1: &str = "application/vnd.docker.distribution.manifest.v1+json";
/// Docker image manifest, schema 1, signed.
pub const DOCKER_MANIFEST_V1_SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

/// Any bytes; what blobs are served as.
pub const OCTET_STREAM: &str = "application/octet-stream";

/// Every manifest type that can be pushed, for error messages and `Accept` headers.
pub const MANIFESTS: [&str; 4] = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_MANIFEST_LIST];

const DOCKER_LAYER_FOREIGN: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar";

/// Tells whether the type is a list of manifests: an OCI index or a Docker manifest list.
pub fn is_index(media_type: &str) -> bool {
    matches!(media_type, OCI_INDEX | DOCKER_MANIFEST_LIST)
}

/// Tells whether the type is a manifest with a config and layers.
pub fn is_image(media_type: &str) -> bool {
    matches!(media_type, OCI_MANIFEST | DOCKER_MANIFEST)
}

/// Tells whether the type is a manifest that can be pushed, of one image or a list.
pub fn is_manifest(media_type: &str) -> bool {
    is_image(media_type) || is_index(media_type)
}

/// Tells whether the type is one of Docker's schema 1.
pub fn is_schema_1(media_type: &str) -> bool {
    matches!(media_type, DOCKER_MANIFEST_V1 | DOCKER_MANIFEST_V1_SIGNED)
}

/// Tells whether a layer of this type may be missing, because clients fetch it from its `urls`.
pub fn is_non_distributable(media_type: &str) -> bool {
    media_type.starts_with(OCI_LAYER_NON_DISTRIBUTABLE) || media_type.starts_with(DOCKER_LAYER_FOREIGN)
}

/// Returns a `Content-Type` without its parameters and surrounding blanks.
pub fn essence(content_type: &str) -> &str {
    content_type.split_once(';').map_or(content_type, |(essence, _)| essence).trim_ascii()
}

#[cfg(test)]
mod tests;

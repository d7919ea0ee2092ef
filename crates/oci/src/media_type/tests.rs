use super::*;

#[test]
fn sorts_the_types() {
    for media_type in MANIFESTS {
        assert!(is_manifest(media_type) && is_image(media_type) != is_index(media_type), "{media_type}");
    }
    for media_type in [OCI_ARTIFACT_MANIFEST, DOCKER_MANIFEST_V1, OCI_CONFIG, EMPTY_JSON, ""] {
        assert!(!is_manifest(media_type), "{media_type}");
    }
    assert!(is_schema_1(DOCKER_MANIFEST_V1_SIGNED) && !is_schema_1(DOCKER_MANIFEST));
}

#[test]
fn knows_layers_that_live_elsewhere() {
    for suffix in ["", "+gzip", "+zstd"] {
        assert!(is_non_distributable(&format!("{OCI_LAYER_NON_DISTRIBUTABLE}{suffix}")));
    }
    assert!(is_non_distributable(DOCKER_LAYER_FOREIGN_GZIP) && is_non_distributable(DOCKER_LAYER_FOREIGN));
    for media_type in [OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, DOCKER_LAYER_GZIP, EMPTY_JSON] {
        assert!(!is_non_distributable(media_type), "{media_type}");
    }
}

#[test]
fn cuts_parameters() {
    assert_eq!(essence(" application/json ; charset=utf-8"), "application/json");
    assert_eq!(essence(OCI_INDEX), OCI_INDEX);
    assert_eq!(essence(";"), "");
}

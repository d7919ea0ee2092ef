use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{Algorithm, Digest};

fn digest(content: &str) -> Digest {
    Digest::of(Algorithm::Sha256, content.as_bytes())
}

fn descriptor(media_type: &str, content: &str) -> Value {
    json!({ "mediaType": media_type, "digest": digest(content), "size": content.len() })
}

fn image() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_MANIFEST,
        "config": descriptor(media_type::OCI_CONFIG, "{}"),
        "layers": [descriptor(media_type::OCI_LAYER_GZIP, "a"), descriptor(media_type::OCI_LAYER_ZSTD, "b")],
        "annotations": { "org.example.key": "value" },
    })
}

fn index() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_INDEX,
        "manifests": [descriptor(media_type::OCI_MANIFEST, "a"), descriptor(media_type::OCI_INDEX, "nested")],
    })
}

/// The document with fields replaced; `null` removes one.
fn with(mut document: Value, changes: Value) -> Value {
    let (Value::Object(fields), Value::Object(changes)) = (&mut document, changes) else {
        panic!("not objects")
    };
    for (field, value) in changes {
        if value.is_null() {
            fields.remove(&field)
        } else {
            fields.insert(field, value)
        };
    }
    document
}

fn parse(document: &Value, content_type: Option<&str>) -> Result<Manifest, ManifestError> {
    Manifest::parse(&serde_json::to_vec(document).unwrap(), content_type)
}

#[test]
fn reads_images_and_indexes() {
    let manifest = parse(&image(), Some(media_type::OCI_MANIFEST)).unwrap();
    assert_eq!(
        (manifest.kind, manifest.media_type.as_str()),
        (ManifestKind::Image, media_type::OCI_MANIFEST)
    );
    assert_eq!(manifest.artifact_type.as_deref(), Some(media_type::OCI_CONFIG));
    assert_eq!(
        manifest.blobs().map(|blob| blob.digest).collect::<Vec<_>>(),
        [digest("{}"), digest("a"), digest("b")]
    );
    assert_eq!(manifest.annotations["org.example.key"], "value");
    assert!(manifest.children().is_empty());

    let manifest = parse(&index(), Some(media_type::OCI_INDEX)).unwrap();
    assert_eq!((manifest.kind, manifest.artifact_type.as_deref()), (ManifestKind::Index, None));
    assert_eq!(manifest.children().len(), 2);
    assert_eq!(manifest.blobs().count(), 0);
}

#[test]
fn reads_docker_schema_2() {
    let docker = json!({ "mediaType": media_type::DOCKER_MANIFEST, "config": descriptor(media_type::DOCKER_CONFIG, "{}") });
    let manifest = parse(&with(image(), docker), Some(media_type::DOCKER_MANIFEST)).unwrap();
    assert_eq!((manifest.kind, manifest.layers.len()), (ManifestKind::Image, 2));
    let list = with(index(), json!({ "mediaType": media_type::DOCKER_MANIFEST_LIST }));
    assert_eq!(parse(&list, None).unwrap().kind, ManifestKind::Index);
}

#[test]
fn reads_artifacts() {
    let empty = descriptor(media_type::EMPTY_JSON, "{}");
    let artifact = with(
        image(),
        json!({
            "artifactType": "application/vnd.example+type",
            "config": with(empty.clone(), json!({ "data": "e30=" })),
            "layers": [empty],
            "subject": descriptor(media_type::OCI_MANIFEST, "subject"),
        }),
    );
    let manifest = parse(&artifact, Some(media_type::OCI_MANIFEST)).unwrap();
    assert_eq!(manifest.artifact_type.as_deref(), Some("application/vnd.example+type"));
    assert_eq!(manifest.subject.as_ref().unwrap().digest, digest("subject"));
    assert_eq!(manifest.descriptors().count(), 3);

    let old = parse(&with(artifact, json!({ "artifactType": "" })), None).unwrap();
    assert_eq!(old.artifact_type.as_deref(), Some(media_type::EMPTY_JSON));
    let index =
        with(index(), json!({ "artifactType": "a/b", "subject": descriptor(media_type::OCI_INDEX, "s") }));
    assert_eq!(parse(&index, None).unwrap().artifact_type.as_deref(), Some("a/b"));
}

#[test]
fn reads_every_legal_oddity() {
    for changes in [
        json!({ "layers": [] }),
        json!({ "org.example": { "manifests": [1, { "x": [[]] }] } }),
        json!({ "config": descriptor("application/vnd.example.unknown", "{}") }),
        json!({ "layers": [descriptor("application/x-unknown", "a"), descriptor("application/x-unknown", "a")] }),
        json!({ "config": { "mediaType": "a/b", "size": 0, "digest": Digest::of(Algorithm::Sha512, b"") } }),
    ] {
        parse(&with(image(), changes.clone()), Some(media_type::OCI_MANIFEST))
            .unwrap_or_else(|e| panic!("{changes}: {e}"));
    }
    assert!(parse(&with(index(), json!({ "manifests": [] })), None).unwrap().children().is_empty());
    let nulls = format!(
        r#"{{"schemaVersion":2,"config":{},"layers":null,"annotations":null,"subject":null,"manifests":null}}  "#,
        descriptor("a/b", "{}")
    );
    assert!(Manifest::parse(nulls.as_bytes(), None).unwrap().layers.is_empty());
}

#[test]
fn leaves_non_distributable_layers_out_of_the_blobs() {
    let elsewhere = |media_type: &str| {
        with(descriptor(media_type, "far"), json!({ "urls": ["https://example.com/far"] }))
    };
    let layers = json!([
        elsewhere(media_type::OCI_LAYER_NON_DISTRIBUTABLE),
        elsewhere(media_type::DOCKER_LAYER_FOREIGN_GZIP),
        elsewhere(media_type::OCI_LAYER),
    ]);
    let manifest = parse(&with(image(), json!({ "layers": layers })), None).unwrap();
    assert_eq!(manifest.layers.len(), 3);
    let blobs: Vec<_> = manifest.blobs().map(|blob| blob.media_type.as_str()).collect();
    assert_eq!(blobs, [media_type::OCI_CONFIG, media_type::OCI_LAYER]);
}

#[test]
fn media_type_comes_from_document_or_header_or_fields() {
    let untyped = with(image(), json!({ "mediaType": null }));
    for (content_type, expected) in [
        (Some(media_type::DOCKER_MANIFEST), media_type::DOCKER_MANIFEST),
        (Some("Application/VND.oci.image.manifest.v1+json; charset=utf-8"), media_type::OCI_MANIFEST),
        (Some(""), media_type::OCI_MANIFEST),
        (None, media_type::OCI_MANIFEST),
    ] {
        assert_eq!(parse(&untyped, content_type).unwrap().media_type, expected, "{content_type:?}");
    }
    let untyped = with(index(), json!({ "mediaType": null, "schemaVersion": null }));
    assert_eq!(parse(&untyped, None).unwrap().media_type, media_type::OCI_INDEX);
    assert!(matches!(parse(&untyped, Some(media_type::OCI_MANIFEST)), Err(ManifestError::Ambiguous { .. })));

    let mismatch = parse(&image(), Some(media_type::DOCKER_MANIFEST));
    assert!(matches!(mismatch, Err(ManifestError::MediaTypeMismatch { .. })), "{mismatch:?}");
}

#[test]
fn refuses_what_two_readers_see_differently() {
    for document in [
        with(image(), json!({ "manifests": [descriptor(media_type::OCI_MANIFEST, "a")] })),
        with(image(), json!({ "manifests": [] })),
        with(index(), json!({ "layers": [] })),
        with(index(), json!({ "config": descriptor(media_type::OCI_CONFIG, "{}") })),
        with(image(), json!({ "mediaType": null, "manifests": [] })),
        with(image(), json!({ "mediaType": media_type::OCI_INDEX })),
        with(index(), json!({ "mediaType": media_type::OCI_MANIFEST })),
    ] {
        assert!(matches!(parse(&document, None), Err(ManifestError::Ambiguous { .. })), "{document}");
    }
    let twice = format!(r#"{{"mediaType":"a/b",{}"#, &image().to_string()[1..]);
    assert_eq!(
        Manifest::parse(twice.as_bytes(), None),
        Err(ManifestError::FieldTwice { field: "mediaType" })
    );
}

#[test]
fn refuses_other_documents() {
    let schema_1 = json!({ "schemaVersion": 1, "name": "a", "tag": "b", "fsLayers": [] });
    assert_eq!(parse(&schema_1, None), Err(ManifestError::Schema1));
    assert_eq!(parse(&schema_1, Some(media_type::DOCKER_MANIFEST_V1_SIGNED)), Err(ManifestError::Schema1));
    assert_eq!(parse(&with(image(), json!({ "fsLayers": [] })), None), Err(ManifestError::Schema1));
    let version = parse(&with(image(), json!({ "schemaVersion": 3 })), None);
    assert_eq!(version, Err(ManifestError::SchemaVersion { version: 3 }));
    assert_eq!(parse(&with(image(), json!({ "config": null })), None), Err(ManifestError::NoConfig));
    assert_eq!(parse(&json!({}), None), Err(ManifestError::NoConfig));
    assert_eq!(Manifest::parse(b"{\"a\":\"\xff\"}", None), Err(ManifestError::NotUtf8));

    let artifact = json!({ "mediaType": media_type::OCI_ARTIFACT_MANIFEST, "blobs": [] });
    let error = parse(&artifact, Some(media_type::OCI_ARTIFACT_MANIFEST)).unwrap_err();
    assert!(error.is_unsupported() && error.to_string().contains("use an OCI image manifest"), "{error}");
    assert!(parse(&json!({}), Some("application/json")).unwrap_err().is_unsupported());
}

#[test]
fn refuses_false_data_in_any_descriptor() {
    let false_data = with(descriptor(media_type::OCI_MANIFEST, "{}"), json!({ "data": "e31=" }));
    for document in [
        with(image(), json!({ "config": false_data })),
        with(image(), json!({ "layers": [false_data] })),
        with(index(), json!({ "manifests": [false_data] })),
        with(index(), json!({ "subject": false_data })),
    ] {
        assert_eq!(parse(&document, None), Err(ManifestError::Data { digest: digest("{}") }));
    }
}

#[test]
fn keeps_limits_and_short_messages() {
    let limits = ManifestLimits { descriptors: 1 };
    let error = Manifest::parse_within(image().to_string().as_bytes(), None, &limits).unwrap_err();
    assert_eq!(error.to_string(), "`layers` has more than the 1 entries allowed, split the manifest");

    let long = with(image(), json!({ "schemaVersion": "é".repeat(10_000) }));
    let message = parse(&long, None).unwrap_err().to_string();
    assert!(message.chars().count() < 400 && message.contains(" at line 1 column "), "{message}");
}

fn any_json() -> impl Strategy<Value = Value> {
    let keys =
        "schemaVersion|mediaType|config|layers|manifests|subject|annotations|digest|size|data|Layers|x";
    let leaf = prop_oneof![
        Just(Value::Null),
        (0..3_u64).prop_map(Value::from),
        "[a-z/]{0,4}".prop_map(Value::from),
        Just(descriptor("a/b", "{}")),
        Just(Value::from(media_type::OCI_MANIFEST)),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(keys, inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn check(manifest: &Manifest) {
    let image = manifest.kind == ManifestKind::Image;
    assert_eq!(ManifestKind::of(&manifest.media_type), Some(manifest.kind));
    assert_eq!(manifest.config.is_some(), image);
    assert!(if image { manifest.manifests.is_empty() } else { manifest.layers.is_empty() });
}

proptest! {
    #[test]
    fn any_bytes_never_panic(content in any::<Vec<u8>>(), content_type in any::<Option<String>>()) {
        let _ = Manifest::parse(&content, content_type.as_deref());
    }

    #[test]
    fn any_document_is_refused_or_consistent(changes in any_json(), of_index in any::<bool>()) {
        if let Ok(manifest) = parse(&changes, None) {
            check(&manifest);
        }
        if changes.is_object() {
            let document = with(if of_index { index() } else { image() }, changes);
            if let Ok(manifest) = parse(&document, None) {
                check(&manifest);
            }
        }
    }
}

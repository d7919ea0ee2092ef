//! Manifests: one reading only, whatever the document and the type it was pushed with.
#![no_main]

use berth_oci::{Manifest, ManifestKind};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], Option<&str>)| {
    let (content, content_type) = input;
    let Ok(manifest) = Manifest::parse(content, content_type) else { return };
    match manifest.kind {
        ManifestKind::Image => assert!(manifest.config.is_some() && manifest.manifests.is_empty()),
        ManifestKind::Index => assert!(manifest.config.is_none() && manifest.layers.is_empty()),
    }
    // What was read without a type reads the same with the type it turned out to have.
    assert_eq!(Manifest::parse(content, Some(&manifest.media_type)), Ok(manifest));
});

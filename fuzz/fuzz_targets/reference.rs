//! References: a tag or a digest, never both, written as it was read.
#![no_main]

use berth_oci::Reference;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(reference) = text.parse::<Reference>() else { return };
    assert_eq!(reference.to_string(), text);
    assert_eq!(matches!(reference, Reference::Digest(_)), text.contains(':'));
});

//! Digests: one spelling for each, and the bytes of their algorithm.
#![no_main]

use berth_oci::Digest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(digest) = text.parse::<Digest>() else { return };
    assert_eq!(digest.to_string(), text);
    assert_eq!(Digest::from_bytes(digest.algorithm(), digest.as_bytes()), Some(digest));
});

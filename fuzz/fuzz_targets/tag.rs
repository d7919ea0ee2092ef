//! Tags: what is accepted is written as it was read, and is one component of a path.
#![no_main]

use berth_oci::Tag;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(tag) = text.parse::<Tag>() else { return };
    assert_eq!(tag.as_str(), text);
    assert!(text.len() <= 128 && !text.contains('/') && !text.starts_with('.'));
});

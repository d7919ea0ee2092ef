//! Repository names: what is accepted is written as it was read, and is a path without surprises.
#![no_main]

use berth_oci::RepositoryName;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(name) = text.parse::<RepositoryName>() else { return };
    assert_eq!(name.as_str(), text);
    assert!(
        text.len() <= RepositoryName::MAX_BYTES
            && text.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
    );
});

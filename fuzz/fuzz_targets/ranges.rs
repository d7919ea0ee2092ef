//! Ranges of a pull: inside the content, not empty, disjoint, and not too many.
#![no_main]

use berth_oci::ByteRanges;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, u64)| {
    let (header, size) = input;
    let Ok(mut ranges) = ByteRanges::parse(header, size) else { return };
    assert!((1..=ByteRanges::MAX_COUNT).contains(&ranges.len()));
    assert!(ranges.iter().all(|range| range.start < range.end && range.end <= size));
    ranges.sort_by_key(|range| range.start);
    assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start));
});

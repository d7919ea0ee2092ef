//! The range of a chunk: in order, inside its total, and understood the same when written again.
#![no_main]

use berth_oci::ContentRange;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(range) = text.parse::<ContentRange>() else { return };
    assert!(range.first <= range.last && range.total.is_none_or(|total| range.last < total));
    assert_eq!(range.to_string().parse(), Ok(range));
});

//! Says how large each part of a blob is.
//!
//! Services join 10,000 parts at most. So that a blob of any size fits without large parts for all, and without knowing its
//! size before, parts grow with their number: for the usual 16 MiB not before 46 GiB, and to 5 TiB in all.

use std::ops::Range;

/// The most parts that services join.
pub(super) const MOST_PARTS: usize = 10_000;
/// The largest part that services take, in bytes.
pub(super) const LARGEST_PART: u64 = 5 << 30;

/// Parts of one size: which, and how many times the first part's size they have.
const STEPS: [(Range<usize>, u64); 4] =
    [(0..3000, 1), (3000..4000, 4), (4000..5000, 16), (5000..MOST_PARTS, 64)];

/// Knows the sizes of an upload's parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    /// Bytes of the first part.
    pub(super) part_bytes: usize,
    /// Whether parts grow: those of uploads that a version before 0.2 began don't.
    pub(super) grows: bool,
}

impl Plan {
    /// Returns how an upload that begins now is cut.
    pub(super) fn new(part_bytes: usize) -> Self {
        Self { part_bytes, grows: true }
    }

    /// Returns the bytes of a part, by its number from 0.
    pub(super) fn size_of(self, part: usize) -> usize {
        let step = STEPS.iter().find(|(parts, _)| parts.contains(&part));
        let times = step.map_or(1, |(_, times)| if self.grows { *times } else { 1 });
        usize::try_from(self.times(times)).unwrap_or(usize::MAX)
    }

    /// Returns the bytes of all parts before this one.
    pub(super) fn offset_of(self, part: usize) -> u64 {
        let in_step = |(parts, times): &(Range<usize>, u64)| {
            let count = part.clamp(parts.start, parts.end) - parts.start;
            count as u64 * self.times(if self.grows { *times } else { 1 })
        };
        STEPS.iter().map(in_step).sum()
    }

    /// Returns the bytes of the largest blob that can be cut so.
    pub(super) fn largest_blob(self) -> u64 {
        self.offset_of(MOST_PARTS)
    }

    fn times(self, times: u64) -> u64 {
        (self.part_bytes as u64).saturating_mul(times).min(LARGEST_PART.max(self.part_bytes as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_tebibytes_fit_at_the_default_size() {
        let plan = Plan::new(16 << 20);
        assert!(plan.largest_blob() >= 5 << 40, "{}", plan.largest_blob());
        assert!((0..MOST_PARTS).all(|part| plan.size_of(part) as u64 <= LARGEST_PART));
        let whole_100_gb = (0..MOST_PARTS).find(|&part| plan.offset_of(part) >= 100_000_000_000);
        assert_eq!(plan.size_of(whole_100_gb.unwrap()), 64 << 20, "memory for each stays small");
        // The smallest parts hold a terabyte, the largest are as large as services allow.
        assert!(Plan::new(5 << 20).largest_blob() > 1 << 40);
        assert_eq!(Plan::new(5 << 30).size_of(MOST_PARTS - 1), 5 << 30);
    }

    #[test]
    fn offsets_are_sums_of_sizes() {
        for plan in [Plan::new(5 << 20), Plan::new(1 << 30), Plan { part_bytes: 16 << 20, grows: false }] {
            let mut offset = 0;
            for part in 0..MOST_PARTS {
                assert_eq!(plan.offset_of(part), offset, "{plan:?}, part {part}");
                offset += plan.size_of(part) as u64;
            }
            assert_eq!(plan.largest_blob(), offset);
        }
    }

    #[test]
    fn parts_never_shrink_and_the_first_have_the_size_that_was_set() {
        let plan = Plan::new(16 << 20);
        assert!((1..MOST_PARTS).all(|part| plan.size_of(part) >= plan.size_of(part - 1)));
        assert!((0..3000).all(|part| plan.size_of(part) == 16 << 20));
        assert_eq!(Plan { grows: false, ..plan }.size_of(9999), 16 << 20);
    }
}

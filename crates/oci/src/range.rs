//! Byte ranges: `Range` of a blob pull (RFC 9110, section 14) and `Content-Range` of an uploaded chunk
//! (distribution-spec, "Pushing a blob in chunks").

use std::{fmt, ops::Range, str::FromStr};

use crate::text::quoted;

/// The parser of `Range` request headers.
#[derive(Clone, Copy, Debug)]
pub struct ByteRanges;

impl ByteRanges {
    /// Ranges that one request may ask for; a multipart answer of thousands costs more than the whole.
    pub const MAX_COUNT: usize = 16;

    /// Reads a `Range` header against content of `size` bytes.
    ///
    /// The result is never empty, and its ranges are half-open, not empty, inside the content and disjoint:
    /// where some overlap, all are sorted and joined (RFC 9110, section 15.3.7.2), else they keep the
    /// header's order.
    ///
    /// # Errors
    /// [`RangeError::Unsatisfiable`] if no range reaches into the content, which includes any range of empty
    /// content, or one ends before it begins. For the other errors the header is to be ignored and the whole
    /// content sent.
    pub fn parse(header: &str, size: u64) -> Result<Vec<Range<u64>>, RangeError> {
        let (unit, set) = header.split_once('=').ok_or(RangeError::Malformed)?;
        if !unit.trim_ascii().eq_ignore_ascii_case("bytes") {
            return Err(RangeError::Malformed);
        }
        let mut ranges = Vec::new();
        let mut count = 0;
        let mut backwards = false;
        // RFC 9110, section 5.6.1: a recipient accepts empty list elements.
        for spec in set.split(',').map(str::trim_ascii).filter(|spec| !spec.is_empty()) {
            count += 1;
            if count > Self::MAX_COUNT {
                return Err(RangeError::TooMany);
            }
            let range = parse_spec(spec, size)?;
            backwards |= range.start > range.end;
            if range.start < range.end {
                ranges.push(range);
            }
        }
        match count {
            0 => Err(RangeError::Malformed),
            _ if backwards || ranges.is_empty() => Err(RangeError::Unsatisfiable),
            _ => Ok(disjoint(ranges)),
        }
    }
}

/// Reads `first-last`, `first-` or `-suffix`. An unsatisfiable one is empty, one that ends before it begins
/// is reversed.
fn parse_spec(spec: &str, size: u64) -> Result<Range<u64>, RangeError> {
    let (first, last) = spec.split_once('-').ok_or(RangeError::Malformed)?;
    match (first, last) {
        ("", suffix) => Ok(size.saturating_sub(position(suffix)?)..size),
        (first, "") => Ok(position(first)?.min(size)..size),
        (first, last) => {
            let (first, last) = (position(first)?, position(last)?);
            if last < first {
                return Ok(Range { start: 1, end: 0 });
            }
            Ok(first.min(size)..last.saturating_add(1).min(size))
        }
    }
}

/// Reads digits and nothing else. What is too large for any content is as good as the largest number.
fn position(digits: &str) -> Result<u64, RangeError> {
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(RangeError::Malformed);
    }
    Ok(digits.parse().unwrap_or(u64::MAX))
}

fn disjoint(ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let mut sorted = ranges.clone();
    sorted.sort_unstable_by_key(|range| (range.start, range.end));
    if sorted.is_sorted_by(|a, b| a.end <= b.start) {
        return ranges;
    }
    let mut joined: Vec<Range<u64>> = Vec::with_capacity(sorted.len());
    for range in sorted {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// Why a `Range` header selects nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// It isn't a byte range at all; the header is ignored.
    #[error("range is malformed, use bytes=FIRST-LAST, bytes=FIRST- or bytes=-LENGTH")]
    Malformed,
    /// It asks for more than [`ByteRanges::MAX_COUNT`] ranges; the header is ignored.
    #[error("range asks for more than 16 ranges")]
    TooMany,
    /// It lies outside the content, or ends before it begins; answered with 416.
    #[error("range is outside the content")]
    Unsatisfiable,
}

/// Where a chunk lies in its upload.
///
/// Clients send the specification's `0-1023` or HTTP's `bytes 0-1023/2048` and `bytes 0-1023/*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// Offset of the first byte.
    pub first: u64,
    /// Offset of the last byte, inclusive and not before `first`; less than `i64::MAX`.
    pub last: u64,
    /// Length of the whole in bytes, if the client told it.
    pub total: Option<u64>,
}

impl ContentRange {
    /// Reads a `Content-Range` request header.
    pub fn parse(header: &str) -> Result<Self, ContentRangeError> {
        read_content_range(header).ok_or_else(|| ContentRangeError(quoted(header)))
    }

    /// Returns the number of bytes, at least 1.
    pub fn size(&self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }
}

fn read_content_range(header: &str) -> Option<ContentRange> {
    let header = header.trim_ascii();
    let range = match header.get(..5) {
        Some(unit) if unit.eq_ignore_ascii_case("bytes") => {
            header[5..].strip_prefix([' ', '='])?.trim_ascii_start()
        }
        _ => header,
    };
    let (range, total) = match range.split_once('/') {
        Some((range, "*")) => (range, None),
        Some((range, total)) => (range, Some(exact_position(total)?)),
        None => (range, None),
    };
    let (first, last) = range.split_once('-')?;
    let (first, last) = (exact_position(first)?, exact_position(last)?);
    let inside = first <= last && total.is_none_or(|total| last < total);
    inside.then_some(ContentRange { first, last, total })
}

/// Reads an offset that a signed 64-bit offset of a file or a database column can also hold, with room for
/// one more.
fn exact_position(digits: &str) -> Option<u64> {
    position(digits).ok().filter(|position| *position < i64::MAX.cast_unsigned())
}

impl FromStr for ContentRange {
    type Err = ContentRangeError;

    fn from_str(text: &str) -> Result<Self, ContentRangeError> {
        Self::parse(text)
    }
}

impl fmt::Display for ContentRange {
    /// Writes the specification's form, or HTTP's when the total is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.total {
            Some(total) => write!(f, "bytes {}-{}/{total}", self.first, self.last),
            None => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

/// A text that is not the range of a chunk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("content range {0} is invalid: use FIRST-LAST, both inclusive, such as 0-1023")]
pub struct ContentRangeError(String);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "a list of one range is meant")]
    fn reads_ranges() {
        for (header, ranges) in [
            ("bytes=500-1499", vec![500..1500]),
            ("bytes=500-", vec![500..2048]),
            ("bytes=-500", vec![1548..2048]),
            ("bytes=-5000", vec![0..2048]),
            ("bytes=2000-5000", vec![2000..2048]),
            ("Bytes = 0-0, ,5-6,", vec![0..1, 5..7]),
            ("bytes=9-9,0-0", vec![9..10, 0..1]),
            ("bytes=0-0,5000-6000", vec![0..1]),
            ("bytes=5-9,0-4", vec![5..10, 0..5]),
            ("bytes=4-9,0-4,20-21,10-10", vec![0..11, 20..22]),
            ("bytes=0-99999999999999999999999", vec![0..2048]),
            ("bytes=-99999999999999999999999", vec![0..2048]),
        ] {
            assert_eq!(ByteRanges::parse(header, 2048), Ok(ranges), "{header}");
        }
    }

    #[test]
    fn tells_why_there_is_none() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=a-b",
            "bytes=1",
            "bytes=+1-2",
            "bytes=1-2-3",
            "bytes= -",
            "lines=1-2",
            "bytes 1-2",
            "bytes=5000-6000,x",
        ] {
            assert_eq!(ByteRanges::parse(header, 2048), Err(RangeError::Malformed), "{header}");
        }
        for header in ["bytes=2048-", "bytes=5000-10000", "bytes=-0", "bytes=500-0", "bytes=0-1,500-0"] {
            assert_eq!(ByteRanges::parse(header, 2048), Err(RangeError::Unsatisfiable), "{header}");
        }
        assert_eq!(ByteRanges::parse("bytes=0-,-1", 0), Err(RangeError::Unsatisfiable));
        let many = format!("bytes={}", "0-0,".repeat(17));
        assert_eq!(ByteRanges::parse(&many, 2048), Err(RangeError::TooMany));
    }

    #[test]
    fn reads_content_ranges() {
        for (header, first, last, total) in [
            ("0-1023", 0, 1023, None),
            ("bytes 0-1023/2048", 0, 1023, Some(2048)),
            ("bytes 5-5/*", 5, 5, None),
            ("bytes=1-2", 1, 2, None),
            (" Bytes 1-2/3 ", 1, 2, Some(3)),
        ] {
            assert_eq!(ContentRange::parse(header), Ok(ContentRange { first, last, total }), "{header}");
        }
        for header in [
            "",
            "-",
            "1",
            "1-",
            "-1",
            "0--1",
            "2-1",
            "a-b",
            "0-1/",
            "0-1/1",
            "bytes",
            "bytes0-1",
            "bytes */5",
            "0-1/x",
            "0-9223372036854775807",
            "0-99999999999999999999",
            "1-2,4-5",
            "éé-1",
        ] {
            assert!(ContentRange::parse(header).is_err(), "{header}");
        }
        assert_eq!(
            ContentRange::parse("2-1").unwrap_err().to_string(),
            r#"content range "2-1" is invalid: use FIRST-LAST, both inclusive, such as 0-1023"#
        );
    }

    proptest! {
        #[test]
        fn ranges_lie_inside_and_apart(
            header in "bytes=((([0-9]{0,3})-([0-9]{0,3})),){0,18}|bytes=[0-9, -]{0,30}|.*",
            size in prop_oneof![0..1000_u64, any::<u64>()],
        ) {
            if let Ok(ranges) = ByteRanges::parse(&header, size) {
                prop_assert!(!ranges.is_empty() && ranges.len() <= ByteRanges::MAX_COUNT);
                prop_assert!(ranges.iter().all(|range| range.start < range.end && range.end <= size));
                prop_assert!(ranges.iter().map(|range| range.end - range.start).sum::<u64>() <= size);
            }
        }

        #[test]
        fn content_ranges_round_trip(first in 0..1_u64 << 40, more in 0..1_u64 << 40, rest in any::<Option<u16>>()) {
            let last = first + more;
            let range = ContentRange { first, last, total: rest.map(|rest| last + 1 + u64::from(rest)) };
            prop_assert_eq!(range.size(), more + 1);
            prop_assert_eq!(range.to_string().parse(), Ok(range));
        }

        #[test]
        fn content_ranges_are_never_reversed(header in "(bytes )?[0-9]{0,20}-[0-9]{0,20}(/([0-9]{0,20}|\\*))?|.*") {
            if let Ok(range) = ContentRange::parse(&header) {
                prop_assert!(range.first <= range.last && range.last < u64::MAX / 2);
            }
        }
    }
}

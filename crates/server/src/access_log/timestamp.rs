//! Timestamps of log lines. Most lines share their second with the one before, so its text is kept.

use std::cell::RefCell;

use jiff::Timestamp;

/// Calls `then` with `now` as RFC 3339 with microseconds, in UTC: `2026-11-24T16:15:29.123456Z`.
pub(super) fn with_text<T>(now: Timestamp, then: impl FnOnce(&str) -> T) -> T {
    thread_local! {
        static LAST: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
    }
    let micros = now.as_microsecond();
    let second = micros.div_euclid(1_000_000);
    LAST.with_borrow_mut(|(last, text)| {
        if *last != second {
            *last = second;
            text.clear();
            text.push_str(&now.strftime("%Y-%m-%dT%H:%M:%S").to_string());
        }
        let whole = text.len();
        let mut digits = *b".000000Z";
        let mut rest = micros.rem_euclid(1_000_000);
        for digit in digits[1..7].iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
        }
        text.push_str(str::from_utf8(&digits).unwrap_or_default());
        let result = then(text);
        text.truncate(whole);
        result
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_the_library_writes() {
        for micros in [0, 1, 999_999, 1_000_000, 1_000_001, 1_795_536_929_123_456, 1_795_536_929_123_457] {
            let at = Timestamp::from_microsecond(micros).unwrap();
            let expected = format!("{at:.6}");
            assert_eq!(with_text(at, ToOwned::to_owned), expected);
        }
    }
}

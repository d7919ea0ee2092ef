//! When to try again: what the registry asks for, else longer each time, and never all at one moment.

use std::time::Duration;

use parking_lot::Mutex;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use tokio::time::Instant;

/// The first wait; each further one is twice as long.
const FIRST: Duration = Duration::from_millis(250);
/// The longest wait that nobody asked for.
const LONGEST: Duration = Duration::from_secs(20);

/// Keeps every request back while the registry has asked for that.
#[derive(Debug)]
pub(crate) struct Patience {
    not_before: Mutex<Instant>,
}

impl Patience {
    pub(crate) fn new() -> Self {
        Self { not_before: Mutex::new(Instant::now()) }
    }

    /// Waits until requests are welcome again.
    pub(crate) async fn wait(&self) {
        let until = *self.not_before.lock();
        // Not all at once.
        if until > Instant::now() {
            tokio::time::sleep_until(until + jitter(FIRST)).await;
        }
    }

    /// Keeps everybody back for this long from now.
    pub(crate) fn rest(&self, time: Duration) {
        let mut not_before = self.not_before.lock();
        *not_before = (*not_before).max(Instant::now() + time);
    }
}

/// Returns how long to wait before the try after this many.
pub(crate) fn back_off(tries: u32) -> Duration {
    let full = FIRST.saturating_mul(1 << tries.saturating_sub(1).min(10)).min(LONGEST);
    full / 2 + jitter(full / 2)
}

/// Returns a part of a time, at random.
fn jitter(most: Duration) -> Duration {
    // Without random numbers all wait longest.
    let share = getrandom::u32().unwrap_or(u32::MAX);
    most.mul_f64(f64::from(share) / f64::from(u32::MAX))
}

/// Reads `Retry-After`: seconds, or a date, which is compared with the date of the answer and not with our own clock.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = httpdate::parse_http_date(text).ok()?;
    let now = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    Some(then.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let date: reqwest::header::HeaderValue = "Sun, 06 Nov 1994 08:49:30 GMT".parse().unwrap();
        let of = |text: &str| {
            retry_after(&HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap()), (DATE, date.clone())]))
        };
        assert_eq!(of("17"), Some(Duration::from_secs(17)));
        assert_eq!(of("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(7)));
        assert_eq!(of("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(of("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn waits_grow_to_a_bound() {
        for tries in 1..100 {
            let full = FIRST.saturating_mul(1 << (tries - 1).min(10)).min(LONGEST);
            assert!((full / 2..=full).contains(&back_off(tries)));
        }
    }
}

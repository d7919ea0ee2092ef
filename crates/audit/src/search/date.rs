//! Dates as queries write them: ISO 8601, epochs, and date math such as `now-1h/d` or `2026-01-01||+1M`.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::Value;

use super::error::{Error, Result};
use super::pattern::{self, Format, Written};

/// Steps of date math in one expression.
const MOST_STEPS: usize = 16;

/// Parts of a date, the largest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unit {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
}

/// How the dates of a query are to be read.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    /// What `now` is.
    pub(crate) now: Timestamp,
    /// Where dates without an offset are, and days begin.
    pub(crate) zone: TimeZone,
    /// How they are written.
    pub(crate) formats: Vec<Format>,
}

/// What an expression means: a moment, or the day, hour … that it names, which ends before `until`. In microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) from: i64,
    pub(crate) until: i64,
}

/// Finds a time zone by its name in the IANA's database, or by its offset.
pub(crate) fn zone(text: &str) -> Result<TimeZone> {
    if let Some(offset) = pattern::read_offset(text) {
        return Ok(TimeZone::fixed(offset));
    }
    let unknown = |_| Error::argument(format!("unknown time-zone ID: [{text}]"));
    TimeZone::get(text).map_err(unknown)
}

impl Unit {
    /// Adds so many of them.
    pub(crate) fn add(self, civil: DateTime, count: i64) -> Option<DateTime> {
        let span = Span::new();
        let span = match self {
            Self::Year => span.try_years(count),
            Self::Quarter => span.try_months(count.checked_mul(3)?),
            Self::Month => span.try_months(count),
            Self::Week => span.try_weeks(count),
            Self::Day => span.try_days(count),
            Self::Hour => span.try_hours(count),
            Self::Minute => span.try_minutes(count),
            Self::Second => span.try_seconds(count),
            Self::Millisecond => span.try_milliseconds(count),
            Self::Microsecond => span.try_microseconds(count),
        };
        civil.checked_add(span.ok()?).ok()
    }

    /// Returns the begin of the one that a date lies in.
    pub(crate) fn floor(self, civil: DateTime) -> Option<DateTime> {
        let date = civil.date();
        let day = match self {
            Self::Year => date.with().month(1).day(1).build().ok()?,
            Self::Quarter => date.with().day(1).month((date.month() - 1) / 3 * 3 + 1).build().ok()?,
            Self::Month => date.with().day(1).build().ok()?,
            Self::Week => {
                let days = i64::from(date.weekday().to_monday_zero_offset());
                return Self::Day.floor(Self::Day.add(civil, -days)?);
            }
            Self::Day => date,
            Self::Hour | Self::Minute | Self::Second | Self::Millisecond | Self::Microsecond => {
                let time = civil.with().subsec_nanosecond(match self {
                    Self::Microsecond => civil.subsec_nanosecond() / 1_000 * 1_000,
                    Self::Millisecond => civil.subsec_nanosecond() / 1_000_000 * 1_000_000,
                    _ => 0,
                });
                let time = if matches!(self, Self::Hour | Self::Minute) { time.second(0) } else { time };
                let time = if self == Self::Hour { time.minute(0) } else { time };
                return time.build().ok();
            }
        };
        Some(day.to_datetime(jiff::civil::Time::midnight()))
    }

    /// The letter for it in date math.
    fn of_letter(letter: char) -> Option<Self> {
        Some(match letter {
            'y' => Self::Year,
            'M' => Self::Month,
            'w' => Self::Week,
            'd' => Self::Day,
            'h' | 'H' => Self::Hour,
            'm' => Self::Minute,
            's' => Self::Second,
            _ => return None,
        })
    }
}

impl Reading {
    /// Reads dates as Elasticsearch does when nothing else is said.
    pub(crate) fn at(now: Timestamp) -> Self {
        Self { now, zone: TimeZone::UTC, formats: pattern::usual() }
    }

    /// Reads a value.
    pub(crate) fn moment(&self, value: &Value) -> Result<Moment> {
        match value {
            Value::String(text) => self.text(text),
            Value::Number(number) => self.text(&number.to_string()),
            other => Err(Error::date(format!(
                "failed to parse date field [{other}]: a text or a number is wanted"
            ))),
        }
    }

    fn text(&self, text: &str) -> Result<Moment> {
        let failed = || {
            Error::date(format!(
                "failed to parse date field [{text}]: write it as 2026-11-27T10:00:00Z, in milliseconds since 1970, or as now-1h/d"
            ))
        };
        if text.len() > 128 {
            return Err(Error::date("failed to parse date field: longer than 128 bytes"));
        }
        if let Some(math) = text.strip_prefix("now") {
            let now = self.now.as_microsecond();
            return self.steps(Moment { from: now, until: now.saturating_add(1) }, math).ok_or_else(failed);
        }
        if let Some((anchor, math)) = text.split_once("||") {
            let from = self.literal(anchor).ok_or_else(failed)?.from;
            return self.steps(Moment { from, until: from.saturating_add(1) }, math).ok_or_else(failed);
        }
        self.literal(text).ok_or_else(failed)
    }

    /// Reads what is no math.
    fn literal(&self, text: &str) -> Option<Moment> {
        self.formats.iter().find_map(|format| match format {
            Format::EpochMillis => epoch(text, 1_000),
            Format::EpochSecond => epoch(text, 1_000_000),
            format => self.written(format.read(text)?),
        })
    }

    fn written(&self, written: Written) -> Option<Moment> {
        let zone = written.offset.map_or_else(|| self.zone.clone(), TimeZone::fixed);
        let end = written.unit.add(written.civil, 1)?;
        Some(Moment { from: micros(&zone, written.civil)?, until: micros(&zone, end)? })
    }

    /// Follows steps such as `-1h`, `+1M` and `/d`. A rounding goes down for the begin and up for the end.
    fn steps(&self, start: Moment, math: &str) -> Option<Moment> {
        let mut moment = start;
        let mut rest = math;
        let mut rounded = false;
        for _ in 0..=MOST_STEPS {
            let Some(sign) = rest.chars().next() else {
                return Some(if rounded {
                    moment
                } else {
                    Moment { until: moment.from.checked_add(1)?, ..moment }
                });
            };
            if !sign.is_ascii() {
                return None;
            }
            let digits = rest[1..].find(|char: char| !char.is_ascii_digit())? + 1;
            let count: i64 = if digits == 1 { 1 } else { rest[1..digits].parse().ok()? };
            let unit = Unit::of_letter(rest[digits..].chars().next()?)?;
            rest = &rest[digits + 1..];
            moment = match sign {
                '/' if count == 1 => {
                    rounded = true;
                    let begin = unit.floor(self.civil(moment.from))?;
                    // The end that was reached so far is the first moment behind it.
                    let last = if start.until == moment.until { moment.from } else { moment.until - 1 };
                    let end = unit.add(unit.floor(self.civil(last))?, 1)?;
                    Moment { from: micros(&self.zone, begin)?, until: micros(&self.zone, end)? }
                }
                '+' | '-' => {
                    let count = if sign == '-' { -count } else { count };
                    Moment {
                        from: self.add(unit, moment.from, count)?,
                        until: self.add(unit, moment.until, count)?,
                    }
                }
                _ => return None,
            };
        }
        None
    }

    fn add(&self, unit: Unit, at: i64, count: i64) -> Option<i64> {
        // Hours are as long as they are, whatever the clocks do; days and more keep the time of day.
        let zone = if unit >= Unit::Hour { &TimeZone::UTC } else { &self.zone };
        let civil = zone.to_datetime(Timestamp::from_microsecond(at).ok()?);
        micros(zone, unit.add(civil, count)?)
    }

    fn civil(&self, at: i64) -> DateTime {
        self.zone.to_datetime(Timestamp::from_microsecond(at).unwrap_or(Timestamp::UNIX_EPOCH))
    }
}

/// Returns the moment of a date in a zone; where clocks are turned, the earlier one.
pub(crate) fn micros(zone: &TimeZone, civil: DateTime) -> Option<i64> {
    Some(zone.to_timestamp(civil).ok()?.as_microsecond())
}

/// Reads a number of units since 1970, of so many microseconds each, with a fraction if need be.
fn epoch(text: &str, unit: i64) -> Option<Moment> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, part) = digits.split_once('.').map_or((digits, None), |(whole, part)| (whole, Some(part)));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || part.is_some_and(|part| !is_number(part)) {
        return None;
    }
    let digits = if unit == 1_000 { 3 } else { 6 };
    let part: i64 = match part {
        None => 0,
        Some(part) => format!("{part:0<digits$}").get(..digits)?.parse().ok()?,
    };
    let from = whole.parse::<i64>().ok()?.checked_mul(unit)?.checked_add(part)?.checked_mul(sign)?;
    // Beyond what a clock can show there are no records.
    Timestamp::from_microsecond(from).ok()?;
    Some(Moment { from, until: from + if part == 0 { unit } else { 1 } })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(zone_name: &str, text: &str) -> String {
        let now = "2026-11-27T10:11:12.5Z".parse().unwrap();
        let reading = Reading { zone: zone(zone_name).unwrap(), ..Reading::at(now) };
        let show = |at| Timestamp::from_microsecond(at).unwrap().to_string();
        match reading.moment(&json!(text)) {
            Ok(moment) => format!("{} {}", show(moment.from), show(moment.until)),
            Err(error) => error.kind.to_owned(),
        }
    }

    #[test]
    fn math_is_followed_step_by_step() {
        for (text, expected) in [
            ("now", "2026-11-27T10:11:12.5Z 2026-11-27T10:11:12.500001Z"),
            ("now-1h", "2026-11-27T09:11:12.5Z 2026-11-27T09:11:12.500001Z"),
            ("now/d", "2026-11-27T00:00:00Z 2026-11-28T00:00:00Z"),
            ("now-1d/d", "2026-11-26T00:00:00Z 2026-11-27T00:00:00Z"),
            ("now/w", "2026-11-23T00:00:00Z 2026-11-30T00:00:00Z"),
            ("now/M-1d", "2026-10-31T00:00:00Z 2026-11-30T00:00:00Z"),
            ("2026-01-01||+1M/d", "2026-02-01T00:00:00Z 2026-02-02T00:00:00Z"),
            ("2026-01-31||+1M", "2026-02-28T00:00:00Z 2026-02-28T00:00:00.000001Z"),
            ("2026-11", "2026-11-01T00:00:00Z 2026-12-01T00:00:00Z"),
            ("2026-11-27T10:11:12.500Z", "2026-11-27T10:11:12.5Z 2026-11-27T10:11:12.501Z"),
            ("1795774272500", "2026-11-27T10:11:12.5Z 2026-11-27T10:11:12.501Z"),
            ("1795774272500.25", "2026-11-27T10:11:12.50025Z 2026-11-27T10:11:12.500251Z"),
        ] {
            assert_eq!(read("UTC", text), expected, "{text}");
        }
    }

    #[test]
    fn days_begin_where_the_zone_says() {
        assert_eq!(read("Asia/Shanghai", "now/d"), "2026-11-26T16:00:00Z 2026-11-27T16:00:00Z");
        assert_eq!(read("+08:00", "2026-11-27"), "2026-11-26T16:00:00Z 2026-11-27T16:00:00Z");
        // The night in which clocks are turned back is an hour longer.
        assert_eq!(read("Europe/Berlin", "2026-10-25"), "2026-10-24T22:00:00Z 2026-10-25T23:00:00Z");
        assert!(zone("Mars/Olympus").is_err());
    }

    #[test]
    fn nonsense_is_refused() {
        let long = format!("now{}", "+1d".repeat(30));
        for text in [
            "",
            "nowhere",
            "now+",
            "now+1",
            "now+1x",
            "now/2d",
            "now-99999999999999999999d",
            "now+999999999y",
            "yesterday",
            "||",
            "2026-01-01||x",
            "9999999999999999999",
            &long,
            "now-é",
            "nowé1d",
        ] {
            assert_eq!(read("UTC", text), "parse_exception", "{text}");
        }
    }
}

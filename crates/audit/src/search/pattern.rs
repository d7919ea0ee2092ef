//! Formats of dates: the names and letters that Elasticsearch takes from Java, as far as they are used.

use std::fmt::Write as _;

use jiff::ZonedDateTime;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

use super::date::Unit;
use super::error::{Error, Result};

/// How dates are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Format {
    /// ISO 8601 from the year to a fraction of a second, with or without a zone.
    Iso,
    /// Milliseconds since 1970.
    EpochMillis,
    /// Seconds since 1970.
    EpochSecond,
    /// Letters.
    Letters(Vec<Letter>),
}

/// A part of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Letter {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Fraction(usize),
    /// `+08:00`, and `Z` for UTC.
    Zone,
    Literal(char),
}

/// A date as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) civil: DateTime,
    pub(crate) offset: Option<Offset>,
    /// The last part that was written.
    pub(crate) unit: Unit,
}

/// Formats when nothing names one.
pub(crate) fn usual() -> Vec<Format> {
    vec![Format::Iso, Format::EpochMillis]
}

/// Reads the formats of a field, parted by `||`.
pub(crate) fn parse(text: &str) -> Result<Vec<Format>> {
    text.split("||").map(parse_one).collect()
}

fn parse_one(text: &str) -> Result<Format> {
    match text.trim_start_matches("strict_") {
        "date_optional_time"
        | "date_optional_time_nanos"
        | "date_time"
        | "date_time_no_millis"
        | "date"
        | "year_month"
        | "year"
        | "dateOptionalTime"
        | "iso8601" => Ok(Format::Iso),
        "epoch_millis" => Ok(Format::EpochMillis),
        "epoch_second" => Ok(Format::EpochSecond),
        _ => letters(text).map(Format::Letters),
    }
}

fn letters(text: &str) -> Result<Vec<Letter>> {
    let invalid = || Error::argument(format!("Invalid format: [{text}]: not supported"));
    let mut letters = Vec::new();
    let mut rest = text.chars().peekable();
    let mut quoted = false;
    while let Some(char) = rest.next() {
        if char == '\'' {
            quoted = !quoted;
            continue;
        }
        if quoted || !char.is_ascii_alphabetic() {
            letters.push(Letter::Literal(char));
            continue;
        }
        let mut count = 1;
        while rest.next_if_eq(&char).is_some() {
            count += 1;
        }
        letters.push(match (char, count) {
            ('y' | 'u', 4) => Letter::Year,
            ('M', 2) => Letter::Month,
            ('d', 2) => Letter::Day,
            ('H', 2) => Letter::Hour,
            ('m', 2) => Letter::Minute,
            ('s', 2) => Letter::Second,
            ('S', 1..=6) => Letter::Fraction(count),
            ('X' | 'Z', _) => Letter::Zone,
            _ => return Err(invalid()),
        });
    }
    if quoted || letters.is_empty() || letters.len() > 64 { Err(invalid()) } else { Ok(letters) }
}

impl Format {
    /// Reads a date; `None` if it is not written in this format. Epochs are read by their caller.
    pub(crate) fn read(&self, text: &str) -> Option<Written> {
        match self {
            Self::Iso => read_iso(text),
            Self::EpochMillis | Self::EpochSecond => None,
            Self::Letters(letters) => read_letters(letters, text),
        }
    }

    /// Writes a moment.
    pub(crate) fn write(&self, at: &ZonedDateTime) -> String {
        match self {
            Self::EpochMillis => at.timestamp().as_millisecond().to_string(),
            Self::EpochSecond => at.timestamp().as_second().to_string(),
            Self::Iso => {
                let mut text = at.strftime("%Y-%m-%dT%H:%M:%S%.3f").to_string();
                text.push_str(&zone(at.offset()));
                text
            }
            Self::Letters(letters) => {
                let mut text = String::new();
                for letter in letters {
                    // A string takes all that is written to it.
                    let _ = match letter {
                        Letter::Year => write!(text, "{:04}", at.year()),
                        Letter::Month => write!(text, "{:02}", at.month()),
                        Letter::Day => write!(text, "{:02}", at.day()),
                        Letter::Hour => write!(text, "{:02}", at.hour()),
                        Letter::Minute => write!(text, "{:02}", at.minute()),
                        Letter::Second => write!(text, "{:02}", at.second()),
                        Letter::Fraction(digits) => {
                            let all = format!("{:09}", at.subsec_nanosecond());
                            write!(text, "{}", &all[..*digits])
                        }
                        Letter::Zone => write!(text, "{}", zone(at.offset())),
                        Letter::Literal(char) => write!(text, "{char}"),
                    };
                }
                text
            }
        }
    }
}

/// Writes an offset as ISO 8601 does.
fn zone(offset: Offset) -> String {
    let minutes = offset.seconds() / 60;
    if minutes == 0 {
        return "Z".into();
    }
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

/// Reads `Z`, `+08`, `+0800` or `+08:00`.
pub(crate) fn read_offset(text: &str) -> Option<Offset> {
    if text == "Z" {
        return Some(Offset::UTC);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits: String = text.strip_prefix(['+', '-'])?.replacen(':', "", 1);
    if !matches!(digits.len(), 2 | 4) {
        return None;
    }
    let hours = number(digits.get(..2)?, 2)?;
    let minutes = if digits.len() == 4 { number(digits.get(2..)?, 2)? } else { 0 };
    (hours <= 18 && minutes < 60).then(|| Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok())?
}

/// Reads exactly so many digits.
fn number(text: &str, digits: usize) -> Option<i32> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// The parts of a date while it is read: year, month, day, hour, minute, second, nanosecond.
struct Parts([i32; 7]);

impl Parts {
    fn new() -> Self {
        Self([1970, 1, 1, 0, 0, 0, 0])
    }

    fn civil(&self) -> Option<DateTime> {
        let [year, month, day, hour, minute, second, nanos] = self.0;
        let small = |value: i32| i8::try_from(value).ok();
        let date = Date::new(i16::try_from(year).ok()?, small(month)?, small(day)?).ok()?;
        let time = Time::new(small(hour)?, small(minute)?, small(second)?, nanos).ok()?;
        Some(DateTime::from_parts(date, time))
    }
}

/// Reads a fraction of a second of up to nine digits.
fn fraction(digits: &str) -> Option<(i32, Unit)> {
    if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let unit = if digits.len() <= 3 { Unit::Millisecond } else { Unit::Microsecond };
    Some((format!("{digits:0<9}").parse().ok()?, unit))
}

fn read_iso(text: &str) -> Option<Written> {
    let mut parts = Parts::new();
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut unit = Unit::Year;
    if date.split('-').count() > 3 {
        return None;
    }
    let places = [(4, Unit::Year), (2, Unit::Month), (2, Unit::Day)];
    for (index, (part, (digits, named))) in date.split('-').zip(places).enumerate() {
        parts.0[index] = number(part, digits)?;
        unit = named;
    }
    if time.is_some() && unit != Unit::Day {
        return None;
    }
    let mut offset = None;
    if let Some(time) = time.filter(|time| !time.is_empty()) {
        let end = time.find(['Z', '+', '-']).unwrap_or(time.len());
        let (clock, rest) = time.split_at(end);
        if !rest.is_empty() {
            offset = Some(read_offset(rest)?);
        }
        let (clock, small) = match clock.split_once(['.', ',']) {
            Some((clock, digits)) => (clock, Some(fraction(digits)?)),
            None => (clock, None),
        };
        let units = [Unit::Hour, Unit::Minute, Unit::Second];
        let count = clock.split(':').count();
        if count > 3 || small.is_some() && count != 3 {
            return None;
        }
        for (index, part) in clock.split(':').enumerate() {
            parts.0[3 + index] = number(part, 2)?;
            unit = units[index];
        }
        if let Some((nanos, named)) = small {
            parts.0[6] = nanos;
            unit = named;
        }
    }
    Some(Written { civil: parts.civil()?, offset, unit })
}

fn read_letters(letters: &[Letter], text: &str) -> Option<Written> {
    let (mut parts, mut offset, mut unit) = (Parts::new(), None, Unit::Year);
    let mut rest = text;
    for letter in letters {
        let (place, digits, named) = match letter {
            Letter::Literal(char) => {
                rest = rest.strip_prefix(*char)?;
                continue;
            }
            Letter::Zone => {
                offset = Some(read_offset(rest)?);
                rest = "";
                continue;
            }
            Letter::Fraction(digits) => {
                let (nanos, named) = fraction(rest.get(..*digits)?)?;
                parts.0[6] = nanos;
                unit = named;
                rest = &rest[*digits..];
                continue;
            }
            Letter::Year => (0, 4, Unit::Year),
            Letter::Month => (1, 2, Unit::Month),
            Letter::Day => (2, 2, Unit::Day),
            Letter::Hour => (3, 2, Unit::Hour),
            Letter::Minute => (4, 2, Unit::Minute),
            Letter::Second => (5, 2, Unit::Second),
        };
        parts.0[place] = number(rest.get(..digits)?, digits)?;
        rest = &rest[digits..];
        // The smallest, in whichever order they come.
        unit = unit.max(named);
    }
    rest.is_empty().then_some(())?;
    Some(Written { civil: parts.civil()?, offset, unit })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iso(text: &str) -> Option<(String, Unit)> {
        read_iso(text).map(|written| (written.civil.to_string(), written.unit))
    }

    #[test]
    fn iso_is_read_to_the_part_where_it_ends() {
        for (text, civil, unit) in [
            ("2026", "2026-01-01T00:00:00", Unit::Year),
            ("2026-11", "2026-11-01T00:00:00", Unit::Month),
            ("2026-11-27", "2026-11-27T00:00:00", Unit::Day),
            ("2026-11-27T10", "2026-11-27T10:00:00", Unit::Hour),
            ("2026-11-27T10:11", "2026-11-27T10:11:00", Unit::Minute),
            ("2026-11-27T10:11:12Z", "2026-11-27T10:11:12", Unit::Second),
            ("2026-11-27T10:11:12.5+08:00", "2026-11-27T10:11:12.5", Unit::Millisecond),
            ("2026-11-27T10:11:12.123456Z", "2026-11-27T10:11:12.123456", Unit::Microsecond),
        ] {
            assert_eq!(iso(text), Some((civil.to_owned(), unit)), "{text}");
        }
        for wrong in [
            "",
            "26",
            "2026-1",
            "2026-13-01",
            "2026-11T10",
            "2026-11-27 10:00",
            "2026-11-27T25",
            "2026-01-01-01",
        ] {
            assert_eq!(iso(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn letters_read_what_they_write() {
        let at = "2026-11-27T10:11:12.345+08:00[+08:00]".parse::<ZonedDateTime>().unwrap();
        for (format, text) in [
            ("yyyy-MM-dd", "2026-11-27"),
            ("dd.MM.uuuu HH:mm:ss", "27.11.2026 10:11:12"),
            ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "2026-11-27T10:11:12.345+08:00"),
        ] {
            let format = &parse(format).unwrap()[0];
            assert_eq!(format.write(&at), text);
            assert!(format.read(text).is_some(), "{text}");
        }
        assert_eq!(Format::Iso.write(&at), "2026-11-27T10:11:12.345+08:00");
        assert!(parse("EEE, dd").unwrap_err().reason.contains("[EEE, dd]"));
    }
}

//! `date_histogram`: records by hours, days, months …

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::{MOST_BUCKETS, count, field_of, none_but};
use crate::search::date::{Reading, Unit, micros, zone};
use crate::search::error::{Error, Result};
use crate::search::field::Kind;
use crate::search::pattern::{self, Format};

/// How records are parted by their time.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    /// Whether records have the field that is named.
    pub(crate) is_known: bool,
    pub(crate) step: Step,
    pub(crate) zone: TimeZone,
    /// In microseconds.
    pub(crate) offset: i64,
    pub(crate) least: u64,
    /// Shown also where there are no records: the first moment of the first and of the last bucket.
    pub(crate) extended: Option<(i64, i64)>,
    pub(crate) format: Format,
    pub(crate) is_keyed: bool,
    pub(crate) descending: bool,
}

/// From one bucket to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many microseconds.
    Fixed(i64),
    /// As the calendar says.
    Calendar(Unit),
}

const KNOWN: [&str; 10] = [
    "field",
    "fixed_interval",
    "calendar_interval",
    "time_zone",
    "offset",
    "min_doc_count",
    "extended_bounds",
    "format",
    "keyed",
    "order",
];

impl Histogram {
    pub(super) fn parse(body: &Map<String, Value>, reading: &Reading) -> Result<Self> {
        if body.contains_key("interval") {
            return Err(Error::parsing(
                "[date_histogram] does not support [interval]: write [fixed_interval] or [calendar_interval]",
            ));
        }
        none_but("date_histogram", body, &KNOWN)?;
        let field = field_of("date_histogram", body)?;
        if let Some(field) = field.filter(|field| field.kind != Kind::Date) {
            return Err(Error::argument(format!(
                "Field [{}] of type [{}] is not supported for aggregation [date_histogram]",
                field.name,
                field.kind.as_str()
            )));
        }
        let text = |key: &str| body.get(key).and_then(Value::as_str);
        let step = match (text("fixed_interval"), text("calendar_interval")) {
            (Some(text), None) => Step::Fixed(fixed(text)?),
            (None, Some(text)) => Step::Calendar(calendar(text)?),
            (Some(_), Some(_)) => {
                return Err(Error::argument(
                    "Cannot use [fixed_interval] with [calendar_interval] configuration option.",
                ));
            }
            (None, None) => {
                return Err(Error::argument("Invalid interval specified, must be non-null and non-empty"));
            }
        };
        let mut reading = reading.clone();
        if let Some(name) = text("time_zone") {
            reading.zone = zone(name)?;
        }
        let format = match text("format") {
            Some(text) => pattern::parse(text)?.swap_remove(0),
            None => Format::Iso,
        };
        let offset = text("offset").map_or(Ok(0), |text| match text.strip_prefix('-') {
            Some(text) => fixed(text).map(|offset| -offset),
            None => fixed(text.trim_start_matches('+')),
        })?;
        let mut histogram = Self {
            is_known: field.is_some(),
            step,
            zone: reading.zone.clone(),
            offset,
            least: body.get("min_doc_count").map_or(Ok(0), |value| count("min_doc_count", value))? as u64,
            extended: None,
            format,
            is_keyed: body.get("keyed").and_then(Value::as_bool).unwrap_or(false),
            descending: is_descending(body.get("order"))?,
        };
        if let Some(bounds) = body.get("extended_bounds") {
            let side = |key: &str| -> Result<i64> {
                let value = bounds
                    .get(key)
                    .ok_or_else(|| Error::parsing(format!("[extended_bounds] has no [{key}]")))?;
                Ok(histogram.floor(reading.moment(value)?.from))
            };
            let (first, last) = (side("min")?, side("max")?);
            if first > last {
                return Err(Error::argument(
                    "[extended_bounds.min] cannot be greater than [extended_bounds.max]",
                ));
            }
            histogram.extended = Some((first, last));
        }
        Ok(histogram)
    }

    /// Returns the first moment of the bucket that a moment lies in.
    pub(crate) fn floor(&self, at: i64) -> i64 {
        let at = at.saturating_sub(self.offset);
        let moment = Timestamp::from_microsecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
        let floor = match self.step {
            Step::Fixed(step) => {
                let shift = i64::from(self.zone.to_offset(moment).seconds()) * 1_000_000;
                (at + shift).div_euclid(step) * step - shift
            }
            Step::Calendar(unit) if unit >= Unit::Hour => {
                // An hour that comes twice is two hours.
                let shift = i64::from(self.zone.to_offset(moment).seconds()) * 1_000_000;
                let size = if unit == Unit::Hour { 3_600_000_000 } else { 60_000_000 };
                (at + shift).div_euclid(size) * size - shift
            }
            Step::Calendar(unit) => unit
                .floor(self.zone.to_datetime(moment))
                .and_then(|civil| micros(&self.zone, civil))
                .unwrap_or(at),
        };
        floor.saturating_add(self.offset)
    }

    /// Returns the first moment of the bucket behind one that begins at `floor`.
    fn next(&self, floor: i64) -> i64 {
        let start = floor.saturating_sub(self.offset);
        let next = match self.step {
            Step::Fixed(step) => start.saturating_add(step),
            Step::Calendar(Unit::Hour) => start.saturating_add(3_600_000_000),
            Step::Calendar(Unit::Minute) => start.saturating_add(60_000_000),
            Step::Calendar(unit) => {
                let moment = Timestamp::from_microsecond(start).unwrap_or(Timestamp::UNIX_EPOCH);
                let civil = unit.add(self.zone.to_datetime(moment), 1);
                civil.and_then(|civil| micros(&self.zone, civil)).unwrap_or(i64::MAX)
            }
        };
        let next = next.saturating_add(self.offset);
        // Where clocks are turned, a bucket may begin elsewhere than one step on.
        let snapped = self.floor(next);
        if snapped > floor { snapped } else { next.max(floor + 1) }
    }

    /// Lists the begins of all buckets from that of `first` to that of `last`, and the end of the last.
    pub(crate) fn bounds(&self, first: i64, last: i64) -> Result<Vec<i64>> {
        let (mut at, last) = (self.floor(first), self.floor(last));
        let mut bounds = vec![at];
        while at <= last {
            if bounds.len() > MOST_BUCKETS {
                return Err(Error::too_many_buckets(MOST_BUCKETS));
            }
            at = self.next(at);
            bounds.push(at);
        }
        Ok(bounds)
    }

    /// Writes the begin of a bucket.
    pub(crate) fn text(&self, at: i64) -> String {
        let moment = Timestamp::from_microsecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
        self.format.write(&moment.to_zoned_datetime(self.zone.clone()))
    }
}

fn is_descending(order: Option<&Value>) -> Result<bool> {
    let Some(order) = order else { return Ok(false) };
    let order = order.as_array().and_then(|all| all.first()).unwrap_or(order);
    match order.get("_key").and_then(Value::as_str) {
        Some("asc") => Ok(false),
        Some("desc") => Ok(true),
        _ => Err(Error::argument(format!(
            "[date_histogram] with [order] {order} is not supported: use [_key]"
        ))),
    }
}

/// Reads `30s`, `5m`, `1h`, `1d` or `100ms`.
fn fixed(text: &str) -> Result<i64> {
    let wrong = || {
        Error::argument(format!(
            "failed to parse setting [date_histogram.fixed_interval] with value [{text}] as a time value"
        ))
    };
    let digits = text.find(|char: char| !char.is_ascii_digit()).ok_or_else(wrong)?;
    let unit: i64 = match &text[digits..] {
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return Err(wrong()),
    };
    let number: i64 = text[..digits].parse().map_err(|_| wrong())?;
    number.checked_mul(unit).filter(|interval| *interval > 0).ok_or_else(wrong)
}

fn calendar(text: &str) -> Result<Unit> {
    Ok(match text {
        "minute" | "1m" => Unit::Minute,
        "hour" | "1h" => Unit::Hour,
        "day" | "1d" => Unit::Day,
        "week" | "1w" => Unit::Week,
        "month" | "1M" => Unit::Month,
        "quarter" | "1q" => Unit::Quarter,
        "year" | "1y" => Unit::Year,
        _ => {
            return Err(Error::argument(format!(
                "The supplied interval [{text}] could not be parsed as a calendar interval."
            )));
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn histogram(body: &Value) -> Result<Histogram> {
        let reading = Reading::at("2026-11-27T10:11:12Z".parse().unwrap());
        Histogram::parse(body.as_object().unwrap(), &reading)
    }

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    fn begins(body: &Value, first: &str, last: &str) -> Vec<String> {
        let histogram = histogram(body).unwrap();
        let bounds = histogram.bounds(at(first), at(last)).unwrap();
        bounds[..bounds.len() - 1].iter().map(|at| histogram.text(*at)).collect()
    }

    #[test]
    fn buckets_begin_where_elasticsearch_has_them() {
        let month =
            json!({ "field": "@timestamp", "calendar_interval": "month", "time_zone": "Europe/Berlin" });
        assert_eq!(
            begins(&month, "2026-03-31T22:30:00Z", "2026-05-01T00:00:00Z"),
            ["2026-04-01T00:00:00.000+02:00", "2026-05-01T00:00:00.000+02:00"]
        );
        let hours = json!({ "field": "@timestamp", "fixed_interval": "12h", "format": "yyyy-MM-dd HH:mm" });
        assert_eq!(
            begins(&hours, "2026-11-27T11:59:59Z", "2026-11-28T00:00:00Z"),
            ["2026-11-27 00:00", "2026-11-27 12:00", "2026-11-28 00:00"]
        );
        let shifted = json!({ "field": "@timestamp", "calendar_interval": "day", "offset": "+6h" });
        assert_eq!(
            begins(&shifted, "2026-11-27T05:00:00Z", "2026-11-27T05:00:00Z"),
            ["2026-11-26T06:00:00.000Z"]
        );
    }

    #[test]
    fn the_day_that_clocks_are_turned_back_is_one_bucket_and_its_double_hour_two() {
        let day = json!({ "field": "@timestamp", "calendar_interval": "1d", "time_zone": "Europe/Berlin" });
        let day = histogram(&day).unwrap();
        let bounds = day.bounds(at("2026-10-25T00:00:00Z"), at("2026-10-25T00:00:00Z")).unwrap();
        assert_eq!(bounds[1] - bounds[0], 25 * 3_600_000_000);
        let hour = json!({ "field": "@timestamp", "calendar_interval": "1h", "time_zone": "Europe/Berlin" });
        assert_eq!(begins(&hour, "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z").len(), 3);
    }

    #[test]
    fn a_million_buckets_are_refused() {
        let second = histogram(&json!({ "field": "@timestamp", "fixed_interval": "1s" })).unwrap();
        let error = second.bounds(0, at("2026-11-27T00:00:00Z")).unwrap_err();
        assert_eq!(error.kind, "too_many_buckets_exception");
        for interval in ["0s", "1", "s", "1x", "99999999999999d", "-1s"] {
            assert!(
                histogram(&json!({ "field": "@timestamp", "fixed_interval": interval })).is_err(),
                "{interval}"
            );
        }
    }
}

//! Rates as the configuration writes them: `5/s`, `30/m`, `100/h` or `off`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How often: `5/s`, `30/m`, `100/h`, or `off`. Nginx's spelling, `5r/s`, is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    times: u32,
    unit: char,
}

const MOST: u32 = 1_000_000;

impl Rate {
    /// Nothing is limited.
    pub const OFF: Self = Self { times: 0, unit: 's' };

    pub(super) const fn per_second(times: u32) -> Self {
        Self { times, unit: 's' }
    }

    pub(super) const fn per_minute(times: u32) -> Self {
        Self { times, unit: 'm' }
    }

    /// Time from one to the next; none if nothing is limited.
    pub(super) fn interval(self) -> Option<Duration> {
        let seconds = match self.unit {
            'h' => 3_600,
            'm' => 60,
            _ => 1,
        };
        (self.times > 0).then(|| Duration::from_secs(seconds) / self.times)
    }
}

/// A text that is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no rate: write 5/s, 30/m, 100/h (1 to 1000000 times) or off")]
pub struct RateError(String);

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let parse = || {
            let (times, unit) = text.split_once('/')?;
            let times = times.strip_suffix('r').unwrap_or(times).parse().ok()?;
            let unit = ["s", "m", "h"].into_iter().find(|known| *known == unit)?.chars().next()?;
            (1..=MOST).contains(&times).then_some(Self { times, unit })
        };
        if text == "off" {
            return Ok(Self::OFF);
        }
        parse().ok_or_else(|| RateError(text.chars().take(32).collect()))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.times {
            0 => f.write_str("off"),
            times => write!(f, "{times}/{}", self.unit),
        }
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Rate {
    fn schema_name() -> Cow<'static, str> {
        "Rate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How often: `5/s`, `30/m`, `100/h`, or `off`.",
            "type": "string",
            "pattern": "^([0-9]+r?/[smh]|off)$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_it_read() {
        for text in ["5/s", "30/m", "100/h", "off", "1000000/s"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        assert_eq!("5r/s".parse::<Rate>().unwrap(), Rate::per_second(5));
        assert_eq!(Rate::per_minute(30).interval(), Some(Duration::from_secs(2)));
        assert_eq!(Rate::OFF.interval(), None);
    }

    #[test]
    fn refuses_what_is_none() {
        for text in ["", "5", "5/", "/s", "0/s", "-1/s", "5/d", "5 /s", "1000001/s", "5/ss", "0.5/s"] {
            let error = text.parse::<Rate>().unwrap_err().to_string();
            assert!(
                error.ends_with("is no rate: write 5/s, 30/m, 100/h (1 to 1000000 times) or off"),
                "{error}"
            );
        }
    }
}

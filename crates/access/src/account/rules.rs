//! Rules for credentials that Berth keeps itself: parts of the configuration.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Error;

/// Longer ones are no passwords.
const MAX_BYTES: usize = 1024;
const DAY: i64 = 86_400;

/// Rules for passwords that people choose, of accounts that Berth keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PasswordRules {
    /// Characters that a password must have at least.
    #[schemars(range(min = 1, max = 128))]
    pub min_length: usize,
    /// How many of small letters, capital letters, digits and other characters it must contain.
    #[schemars(range(min = 0, max = 4))]
    pub classes: usize,
    /// How many of the last passwords may not be used again. 0 remembers none.
    #[schemars(range(max = 24))]
    pub history: usize,
    /// After how many days a password must be changed. 0: never.
    pub max_age_days: u32,
    /// Whether somebody else's choice of a password (the first one, and one that was reset) must be changed before anything else is
    /// allowed.
    pub change_first: bool,
    /// After how many wrong passwords in a row none is right for a while. 0: never.
    pub lock_after: u32,
    /// How long that is, in seconds; it doubles with each further one.
    pub lock_seconds: u32,
    /// How long it is at most, in seconds.
    pub lock_max_seconds: u32,
}

impl Default for PasswordRules {
    fn default() -> Self {
        Self {
            min_length: 8,
            classes: 3,
            history: 5,
            max_age_days: 0,
            change_first: true,
            lock_after: 5,
            lock_seconds: 30,
            lock_max_seconds: 900,
        }
    }
}

/// Rules for robots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RobotRules {
    /// For how many days a robot may be made or renewed at most. 0: also for ever.
    pub max_days: u32,
}

impl Default for RobotRules {
    fn default() -> Self {
        Self { max_days: 365 }
    }
}

/// Rules for application passwords.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ApplicationPasswordRules {
    /// For how many days one may be made at most.
    #[schemars(range(min = 1))]
    pub max_days: u32,
}

impl Default for ApplicationPasswordRules {
    fn default() -> Self {
        Self { max_days: 365 }
    }
}

/// How long a login in a browser lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SessionRules {
    /// Minutes without a request after which it ends.
    #[schemars(range(min = 1))]
    pub idle_minutes: u32,
    /// Hours after which it ends in any case.
    #[schemars(range(min = 1))]
    pub absolute_hours: u32,
}

impl Default for SessionRules {
    fn default() -> Self {
        Self { idle_minutes: 60, absolute_hours: 12 }
    }
}

impl PasswordRules {
    /// Refuses a password that is too simple, and says what it lacks.
    pub fn check(&self, name: &str, password: &str) -> Result<(), Error> {
        let mut lacks = Vec::new();
        let length = password.chars().count();
        if length < self.min_length.max(1) {
            lacks.push(format!("has {length} characters, and needs {}", self.min_length.max(1)));
        }
        if password.len() > MAX_BYTES {
            lacks.push(format!("is longer than {MAX_BYTES} bytes"));
        }
        let classes = classes(password);
        if classes < self.classes.min(4) {
            lacks.push(format!(
                "contains {classes} of small letters, capital letters, digits and other characters, and needs {}",
                self.classes.min(4)
            ));
        }
        if name.chars().count() > 2 && password.to_lowercase().contains(&name.to_lowercase()) {
            lacks.push("contains the user's name".to_owned());
        }
        // Basic credentials can't carry them.
        if password.chars().any(char::is_control) {
            lacks.push("contains a control character".to_owned());
        }
        if lacks.is_empty() { Ok(()) } else { Err(Error::Weak(lacks.join("; it "))) }
    }

    /// Returns until when no password is right after so many wrong ones, the last of them now.
    pub(crate) fn locked_until(&self, failures: u64, now: Timestamp) -> Option<Timestamp> {
        let beyond = failures.checked_sub(self.lock_after.into()).filter(|_| self.lock_after > 0)?;
        let doubled = u32::try_from(beyond)
            .ok()
            .and_then(|beyond| 1_i64.checked_shl(beyond.min(32)))
            .unwrap_or(i64::MAX);
        let most = i64::from(self.lock_max_seconds.max(self.lock_seconds));
        let seconds = i64::from(self.lock_seconds).saturating_mul(doubled).min(most);
        Some(after(now, seconds))
    }

    /// Returns when a password set at `changed_at` must be changed.
    pub(crate) fn ends_at(&self, changed_at: Option<Timestamp>) -> Option<Timestamp> {
        (self.max_age_days > 0).then_some(())?;
        Some(after(changed_at?, i64::from(self.max_age_days) * DAY))
    }
}

impl RobotRules {
    /// Returns the most days that a robot may live; none for no such limit.
    pub fn most(&self) -> Option<u32> {
        (self.max_days > 0).then_some(self.max_days)
    }

    /// Returns when a robot ends that is to live for so many days; `None` asks for ever.
    pub(crate) fn expiry(&self, days: Option<u32>, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        match (days, self.max_days) {
            (Some(0), _) => Err(Error::NoDays),
            (Some(days), most) if most > 0 && days > most => {
                Err(Error::TooLong { what: "robot", days, most, key: "access.robots.max_days" })
            }
            (None, most) if most > 0 => Err(Error::ForEver { most }),
            (days, _) => Ok(days.map(|days| after(now, i64::from(days) * DAY))),
        }
    }
}

impl ApplicationPasswordRules {
    /// Returns when an application password ends that is to live for so many days.
    pub(crate) fn expiry(&self, days: u32, now: Timestamp) -> Result<Timestamp, Error> {
        let most = self.max_days.max(1);
        match days {
            0 => Err(Error::NoDays),
            days if days > most => Err(Error::TooLong {
                what: "application password",
                days,
                most,
                key: "access.application_passwords.max_days",
            }),
            days => Ok(after(now, i64::from(days) * DAY)),
        }
    }
}

impl SessionRules {
    /// Returns when a session that begins now ends at the latest.
    pub fn ends_at(&self, now: Timestamp) -> Timestamp {
        after(now, i64::from(self.absolute_hours.max(1)) * 3600)
    }

    /// Tells whether a session is over that was used last at `seen_at`.
    pub fn is_over(&self, seen_at: Timestamp, ends_at: Timestamp, now: Timestamp) -> bool {
        now >= ends_at || now >= after(seen_at, i64::from(self.idle_minutes.max(1)) * 60)
    }
}

fn classes(password: &str) -> usize {
    let of: [fn(char) -> bool; 4] = [
        char::is_lowercase,
        char::is_uppercase,
        |char| char.is_numeric(),
        |char| !char.is_lowercase() && !char.is_uppercase() && !char.is_numeric(),
    ];
    of.into_iter().filter(|class| password.chars().any(class)).count()
}

pub(crate) fn after(time: Timestamp, seconds: i64) -> Timestamp {
    time.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    #[test]
    fn passwords_are_refused_with_all_that_they_lack() {
        let rules = PasswordRules::default();
        for right in ["Secret-1", "passwort-Ö-groß", "correct horse Battery", "密码密码密码Aa1"] {
            assert_eq!(rules.check("alice", right), Ok(()), "{right}");
        }
        let lacks = |password: &str| rules.check("alice", password).unwrap_err().to_string();
        assert!(lacks("short").contains("5 characters") && lacks("short").contains("1 of small letters"));
        assert!(lacks("xx-Alice-99").contains("the user's name"));
        assert!(lacks("Secret-1\n").contains("control"));
        assert!(lacks(&"Ab1-".repeat(300)).contains("longer"));
        assert!(!lacks("short").contains("short"), "the password is not repeated");
    }

    #[test]
    fn the_lock_doubles_up_to_its_maximum() {
        let rules = PasswordRules::default();
        assert_eq!(rules.locked_until(4, at(0)), None);
        for (failures, seconds) in
            [(5, 30), (6, 60), (7, 120), (9, 480), (10, 900), (1_000_000, 900), (u64::MAX, 900)]
        {
            assert_eq!(rules.locked_until(failures, at(0)), Some(at(seconds)), "{failures}");
        }
        assert_eq!(PasswordRules { lock_after: 0, ..rules }.locked_until(99, at(0)), None);
    }

    #[test]
    fn nothing_lives_longer_than_the_rules_say() {
        let robots = RobotRules { max_days: 30 };
        assert_eq!(robots.expiry(Some(30), at(0)), Ok(Some(at(30 * DAY))));
        assert!(robots.expiry(Some(31), at(0)).unwrap_err().to_string().contains("access.robots.max_days"));
        assert!(robots.expiry(None, at(0)).is_err() && robots.expiry(Some(0), at(0)).is_err());
        assert_eq!(RobotRules { max_days: 0 }.expiry(None, at(0)), Ok(None));
        let rules = ApplicationPasswordRules { max_days: 10 };
        assert_eq!(rules.expiry(10, at(0)), Ok(at(10 * DAY)));
        assert!(rules.expiry(11, at(0)).is_err() && rules.expiry(0, at(0)).is_err());
        let sessions = SessionRules::default();
        let ends = sessions.ends_at(at(0));
        assert!(!sessions.is_over(at(0), ends, at(3599)) && sessions.is_over(at(0), ends, at(3600)));
        assert!(
            !sessions.is_over(at(43_000), ends, at(43_199)) && sessions.is_over(at(43_199), ends, at(43_200))
        );
    }
}

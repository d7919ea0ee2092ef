//! Names of accounts and robots.

use std::fmt;

use berth_oci::RepositoryName;

use crate::caller::Identity;
use crate::federation::JOB;

/// How robots' names begin: with a character that means nothing to a shell, and as Harbor's do.
const PREFIXES: [&str; 2] = ["robot+", "robot$"];
const MAX_ROBOT_BYTES: usize = 64;
const MAX_USER_BYTES: usize = 128;

/// Characters that show nothing, or turn the direction of what is shown: two names that look alike would be two users.
const INVISIBLE: [std::ops::RangeInclusive<char>; 5] = [
    '\u{200b}'..='\u{200f}',
    '\u{2028}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{feff}'..='\u{feff}',
    '\u{ad}'..='\u{ad}',
];

/// Says what keeps a name from being a user's, whoever gives it: the configuration, an administrator, or a service that vouches for users.
pub fn user_name_problem(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("is empty")
    } else if name.len() > MAX_USER_BYTES {
        Some("is longer than 128 bytes")
    } else if name.contains(':') {
        // RFC 7617 section 2: the first colon ends the name.
        Some("contains a colon")
    } else if name.chars().any(char::is_control) {
        Some("contains a control character")
    } else if is_robot(name) {
        Some("looks like a robot account's")
    } else if name.starts_with("person-") {
        Some("looks like a pseudonym of the logs")
    } else if name == Identity::ANONYMOUS {
        Some("stands for callers without credentials")
    } else if name == JOB {
        Some("stands for the tokens of CI jobs")
    } else if name == "." || name == ".." {
        // A path of the API ends with the name.
        Some("is what clients fold out of paths")
    } else if name.trim() != name {
        Some("begins or ends with a space")
    } else if name.chars().any(|char| INVISIBLE.iter().any(|range| range.contains(&char))) {
        Some("contains a character that can't be seen")
    } else {
        None
    }
}

/// Tells whether a name is a robot's, right or wrong.
pub(crate) fn is_robot(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Returns the name that a robot has in the catalog, whichever form it logs in with; `None` for what is no robot's.
pub(crate) fn canonical_robot(name: &str) -> Option<String> {
    PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).map(|rest| format!("robot+{rest}"))
}

/// A robot's name: `robot+NAME`, or `robot+PROJECT+NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RobotName {
    project: Option<String>,
    whole: String,
}

/// A name that no robot can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RobotNameError {
    /// The last part.
    #[error(
        "{0:?} is no name for a robot: use 1 to 64 small letters and digits, parted by single `.`, `_` or `-`, such as ci-build"
    )]
    Name(String),
    /// The project.
    #[error("{0:?} is no project's name: use the first component of its repositories' names")]
    Project(String),
}

impl RobotName {
    /// Checks the parts; no project stands for one of the system.
    pub fn new(project: Option<&str>, name: &str) -> Result<Self, RobotNameError> {
        let parts = name.split(['.', '_', '-']);
        let is_part = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        if name.len() > MAX_ROBOT_BYTES || !parts.into_iter().all(is_part) {
            return Err(RobotNameError::Name(name.chars().take(MAX_ROBOT_BYTES).collect()));
        }
        if let Some(project) = project
            && (project.contains('/') || project.parse::<RepositoryName>().is_err())
        {
            return Err(RobotNameError::Project(project.chars().take(MAX_ROBOT_BYTES).collect()));
        }
        let whole = match project {
            Some(project) => format!("robot+{project}+{name}"),
            None => format!("robot+{name}"),
        };
        Ok(Self { project: project.map(ToOwned::to_owned), whole })
    }

    /// Reads a whole name in either form: `robot+ci`, `robot+team+ci`, `robot$team+ci`.
    pub fn parse(name: &str) -> Result<Self, RobotNameError> {
        let whole = canonical_robot(name).unwrap_or_else(|| format!("robot+{name}"));
        let rest = whole.strip_prefix("robot+").unwrap_or_default();
        match rest.split_once('+') {
            Some((project, name)) => Self::new(Some(project), name),
            None => Self::new(None, rest),
        }
    }

    /// Returns the project that the robot belongs to.
    pub fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }

    /// Returns the whole name.
    pub fn as_str(&self) -> &str {
        &self.whole
    }
}

impl fmt::Display for RobotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn robots_have_one_name_in_every_form() {
        for (given, whole) in [
            ("robot+ci", "robot+ci"),
            ("robot$ci", "robot+ci"),
            ("ci", "robot+ci"),
            ("robot$team+ci", "robot+team+ci"),
            ("robot+team+ci-build.2", "robot+team+ci-build.2"),
        ] {
            assert_eq!(RobotName::parse(given).unwrap().as_str(), whole);
        }
        assert_eq!(RobotName::parse("robot$team+ci").unwrap().project(), Some("team"));
        for wrong in [
            "",
            "robot+",
            "robot+team+",
            "Ci",
            "a b",
            "a$b",
            "a--b",
            "-a",
            "a\n",
            "team/x+ci",
            "a+b+c",
            "../x+ci",
        ] {
            assert!(RobotName::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(RobotName::parse(&"a".repeat(65)).is_err());
    }

    #[test]
    fn users_are_no_robots_and_can_be_told_apart_by_eye() {
        let long = "x".repeat(129);
        for name in ["", "a:b", "a\nb", "anonymous", "oidc", "person-ab12", &long] {
            assert!(user_name_problem(name).is_some(), "{name:?}");
        }
        for name in ["robot+x", "robot$x", ".", "..", " alice", "alice ", "ali\u{200b}ce", "\u{202e}ecila"] {
            assert!(user_name_problem(name).is_some(), "{name:?}");
        }
        for name in ["alice", "Alice Müller", "robot", "用户", "a@example.org", "o'neil"] {
            assert_eq!(user_name_problem(name), None, "{name:?}");
        }
    }
}

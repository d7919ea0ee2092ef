use std::fmt;
use std::sync::Arc;

/// Who sent a request, as far as its credentials proved it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Caller {
    /// A request without credentials.
    Anonymous,
    /// A user of the configuration whose password was verified.
    User(Arc<str>),
    /// Work that the operator of the machine ordered by a command. Its name has a colon, which no user's has.
    Work(&'static str),
}

impl Caller {
    /// The name of [`Caller::Anonymous`], which no user may have.
    pub const ANONYMOUS: &'static str = "anonymous";

    /// Returns a name that is stable and different for every caller, so an upload can belong to it.
    pub fn name(&self) -> &str {
        match self {
            Self::Anonymous => Self::ANONYMOUS,
            Self::User(name) => name,
            Self::Work(name) => name,
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

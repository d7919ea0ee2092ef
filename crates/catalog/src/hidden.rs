//! Values that no log and no debug output shows: hashes of passwords, sealed secrets.

use std::fmt;
use std::ops::Deref;

/// Something that no log, error or debug output may show: hashes of passwords, sealed secrets.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Hidden<T>(T);

impl<T> Hidden<T> {
    /// Hides a value.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// Gives the value back.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Hidden<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Hidden<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

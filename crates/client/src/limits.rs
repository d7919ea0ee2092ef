//! How much another registry may ask of us.

use std::time::Duration;

/// How much another registry may ask of us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest manifest, in bytes.
    pub manifest_bytes: usize,
    /// Largest page of a list, in bytes.
    pub page_bytes: usize,
    /// Most pages of one list.
    pub pages: usize,
    /// Most entries of one list, all its pages together.
    pub entries: usize,
    /// Most bytes that they take.
    pub entry_bytes: usize,
    /// Most redirects in a row.
    pub redirects: usize,
    /// How long a connection may take to be made.
    pub connect: Duration,
    /// How long nothing may come.
    pub silence: Duration,
    /// Tries of a request that meets trouble.
    pub tries: u32,
    /// Longest wait that the registry may ask for with `Retry-After`.
    pub wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            manifest_bytes: 4 << 20,
            page_bytes: 16 << 20,
            pages: 100_000,
            entries: 1_000_000,
            entry_bytes: 128 << 20,
            redirects: 5,
            connect: Duration::from_secs(10),
            silence: Duration::from_mins(1),
            tries: 6,
            wait: Duration::from_mins(5),
        }
    }
}

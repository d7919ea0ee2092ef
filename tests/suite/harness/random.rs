//! Repeatable randomness: a test prints its seed, and `BERTH_SEED` runs it again.

/// A `SplitMix64` generator; tests need repeatable, not unpredictable, numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Takes the seed from `BERTH_SEED` or else from the system, and prints it for the case of a failure.
    pub(crate) fn from_environment() -> anyhow::Result<Self> {
        let fresh = getrandom::u64().map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        let seed = super::number_from_environment("BERTH_SEED", fresh)?;
        println!("BERTH_SEED={seed}");
        Ok(Self(seed))
    }

    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
    }

    /// A number in `from..to`.
    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from)
    }

    /// True in `percent` of the cases.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    /// One of these, or none where there is none.
    pub(crate) fn choose<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let index = self.next() % (from.len() as u64).max(1);
        from.get(usize::try_from(index).ok()?)
    }

    /// An independent generator, for another task.
    pub(crate) fn split(&mut self) -> Self {
        Self(self.next())
    }
}

/// Incompressible bytes that depend on nothing but the seed and the length.
pub(crate) fn content(seed: u64, length: usize) -> Vec<u8> {
    let mut random = Random::seeded(seed ^ 0xB10B);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

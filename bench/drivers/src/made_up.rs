//! Content made from numbers: the same in every run, and spread over the indexes as real digests are.

/// Repositories of the catalog.
const REPOSITORIES: u64 = 64;
/// Tags of each repository.
const TAGS: u64 = 64;
/// Blobs of each repository, all named by each of its manifests: a configuration and three layers.
const BLOBS: u64 = 4;
/// Manifests that the catalog starts with, one for each tag.
pub(crate) const MANIFESTS: u64 = REPOSITORIES * TAGS;

/// Scatters numbers (the finaliser of splitmix64).
pub(crate) fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Names of the repositories.
pub(crate) fn repositories() -> impl Iterator<Item = String> {
    (0..REPOSITORIES).map(repository)
}

/// The repository that a number falls to, in turn.
pub(crate) fn repository(serial: u64) -> String {
    format!("team/service-{}", serial % REPOSITORIES)
}

/// The tag that a number falls to, in turn: [`MANIFESTS`] numbers in a row meet each tag of each repository once.
pub(crate) fn tag(serial: u64) -> String {
    format!("1.{}.0", serial / REPOSITORIES % TAGS)
}

/// Digests of the blobs of the repository that a number falls to.
pub(crate) fn blobs(serial: u64) -> impl Iterator<Item = String> {
    let first = (serial % REPOSITORIES) * BLOBS;
    (first..first + BLOBS).map(|blob| digest(!blob))
}

/// A digest as the specification prints it.
pub(crate) fn digest(serial: u64) -> String {
    let [a, b, c, d] = [0, 1, 2, 3].map(|part| scatter(serial.wrapping_mul(4).wrapping_add(part)));
    format!("sha256:{a:016x}{b:016x}{c:016x}{d:016x}")
}

/// A random-looking UUID.
pub(crate) fn uuid(serial: u64) -> String {
    let (a, b) = (scatter(serial ^ 0x55), scatter(serial ^ 0xaa));
    let (time_low, time_mid, version) = (a >> 32, a >> 16 & 0xffff, a & 0xfff);
    format!("{time_low:08x}-{time_mid:04x}-4{version:03x}-{:04x}-{:012x}", b >> 48, b & 0xffff_ffff_ffff)
}

/// Microseconds since the epoch; each push has a time of its own.
pub(crate) fn micros(serial: u64) -> i64 {
    1_750_000_000_000_000_i64.saturating_add_unsigned(serial)
}

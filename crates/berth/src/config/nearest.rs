//! Guesses which known word was meant by one that nobody knows.

use strsim::damerau_levenshtein;

/// Returns the candidate most like `wanted`, if one is like it enough to be what was meant.
pub(super) fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let tolerated = (wanted.chars().count() / 3).max(2);
    candidates
        .into_iter()
        .map(|candidate| (damerau_levenshtein(wanted, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= tolerated && *distance < candidate.len())
        .min()
        .map(|(_, candidate)| candidate)
}

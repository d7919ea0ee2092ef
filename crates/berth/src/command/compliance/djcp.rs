//! GB/T 22239-2019 8.1.4, level 3.

mod data;
mod machine;
mod people;

use super::clause::{Clause, Scheme};
use super::facts::Facts;
use super::finding::Finding;

/// Holds an installation against each clause.
pub(super) fn clauses(facts: &Facts) -> Vec<Clause> {
    let sections =
        [people::identity, people::access, people::audit, machine::intrusion, data::data, data::remains];
    sections.iter().flat_map(|section| section(facts)).collect()
}

fn clause(
    number: &'static str,
    asks: (&'static str, &'static str),
    shown_by: &'static str,
    findings: impl Into<Vec<Finding>>,
) -> Clause {
    Clause::new(Scheme::Djcp, number, asks, shown_by, findings)
}

//! What is counted of each hour, which searches and dashboards believe, against the records themselves.

use berth_catalog::trail::{Hours, Record};

use super::Report;
use super::chain::LISTED;
use super::damage::{Damage, Kind};

/// Counts along.
#[derive(Debug, Default)]
pub(super) struct Counts {
    said: Hours,
    counted: Hours,
}

impl Counts {
    /// `said` is what was counted up to the record at which verification ends.
    pub(super) fn new(said: Hours) -> Self {
        Self { said, counted: Hours::default() }
    }

    pub(super) fn see(&mut self, record: &Record) {
        self.counted.add(&record.entry);
    }

    /// Compares, unless records are missing or altered: then they are what is wrong.
    pub(super) fn end(&self, is_broken: bool, report: &mut Report) {
        if is_broken {
            let what = "how many records are counted of each hour: the records themselves are not whole";
            report.unchecked.push(what.to_owned());
            return;
        }
        let differences = self.said.differences(&self.counted);
        report.damage.extend(differences.into_iter().take(LISTED).map(
            |(hour, action, outcome, said, counted)| {
                let what = format!(
                    "searches count {said} records of {action} with {outcome} in the hour from {hour}, and there are {counted}"
                );
                Damage::new(0, Kind::Altered, what)
            },
        ));
    }
}

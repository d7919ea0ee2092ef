//! Which roles, groups and duties a caller has.

use serde::Serialize;

use super::Snapshot;
use crate::access::Access;
use crate::caller::Caller;
use crate::policy::Subject;

/// A role that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldRole {
    /// The role.
    pub role: String,
    /// Whom it is bound to: the user, a group, everybody.
    pub subject: String,
    /// The only project it counts in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

impl Snapshot {
    /// Lists the roles that a caller holds, and why. A robot's own policies are no role.
    pub(crate) fn roles_of(&self, caller: &Caller) -> Vec<HeldRole> {
        let mut found = Vec::new();
        self.each_bound(caller, &mut |(kind, name), held| {
            let subject =
                Subject::new(kind, name).map_or_else(|_| name.to_owned(), |subject| subject.to_string());
            found.extend(held.all().map(|(role, project)| HeldRole {
                role: role.name.to_string(),
                subject: subject.clone(),
                project: project.map(ToString::to_string),
            }));
        });
        found
    }
}

impl Access {
    /// Lists the roles that a caller holds.
    pub fn holds(&self, caller: &Caller) -> Vec<HeldRole> {
        self.snapshot().roles_of(caller)
    }

    /// Tells whether a caller holds more than one of the three duties, whether they are to be kept apart or not.
    pub fn has_two_duties(&self, caller: &Caller) -> bool {
        self.snapshot().all_duties_of(caller).conflict()
    }
}

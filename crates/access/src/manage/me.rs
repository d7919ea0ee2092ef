//! What a caller is told of itself: who it is, its groups and roles, and what it may do to the system.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Management;
use crate::action::Action;
use crate::caller::Caller;
use crate::part;
use crate::resource::Resource;
use crate::snapshot::HeldRole;

/// Who a caller is, and what it may do.
#[derive(Debug, Clone, Serialize)]
pub struct Me {
    /// The name.
    pub name: String,
    /// `user`, `robot`, `workload` or `anonymous`.
    pub kind: &'static str,
    /// How that was proved.
    pub proof: &'static str,
    /// The groups it belongs to.
    pub groups: Vec<String>,
    /// The roles that it holds.
    pub roles: Vec<HeldRole>,
    /// What it may do to the parts of the system.
    pub system: BTreeMap<&'static str, Vec<Action>>,
}

impl Management {
    /// Tells a caller about itself.
    pub fn me(&self, caller: &Caller) -> Me {
        let parts = part::ALL.into_iter().filter_map(|part| {
            let granted: Vec<_> = self.access.granted(caller, &Resource::System(part)).iter().collect();
            (!granted.is_empty()).then_some((part, granted))
        });
        Me {
            name: caller.name().to_owned(),
            kind: caller.identity().kind(),
            proof: caller.proof().as_str(),
            groups: self.access.groups_of(caller).iter().map(ToString::to_string).collect(),
            roles: self.access.holds(caller),
            system: parts.collect(),
        }
    }
}

//! What waits for a name. Whoever makes a user or a robot knows its secret, and so would get the roles that are bound to the name
//! already; and a role would be given, unseen, to those to whom its name is bound.

use berth_catalog::binding::{self, Kind};
use berth_catalog::{Reader, Tx};

use super::{ManageError, Result};
use crate::access::Access;
use crate::caller::Caller;
use crate::policy::Rules;

/// Bindings of one name that are looked at: far more than anybody holds.
const MANY: usize = 100_000;

/// Refuses, in the unit of work that makes it, a user or a robot for whose name roles wait, unless the caller may bind each of them.
/// Where duties are kept apart nobody gives themselves roles, so nobody may.
pub(super) async fn refuse(tx: &Tx, access: &Access, caller: &Caller, kind: Kind, name: &str) -> Result<()> {
    let rules = access.rules();
    let places = waiting(tx, &rules, kind, name).await?;
    let may_bind = |place: &Option<String>| access.may_grant(caller, place.as_deref(), None).is_ok();
    if places.is_empty() || (!rules.separation && places.iter().all(may_bind)) {
        return Ok(());
    }
    Err(ManageError::Awaited { name: name.to_owned() })
}

/// Refuses, in the same way, a role whose name is bound: bindings outlive a role that left the configuration.
pub(super) async fn refuse_role(tx: &Tx, name: &str) -> Result<()> {
    if binding::list_role(tx, Some(name), 0, 1).await?.is_empty() {
        return Ok(());
    }
    Err(ManageError::AwaitedRole { name: name.to_owned() })
}

/// Lists where roles are bound to a name, in the catalog and in the configuration.
async fn waiting(r: &Reader, rules: &Rules, kind: Kind, name: &str) -> Result<Vec<Option<String>>> {
    let configured = rules
        .bindings()
        .filter(|(subject, ..)| subject.kind() == kind && subject.name() == name)
        .map(|(.., project)| project.map(ToOwned::to_owned));
    let mut places: Vec<_> = configured.collect();
    let stored = binding::list_subject(r, kind, name, MANY).await?;
    places.extend(stored.into_iter().map(|one| Some(one.what.project).filter(|name| !name.is_empty())));
    Ok(places)
}

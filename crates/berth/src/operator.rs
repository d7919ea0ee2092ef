//! Who sits at the machine: commands are recorded under the operating system's name of whoever ran them.

use anyhow::Result;
use berth_audit::administer;
use berth_catalog::event::{Author, Kind, NewEvent};
use berth_catalog::trail::Trail;
use jiff::Timestamp;
use rustix::process::getuid;
use serde_json::{Value, json};

use crate::config::Config;
use crate::data;

/// Returns who runs this process, for the event log. The name has a colon, which no user's has.
pub(crate) fn author() -> Author {
    let uid = getuid().as_raw();
    let mut origin = json!({ "kind": "work", "proof": "order", "uid": uid });
    // Whoever became another by sudo is the one to ask.
    if let Some(name) = std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty()) {
        origin["sudo_user"] = name.into();
    }
    Author { name: format!("operator:{}", name(uid)), origin: Some(origin) }
}

/// The name of a user of this machine, or the number of one without.
fn name(uid: u32) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let line = users.lines().find(|line| line.split(':').nth(2) == Some(uid.to_string().as_str()));
    let name = line.and_then(|line| line.split(':').next()).filter(|name| !name.is_empty());
    name.map_or_else(|| uid.to_string(), ToOwned::to_owned)
}

/// Records in the audit trail that whoever runs this process did something.
pub(crate) async fn record(trail: &Trail, action: &str, mut detail: Value) -> Result<()> {
    let author = author();
    if let (Some(fields), Some(Value::Object(origin))) = (detail.as_object_mut(), &author.origin) {
        for key in ["uid", "sudo_user"] {
            fields.extend(origin.get(key).map(|value| (key.to_owned(), value.clone())));
        }
    }
    Ok(administer::record(trail, action, &author, &detail).await?)
}

/// Records what a command is about to do, beside the server or without one. A command goes on if that can't be recorded, and says so:
/// who may run it could also remove the trail.
pub(crate) async fn note(config: &Config, action: &str, detail: Value) {
    match data::join_trail(config).await {
        Ok(trail) => note_in(&trail, action, detail).await,
        Err(error) => eprintln!("not recorded in the audit trail: {error:#}"),
    }
}

/// The same in a trail that is open.
pub(crate) async fn note_in(trail: &Trail, action: &str, detail: Value) {
    if let Err(error) = record(trail, action, detail).await {
        eprintln!("not recorded in the audit trail: {error:#}");
    }
}

/// An event of whoever runs this process, for the catalog's log; its detail names the action.
pub(crate) fn event(detail: Value, at: Timestamp) -> NewEvent {
    NewEvent {
        id: uuid::Uuid::new_v4(),
        at,
        kind: Kind::Administered,
        repository: None,
        tag: None,
        digest: None,
        author: author(),
        detail,
    }
}

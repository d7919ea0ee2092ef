//! What operators do: recorded by the commands themselves, which run beside the server.

use berth_catalog::Error;
use berth_catalog::event::Author;
use berth_catalog::trail::{self, Entry, Trail};
use serde_json::Value;

use crate::error::Result;

/// Records that an operator did something to the registry as a whole.
pub async fn record(trail: &Trail, action: &str, by: &Author, detail: &Value) -> Result<()> {
    let entry = Entry {
        id: uuid::Uuid::new_v4().to_string(),
        at: trail.clock().now(),
        action: action.to_owned(),
        outcome: "success".to_owned(),
        actor: by.name.clone(),
        kind: "work".to_owned(),
        proof: "order".to_owned(),
        project: None,
        repository: None,
        tag: None,
        digest: None,
        status: None,
        request_id: None,
        client: None,
        agent: None,
        personal: None,
        detail: detail.to_string(),
        event: None,
    };
    let entries = [entry];
    trail
        .write(async move |tx| trail::append(tx, &entries).await)
        .await
        .map_err(|error: Error| error.into())
        .map(drop)
}

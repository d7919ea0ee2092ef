//! The list of repositories.

use berth_oci::RepositoryName;
use http::header::LINK;
use serde::Serialize;

use super::query::Page;
use super::{Answer, Call, header};

#[derive(Serialize)]
struct Repositories<'a> {
    repositories: &'a [RepositoryName],
}

pub(super) async fn list(call: &Call<'_>, page: Page<String>) -> Answer {
    let permit = call.app.access.catalog(&call.caller)?;
    let n = page.capped(call.app.config.limits.tags_page);
    let found = call.registry().list_repositories(&permit, page.last.as_deref(), n).await?;
    let mut response = header::json(&Repositories { repositories: &found.items });
    if let Some(last) = found.items.last().filter(|_| found.more) {
        let link = call.locations.next("_catalog", &[("n", &n.to_string()), ("last", last.as_str())]);
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}

//! The list of a repository's tags (end-8).

use berth_access::Pull;
use berth_oci::{RepositoryName, Tag};
use http::header::LINK;
use serde::Serialize;

use super::query::Page;
use super::{Answer, Call, header};

#[derive(Serialize)]
struct Tags<'a> {
    name: &'a RepositoryName,
    tags: &'a [Tag],
}

pub(super) async fn list(call: &Call<'_>, repository: &RepositoryName, page: Page<String>) -> Answer {
    let permit = call.permit::<Pull>(repository)?;
    let n = page.capped(call.app.config.limits.tags_page);
    let found = call.registry().list_tags(&permit, page.last.as_deref(), n).await?;
    let mut response = header::json(&Tags { name: repository, tags: &found.items });
    if let Some(last) = found.items.last().filter(|_| found.more) {
        let path = format_args!("{repository}/tags/list");
        let link = call.locations.next(path, &[("n", &n.to_string()), ("last", last.as_str())]);
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}

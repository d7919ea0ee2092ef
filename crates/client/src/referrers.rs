//! What refers to a manifest: signatures, bills of materials (distribution-spec, "Listing Referrers").

use std::sync::atomic::Ordering;

use berth_oci::{Digest, RepositoryName, media_type};
use reqwest::StatusCode;
use serde::Deserialize;

use crate::list::pull_scope;
use crate::page::{self, Entries};
use crate::request::Call;
use crate::{Error, Result, Upstream};

#[derive(Deserialize)]
struct Index {
    manifests: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    digest: Digest,
}

impl Upstream {
    /// Lists the digests of the manifests that refer to one; `None` if the registry has no such list, and its tags have to do
    /// (`sha256-…`). It is not asked again then.
    pub async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
    ) -> Result<Option<Vec<Digest>>> {
        if self.0.no_referrers.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let what = format!("referrers {repository} {subject}");
        let mut url = self.0.url(&format!("{repository}/referrers/{subject}"));
        let mut all = Entries::of(&what, &self.0.limits);
        for _ in 0..self.0.limits.pages {
            let accept = Some(media_type::OCI_INDEX.to_owned());
            let response =
                self.0.send(&Call { accept, ..Call::get(url.clone(), &pull_scope(repository)) }).await?;
            if is_unknown(response.status()) {
                self.0.no_referrers.store(true, Ordering::Relaxed);
                return Ok(None);
            }
            if !response.status().is_success() {
                return Err(self.0.refusal(&what, response).await);
            }
            let next = page::next(response.headers(), &url);
            let body = self.0.body(&what, response, self.0.limits.manifest_bytes).await?;
            // A registry that answers every address with a page of its own has no such list either.
            let Ok(index) = serde_json::from_slice::<Index>(&body) else {
                self.0.no_referrers.store(true, Ordering::Relaxed);
                return Ok(None);
            };
            let digests = index.manifests.unwrap_or_default().into_iter().map(|entry| entry.digest);
            all.extend(digests.collect(), size_of_val)?;
            match next {
                None => return Ok(Some(all.into_all())),
                Some(next) if next == url || !self.0.is_ours(&next) => {
                    return Err(Error::protocol(&what, "its next page is itself, or elsewhere"));
                }
                Some(next) => url = next,
            }
        }
        Err(Error::protocol(&what, "it has no end"))
    }
}

fn is_unknown(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 404 | 405 | 406 | 501)
}

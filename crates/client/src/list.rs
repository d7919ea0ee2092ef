//! What a registry holds: repositories and tags.

use berth_oci::RepositoryName;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;

use crate::page::{self, Entries};
use crate::request::Call;
use crate::upstream::Inner;
use crate::{Error, Result, Upstream};

/// Entries asked for at a time; registries give fewer if they like.
const PAGE: &str = "1000";
/// The most that Harbor gives at a time.
const HARBOR_PAGE: usize = 100;
const CATALOG: &str = "registry:catalog:*";

#[derive(Deserialize)]
struct Catalog {
    repositories: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Tags {
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct HarborRepository {
    name: String,
}

impl Upstream {
    /// Lists all repositories. Their names are as the registry gives them.
    ///
    /// # Errors
    /// [`Error::Denied`] and [`Error::Refused`] where the registry has no list for these credentials.
    pub async fn repositories(&self) -> Result<Vec<String>> {
        let listed =
            self.0.pages("_catalog", CATALOG, |page: Catalog| page.repositories.unwrap_or_default()).await;
        match listed {
            Ok(Some(names)) => Ok(names),
            Ok(None) => Err(Error::Refused {
                what: "the list of repositories".to_owned(),
                status: 404,
                said: "it has none".to_owned(),
            }),
            // Harbor shows it to its administrators alone, but tells everybody what he may see.
            Err(refused @ Error::Denied { .. }) => self.0.harbor_repositories().await?.ok_or(refused),
            Err(error) => Err(error),
        }
    }

    /// Lists the tags of a repository, as the registry gives them; `None` if it has no such repository.
    pub async fn tags(&self, repository: &RepositoryName) -> Result<Option<Vec<String>>> {
        let (below, scope) = (format!("{repository}/tags/list"), pull_scope(repository));
        self.0.pages(&below, &scope, |page: Tags| page.tags.unwrap_or_default()).await
    }
}

pub(crate) fn pull_scope(repository: &RepositoryName) -> String {
    format!("repository:{repository}:pull")
}

impl Inner {
    async fn pages<P: for<'a> Deserialize<'a>>(
        &self,
        below: &str,
        scope: &str,
        entries: impl Fn(P) -> Vec<String>,
    ) -> Result<Option<Vec<String>>> {
        let (mut all, bare) = (Entries::of(below, &self.limits), self.url(below));
        let mut url = bare.clone();
        url.query_pairs_mut().append_pair("n", PAGE);
        for turn in 0..self.limits.pages {
            let mut response = self.send(&Call::get(url.clone(), scope)).await?;
            if turn == 0 && response.status() == StatusCode::BAD_REQUEST {
                // Some allow fewer entries, and don't say how many.
                response = self.send(&Call::get(bare.clone(), scope)).await?;
            }
            if response.status() == StatusCode::NOT_FOUND {
                return Ok((turn > 0).then(|| all.into_all()));
            }
            let (headers, page) = self.page(below, response).await?;
            all.extend(entries(page), String::len)?;
            match page::next(&headers, &url) {
                None => return Ok(Some(all.into_all())),
                Some(next) if next == url || !self.is_ours(&next) => {
                    return Err(Error::protocol(below, "its next page is itself, or elsewhere"));
                }
                Some(next) => url = next,
            }
        }
        Err(Error::protocol(below, "it has no end"))
    }

    async fn page<P: for<'a> Deserialize<'a>>(
        &self,
        what: &str,
        response: Response,
    ) -> Result<(HeaderMap, P)> {
        if !response.status().is_success() {
            return Err(self.refusal(what, response).await);
        }
        let headers = response.headers().clone();
        let body = self.body(what, response, self.limits.page_bytes).await?;
        let page = serde_json::from_slice(&body)
            .map_err(|error| Error::protocol(what, format!("no list: {error}")))?;
        Ok((headers, page))
    }

    /// Asks Harbor's own API, which takes the credentials themselves. `None` if this is no Harbor.
    async fn harbor_repositories(&self) -> Result<Option<Vec<String>>> {
        let what = "harbor's list of repositories";
        let mut all = Entries::of(what, &self.limits);
        for turn in 1..=self.limits.pages {
            let mut url = self.base.clone();
            url.set_path("/api/v2.0/repositories");
            url.query_pairs_mut()
                .extend_pairs([("page", turn), ("page_size", HARBOR_PAGE)].map(|(k, v)| (k, v.to_string())));
            let response = self.persist(|| self.ask_harbor(&url)).await?;
            if !response.status().is_success() {
                return Ok(None);
            }
            let Ok((_, page)) = self.page::<Vec<HarborRepository>>(what, response).await else {
                return Ok(None);
            };
            let count = page.len();
            all.extend(page.into_iter().map(|repository| repository.name).collect(), String::len)?;
            if count < HARBOR_PAGE {
                break;
            }
        }
        Ok(Some(all.into_all()))
    }

    async fn ask_harbor(&self, url: &Url) -> Result<Response> {
        let mut request = self.http.get(url.clone());
        if let Some(basic) = self.auth.basic() {
            request = request.header(AUTHORIZATION, basic);
        }
        request.send().await.map_err(|error| Error::unreachable(crate::address::place(url), error))
    }
}

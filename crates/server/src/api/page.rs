//! Lists in pages: at most `n` entries behind `last`, and a `Link` to the next page.

use axum::extract::{FromRequestParts, RawQuery};
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::LINK;
use http::request::Parts;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Serialize;

use super::input::reply;
use super::problem::Problem;

/// Entries in one page without `n`, and the most that `n` gets.
const DEFAULT: usize = 100;
const MOST: usize = 1_000;
/// No name is longer; a longer `last` is somebody's mischief.
const LONGEST: usize = 512;

/// Which part of a list is asked for.
#[derive(Debug)]
pub(crate) struct Paging {
    /// At most this many.
    pub(crate) n: usize,
    /// Only what comes after this.
    pub(crate) last: Option<String>,
    path: String,
    /// What else was asked for, which the next page takes as well.
    filters: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Ok(RawQuery(query)) = RawQuery::from_request_parts(parts, state).await;
        let parsed = Self::parse(parts.uri.path(), query.as_deref().unwrap_or_default(), []);
        parsed.map(|(page, [])| page)
    }
}

impl Paging {
    /// Reads the number after which the page begins.
    pub(super) fn after_number(&self) -> Result<i64, Problem> {
        let number = self.last.as_deref().map_or(Ok(0), str::parse);
        number.map_err(|_| Problem::invalid("parameter last is no number: use what Link says"))
    }

    /// Reads a query that may hold `filters` as well, whose values it returns in their order.
    pub(crate) fn parse<const N: usize>(
        path: &str,
        query: &str,
        filters: [&str; N],
    ) -> Result<(Self, [Option<String>; N]), Problem> {
        let mut page = Self { n: DEFAULT, last: None, path: path.to_owned(), filters: String::new() };
        let mut values = [const { None }; N];
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value)
                .decode_utf8()
                .map_err(|_| Problem::invalid(format!("parameter {key} is not UTF-8")))?;
            match key {
                "n" => page.n = number(&value)?,
                "last" if value.len() <= LONGEST => page.last = Some(value.into_owned()),
                "last" => return Err(Problem::invalid("parameter last is too long: use what Link says")),
                _ => {
                    let known = filters.iter().position(|filter| *filter == key);
                    let Some(place) = known.filter(|_| value.len() <= LONGEST) else {
                        let known = filters.iter().flat_map(|filter| [", ", filter]).collect::<String>();
                        return Err(Problem::invalid(format!(
                            "this list knows the parameters n, last{known}"
                        )));
                    };
                    let encoded = utf8_percent_encode(&value, NON_ALPHANUMERIC);
                    page.filters.extend(["&", key, "="]);
                    page.filters.extend(encoded);
                    values[place] = Some(value.into_owned());
                }
            }
        }
        Ok((page, values))
    }

    /// One more than is asked for, to find out whether there is a next page.
    pub(crate) fn limit(&self) -> usize {
        self.n + 1
    }

    /// Shapes a page of what was found up to [`limit`](Self::limit); `key` is what `last` has to say to continue behind an entry.
    pub(crate) fn reply<T: Serialize>(&self, found: Vec<T>, key: impl Fn(&T) -> String) -> Response {
        self.reply_up_to(found, key, None)
    }

    /// Does the same with what was found until the search stopped: it goes on behind `stopped_at`, however little was found.
    pub(crate) fn reply_up_to<T: Serialize>(
        &self,
        mut found: Vec<T>,
        key: impl Fn(&T) -> String,
        stopped_at: Option<String>,
    ) -> Response {
        let has_more = found.len() > self.n;
        found.truncate(self.n);
        let last = found.last().filter(|_| has_more).map(key).or(stopped_at);
        let next = last.map(|last| {
            let last = utf8_percent_encode(&last, NON_ALPHANUMERIC);
            format!("<{}?n={}{}&last={last}>; rel=\"next\"", self.path, self.n, self.filters)
        });
        let mut response = reply(&found).into_response();
        if let Some(link) = next.and_then(|link| HeaderValue::from_str(&link).ok()) {
            response.headers_mut().insert(LINK, link);
        }
        response
    }
}

fn number(text: &str) -> Result<usize, Problem> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<usize>() {
        _ if !digits => Err(Problem::invalid("parameter n is no number: use 1 to 1000")),
        Ok(0) => Err(Problem::invalid("parameter n is 0: use 1 to 1000")),
        // However many digits: the cap makes it an ordinary number.
        other => Ok(other.unwrap_or(MOST).min(MOST)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n_is_bounded() {
        for (query, n) in [("", 100), ("n=1", 1), ("n=1000", 1000), ("n=99999999999999999999999", 1000)] {
            assert_eq!(Paging::parse("/", query, []).unwrap().0.n, n, "{query}");
        }
        for query in ["n=", "n=-1", "n=1.5", "n=0", "q=password%3D~a", "sort=password", "last=%ff"] {
            assert!(Paging::parse("/", query, []).is_err(), "{query}");
        }
        assert!(Paging::parse("/", &format!("last={}", "a".repeat(513)), []).is_err());
    }

    #[test]
    fn a_full_page_links_to_the_next() {
        let (page, []) = Paging::parse("/api/v1/users", "n=2&last=a%26b", []).unwrap();
        assert_eq!(page.last.as_deref(), Some("a&b"));
        let response = page.reply(vec!["b", "c/\r\n&x", "d"], |name| (*name).to_owned());
        let link = response.headers()[LINK].to_str().unwrap();
        assert_eq!(link, "</api/v1/users?n=2&last=c%2F%0D%0A%26x>; rel=\"next\"");
        let early = page.reply_up_to(vec!["b"], |name| (*name).to_owned(), Some("z".to_owned()));
        assert_eq!(early.headers()[LINK].to_str().unwrap(), "</api/v1/users?n=2&last=z>; rel=\"next\"");
        assert!(page.reply(vec!["b", "c"], |name| (*name).to_owned()).headers().get(LINK).is_none());
    }

    #[test]
    fn filters_are_known_by_list_and_stay_on_the_next_page() {
        let query = "role=a%20b&n=1&subject=robot+team+ci";
        let (page, values) = Paging::parse("/b", query, ["subject", "role"]).unwrap();
        assert_eq!(values, [Some("robot+team+ci".to_owned()), Some("a b".to_owned())]);
        let response = page.reply(vec!["1", "2"], |id| (*id).to_owned());
        let link = response.headers()[LINK].to_str().unwrap();
        assert_eq!(link, "</b?n=1&role=a%20b&subject=robot%2Bteam%2Bci&last=1>; rel=\"next\"");
        assert!(Paging::parse("/b", query, ["subject"]).is_err());
    }
}

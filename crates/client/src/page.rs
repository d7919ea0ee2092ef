//! Lists in pages: the `Link` of an answer names the next (distribution-spec, "Listing Tags"; RFC 8288).

use reqwest::Url;
use reqwest::header::{HeaderMap, LINK};

use crate::{Error, Limits, Result};

/// The entries of all pages of a list, within bounds.
#[derive(Debug)]
pub(crate) struct Entries<'a, T> {
    all: Vec<T>,
    bytes: usize,
    what: &'a str,
    limits: &'a Limits,
}

impl<'a, T> Entries<'a, T> {
    pub(crate) fn of(what: &'a str, limits: &'a Limits) -> Self {
        Self { all: Vec::new(), bytes: 0, what, limits }
    }

    /// Takes a page in; `bytes` tells how many an entry takes.
    pub(crate) fn extend(&mut self, page: Vec<T>, bytes: impl Fn(&T) -> usize) -> Result<()> {
        let Limits { entries, entry_bytes, .. } = *self.limits;
        self.bytes += page.iter().map(bytes).sum::<usize>();
        if self.all.len() + page.len() > entries {
            return Err(Error::protocol(self.what, format!("it has more than {entries} entries")));
        }
        if self.bytes > entry_bytes {
            return Err(Error::TooLarge { what: self.what.to_owned(), limit: entry_bytes });
        }
        self.all.extend(page);
        Ok(())
    }

    pub(crate) fn into_all(self) -> Vec<T> {
        self.all
    }
}

/// Returns the address of the next page. It is opaque: registries put tokens of their own there.
pub(crate) fn next(headers: &HeaderMap, page: &Url) -> Option<Url> {
    let texts = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    let target = texts.flat_map(links).find(|(_, params)| is_next(params)).map(|(target, _)| target)?;
    page.join(target).ok()
}

/// Splits the value into targets and what follows each. The crates for this stumble over commas in targets and over queries without `=`,
/// both of which registries send.
fn links(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('<').skip(1).filter_map(|link| link.split_once('>'))
}

fn is_next(params: &str) -> bool {
    params.split([';', ',']).any(|param| {
        let Some((key, value)) = param.split_once('=') else { return false };
        let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
        key.trim().eq_ignore_ascii_case("rel")
            && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next_of(link: &str) -> Option<String> {
        let headers = HeaderMap::from_iter([(LINK, link.parse().unwrap())]);
        next(&headers, &Url::parse("https://old.example:5000/v2/_catalog?n=2").unwrap()).map(Into::into)
    }

    #[test]
    fn links_of_real_registries_lead_on() {
        let at = |rest: &str| Some(format!("https://old.example:5000{rest}"));
        assert_eq!(next_of(r#"</v2/_catalog?last=b&n=2>; rel="next""#), at("/v2/_catalog?last=b&n=2"));
        assert_eq!(
            next_of("</v2/_catalog?n=2&next_page=gAAA%3D%3D>; rel=next"),
            at("/v2/_catalog?n=2&next_page=gAAA%3D%3D")
        );
        assert_eq!(next_of(r#"<?last=a,b&x>;title="t";rel="last next""#), at("/v2/_catalog?last=a,b&x"));
        assert_eq!(next_of(r#"</a>; rel="prev" , </b>; rel="next""#), at("/b"));
        assert_eq!(next_of("<https://old.example:5000/c>; REL=NEXT"), at("/c"));
    }

    #[test]
    fn what_names_no_next_page_is_the_last() {
        for link in [r#"</a>; rel="prev""#, "", "</a", "</a>", "next", r#"<https://[>; rel="next""#] {
            assert_eq!(next_of(link), None, "{link}");
        }
    }
}

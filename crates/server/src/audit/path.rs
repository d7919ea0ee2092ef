//! What is asked, as paths and parameters say it.

use berth_audit::search::{self, INDEX};
use http::{Method, Uri};
use percent_encoding::percent_decode_str;

use super::answer::Refusal;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// What this is.
    Info,
    /// Whether the index is there.
    Exists,
    Search,
    Count,
    /// Several searches.
    Many,
    /// Which fields documents have.
    Mapping,
    /// What can be done with them.
    Fields,
}

impl Call {
    /// Reads a path below `prefix`: an index, or none, and what is asked of it.
    pub(super) fn parse(method: &Method, uri: &Uri, prefix: &str) -> Result<Self, Refusal> {
        let path = uri.path();
        let rest = path.strip_prefix(prefix).unwrap_or_default().trim_matches('/');
        let (index, what) = match rest.rsplit_once('/') {
            Some((index, what)) => (index, what),
            None if rest.starts_with('_') && rest != "_all" => ("", rest),
            None => (rest, ""),
        };
        let call = match (what, method.as_str()) {
            ("", "GET" | "HEAD") if index.is_empty() => Self::Info,
            ("", "HEAD") => Self::Exists,
            ("_search", "GET" | "POST") => Self::Search,
            ("_count", "GET" | "POST") => Self::Count,
            ("_msearch", "GET" | "POST") => Self::Many,
            ("" | "_mapping" | "_mappings", "GET") => Self::Mapping,
            ("_field_caps", "GET" | "POST") => Self::Fields,
            _ => return Err(Refusal::no_handler(method, path)),
        };
        let index = percent_decode_str(index).decode_utf8_lossy();
        for name in index.split(',').filter(|name| !name.is_empty()) {
            if !is_index(name) {
                return Err(search::Error::no_index(name).into());
            }
        }
        Ok(call)
    }
}

/// Tells whether a name, or a pattern, means the one index that there is.
pub(super) fn is_index(name: &str) -> bool {
    name == "_all" || matches(name, INDEX)
}

/// Decodes the parameters of an address.
pub(super) fn parameters(query: Option<&str>) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}

/// Returns which fields are asked for; all if none is named.
pub(super) fn fields(parameters: &[(String, String)]) -> Vec<String> {
    let named = parameters.iter().filter(|(key, _)| key == "fields").flat_map(|(_, value)| value.split(','));
    let named: Vec<String> = named.map(ToOwned::to_owned).collect();
    if named.is_empty() { vec!["*".into()] } else { named }
}

/// Tells whether a pattern with `*` matches a name. A request's header is short, and so is the name.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(part) = last.replace(part) {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + str::len(part)..];
        }
    }
    last.map_or(rest.is_empty(), |part| rest.ends_with(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(method: &str, path: &str) -> Result<Call, Refusal> {
        Call::parse(&method.parse().unwrap(), &path.parse().unwrap(), "/api/v1/audit")
    }

    #[test]
    fn paths_are_those_of_elasticsearch() {
        for (method, path, expected) in [
            ("GET", "/api/v1/audit", Call::Info),
            ("GET", "/api/v1/audit/", Call::Info),
            ("POST", "/api/v1/audit/_search", Call::Search),
            ("GET", "/api/v1/audit/berth-audit/_search?q=x", Call::Search),
            ("POST", "/api/v1/audit/_all/_count", Call::Count),
            ("POST", "/api/v1/audit/_msearch?max_concurrent_shard_requests=5", Call::Many),
            ("POST", "/api/v1/audit/berth-%2A/_search", Call::Search),
            ("HEAD", "/api/v1/audit/berth-audit", Call::Exists),
            ("GET", "/api/v1/audit/_mapping", Call::Mapping),
            ("GET", "/api/v1/audit/berth-audit", Call::Mapping),
            ("POST", "/api/v1/audit/berth-audit/_field_caps?fields=*", Call::Fields),
        ] {
            assert_eq!(parse(method, path).ok(), Some(expected), "{method} {path}");
        }
        for (method, path) in [
            ("DELETE", "/api/v1/audit/berth-audit"),
            ("PUT", "/api/v1/audit/berth-audit"),
            ("POST", "/api/v1/audit/_bulk"),
            ("POST", "/api/v1/audit/other/_search"),
            ("POST", "/api/v1/audit/berth-audit/_delete_by_query"),
        ] {
            assert!(parse(method, path).is_err(), "{method} {path}");
        }
    }

    #[test]
    fn parameters_are_decoded() {
        assert_eq!(
            parameters(Some("q=action%3Apush+x&pretty")),
            [("q".to_owned(), "action:push x".to_owned()), ("pretty".to_owned(), String::new())]
        );
    }

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, expected) in [
            ("*", "berth-audit", true),
            ("berth-*", "berth-audit", true),
            ("*-audit", "berth-audit", true),
            ("b*t*t", "berth-audit", true),
            ("berth", "berth-audit", false),
            ("audit*", "berth-audit", false),
            ("berth-audit*audit", "berth-audit", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern}");
        }
    }
}

//! What a registry asks for with `WWW-Authenticate` (distribution's token specification; RFC 9110, 11.6.1).

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// How a registry wants to be shown credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// With every request.
    Basic,
    /// At a token service.
    Bearer {
        /// The service's address.
        realm: String,
        /// What the token is for.
        service: Option<String>,
        /// What the token must allow.
        scope: Option<String>,
    },
}

impl Challenge {
    /// Reads the challenges of an answer; a token is preferred, as by every client.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let texts = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let found: Vec<Self> = texts.flat_map(Self::parse).collect();
        found.iter().find(|found| **found != Self::Basic).or(found.first()).cloned()
    }

    fn parse(text: &str) -> Vec<Self> {
        let Ok(challenges) = http_auth::parse_challenges(text) else { return Vec::new() };
        let known = challenges.iter().filter_map(|challenge| {
            let param = |name: &str| {
                let mut params = challenge.params.iter();
                params.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_unescaped())
            };
            if challenge.scheme.eq_ignore_ascii_case("basic") {
                Some(Self::Basic)
            } else if challenge.scheme.eq_ignore_ascii_case("bearer") {
                Some(Self::Bearer {
                    realm: param("realm")?,
                    service: param("service"),
                    scope: param("scope"),
                })
            } else {
                None
            }
        });
        known.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
        }
        Challenge::of(&headers)
    }

    #[test]
    fn challenges_of_real_registries_are_read() {
        assert_eq!(of(&["Basic realm=\"Registry Realm\""]), Some(Challenge::Basic));
        let harbor = r#"Bearer realm="https://harbor.example/service/token",service="harbor-registry",scope="repository:a/b:pull""#;
        let bearer = Challenge::Bearer {
            realm: "https://harbor.example/service/token".into(),
            service: Some("harbor-registry".into()),
            scope: Some("repository:a/b:pull".into()),
        };
        assert_eq!(of(&[harbor]), Some(bearer.clone()));
        assert_eq!(of(&["BASIC realm=x", harbor]), Some(bearer.clone()));
        assert_eq!(of(&[&format!("Basic realm=\"x\", {harbor}")]), Some(bearer));
        let bare = Challenge::Bearer { realm: "https://t/".into(), service: None, scope: None };
        assert_eq!(of(&["bearer Realm=\"https://t/\""]), Some(bare));
    }

    #[test]
    fn what_nobody_can_answer_is_none() {
        for text in [
            "",
            "Bearer service=\"x\"",
            "Negotiate",
            "Bearer realm=\"",
            "\"",
            "Digest realm=\"x\", nonce=\"y\"",
        ] {
            assert_eq!(of(&[text]), None, "{text}");
        }
        assert_eq!(of(&[]), None);
    }
}

//! The answer with a token, in the shape of Docker's specification or of `OAuth2`'s.

use berth_access::Issued;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Which of the two specifications the answer follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// The answer to `GET`.
    Docker,
    /// The answer to `POST`.
    OAuth2,
}

impl Shape {
    /// Writes the answer. `shown` is the refresh token that the client came with.
    pub(super) fn of(self, issued: &Issued, shown: Option<&str>) -> Value {
        let mut answer = json!({
            "access_token": issued.token,
            "expires_in": issued.lifetime_seconds,
            "issued_at": seconds(issued.issued_at),
        });
        match self {
            Self::Docker => answer["token"] = issued.token.as_str().into(),
            Self::OAuth2 => {
                answer["token_type"] = "Bearer".into();
                answer["scope"] = issued.scope.as_str().into();
            }
        }
        if let Some(token) = issued.refresh_token.as_deref().or(shown) {
            answer["refresh_token"] = token.into();
        }
        answer
    }
}

/// RFC 3339 in whole seconds: some clients read no fractions.
fn seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).map_or_else(|_| at.to_string(), |at| at.to_string())
}

//! What a client wants a token for, and whom it claims to be.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_access::Ask;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

use super::form;
use super::grant::Grant;
use super::refusal::Refusal;

/// The name under which Harbor's clients ask.
const HARBOR: &str = "harbor-registry";
/// More than a client asks for at once: docker asks for one repository, and another for each that it may mount from.
const MAX_ASKS: usize = 256;

/// Exchanging the token of another service for one of ours (RFC 8693), and the kinds that are taken.
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

/// What a client wants.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    service: Option<String>,
    pub(super) asks: Vec<Ask>,
    /// Whether it wants something to get further tokens with.
    pub(super) keep: bool,
    grant: Grant,
}

/// How the client proves who it is.
pub(super) enum Credentials<'a> {
    /// By the request's header, or not at all.
    Header,
    /// By what is to be taken for that header.
    Password(HeaderMap),
    /// By a refresh token.
    Refresh(&'a str),
    /// By the token of a job's own system.
    Job(&'a str),
}

impl Wanted {
    /// Reads a query.
    pub(super) fn of_query(query: &str) -> Self {
        let mut wanted = Self::default();
        for (name, value) in form::pairs(query) {
            match name.as_str() {
                "service" => wanted.service = Some(value),
                "scope" => wanted.add(&value),
                "offline_token" => wanted.keep = matches!(value.as_str(), "true" | "1"),
                // `account` and `client_id` prove nothing.
                _ => {}
            }
        }
        wanted
    }

    /// Reads a form (RFC 6749 sections 4.3.2 and 6).
    pub(super) fn of_form(text: String) -> Result<Self, Refusal> {
        let mut wanted = Self::default();
        let (mut grant, mut name, mut password, mut refresh) = (None, None, None, None);
        let (mut subject, mut kind) = (None, None);
        for (key, value) in form::pairs(&text) {
            match key.as_str() {
                "grant_type" => grant = Some(value),
                "service" => wanted.service = Some(value),
                "scope" => wanted.add(&value),
                "access_type" => wanted.keep = value == "offline",
                "username" => name = Some(value),
                "password" => password = Some(value),
                "refresh_token" => refresh = Some(value),
                "subject_token" => subject = Some(value),
                "subject_token_type" => kind = Some(value),
                _ => {}
            }
        }
        drop(text);
        wanted.grant = match (grant.as_deref(), name, password, refresh) {
            // No name and no password would be nobody's credentials, which is what GET without any is for.
            (Some("password"), Some(name), Some(password), _) if !name.is_empty() => {
                Grant::Password { name, password }
            }
            (Some("refresh_token"), _, _, Some(token)) => Grant::Refresh(token),
            (Some(EXCHANGE), ..) => match (subject, kind.as_deref()) {
                (Some(token), None | Some(JWT | ID_TOKEN)) => Grant::Job(token),
                (Some(_), Some(_)) => {
                    return Err(Refusal::form(
                        "has a subject_token_type that is not taken: use the one of a JWT",
                    ));
                }
                (None, _) => return Err(Refusal::form("lacks subject_token")),
            },
            (Some("password"), ..) => return Err(Refusal::form("lacks username or password")),
            (Some("refresh_token"), ..) => return Err(Refusal::form("lacks refresh_token")),
            (Some(_), ..) => return Err(Refusal::grant()),
            (None, ..) => return Err(Refusal::form("lacks grant_type")),
        };
        Ok(wanted)
    }

    fn add(&mut self, scopes: &str) {
        let room = MAX_ASKS.saturating_sub(self.asks.len());
        self.asks.extend(Ask::parse_all(scopes).take(room));
    }

    /// Refuses a token for another service: whoever asks for it wants to use it elsewhere.
    pub(super) fn check_service(&self, ours: &str) -> Result<(), Refusal> {
        match self.service.as_deref() {
            None | Some("" | HARBOR) => Ok(()),
            Some(service) if service == ours => Ok(()),
            Some(_) => Err(Refusal::service(ours)),
        }
    }

    pub(super) fn credentials(&self) -> Result<Credentials<'_>, Refusal> {
        match &self.grant {
            Grant::None => Ok(Credentials::Header),
            Grant::Refresh(token) => Ok(Credentials::Refresh(token)),
            Grant::Job(token) => Ok(Credentials::Job(token)),
            // In Basic credentials the first colon ends the name (RFC 7617 section 2), so this would name another user.
            Grant::Password { name, .. } if name.contains(':') => {
                Err(Refusal::form("has a username with a colon, which no user has"))
            }
            Grant::Password { name, password } => {
                let basic = format!("Basic {}", STANDARD.encode(format!("{name}:{password}")));
                let basic = HeaderValue::try_from(basic).map_err(|_| Refusal::form("is too large"))?;
                Ok(Credentials::Password(HeaderMap::from_iter([(AUTHORIZATION, basic)])))
            }
        }
    }

    /// Whether the token of another service is exchanged.
    pub(super) fn is_exchange(&self) -> bool {
        matches!(self.grant, Grant::Job(_))
    }

    /// The refresh token that was shown, which stays good.
    pub(super) fn refresh_token(&self) -> Option<&str> {
        match &self.grant {
            Grant::Refresh(token) => Some(token),
            _ => None,
        }
    }
}

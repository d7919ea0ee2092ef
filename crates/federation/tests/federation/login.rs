//! The whole login at a real service.

use berth_access::federation::{Oidc, Source};
use berth_catalog::Clock;
use berth_engines::OidcProvider;
use berth_federation::{Answer, Attempt, LoginError, LoginService};
use reqwest::Url;

use crate::browser::log_in;

/// Nobody listens there: the browser stops before it goes.
pub(crate) const PUBLIC_URL: &str = "http://127.0.0.1:1";
pub(crate) const REDIRECT: &str = "http://127.0.0.1:1/login/oidc/test/callback";

/// A login service of the configuration, with the file that holds Berth's secret there.
pub(crate) fn settings(issuer: &str) -> (Oidc, tempfile::NamedTempFile) {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&secret, "berth-secret\n").unwrap();
    let settings = Oidc {
        name: "test".to_owned(),
        label: None,
        issuer: issuer.to_owned(),
        client_id: "berth".to_owned(),
        client_secret_file: Some(secret.path().to_owned()),
        stored_client_secret: None,
        ca_file: None,
        scopes: ["openid", "profile", "email"].map(str::to_owned).to_vec(),
        name_claim: "preferred_username".to_owned(),
        groups_claim: "groups".to_owned(),
        group_prefix: String::new(),
        required_groups: Vec::new(),
    };
    (settings, secret)
}

pub(crate) fn service(settings: &Oidc) -> LoginService {
    LoginService::all(std::slice::from_ref(settings), Some(PUBLIC_URL), None).unwrap().remove(0)
}

/// Reads what the browser brings back.
pub(crate) fn answer(url: &Url) -> Answer {
    let field =
        |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    Answer {
        code: field("code"),
        state: field("state"),
        iss: field("iss"),
        error: field("error"),
        error_description: field("error_description"),
    }
}

#[tokio::test]
async fn a_login_proves_who_it_is() {
    let provider = OidcProvider::start(REDIRECT);
    let (settings, _secret) = settings(&provider.issuer());
    let service = service(&settings);
    let attempt = Attempt::new("/login").unwrap();
    let back = log_in(service.begin(&attempt).await.unwrap(), REDIRECT, "alice", "x").await;
    let answer = answer(&back);
    let now = Clock::system().now();

    // Only the browser that began it can end it.
    let another = Attempt::new("/login").unwrap();
    assert_eq!(service.finish(&another, &answer, now).await, Err(LoginError::NotBegun));
    for forged in [
        Answer { state: None, ..answer.clone() },
        Answer { state: Some(String::new()), ..answer.clone() },
        Answer { iss: Some("https://evil.example".to_owned()), ..answer.clone() },
        Answer { iss: None, ..answer.clone() },
        Answer { code: None, ..answer.clone() },
    ] {
        assert_eq!(service.finish(&attempt, &forged, now).await, Err(LoginError::NotBegun), "{forged:?}");
    }
    let denied = Answer { code: None, error: Some("access_denied".to_owned()), ..answer.clone() };
    let refused = service.finish(&attempt, &denied, now).await.unwrap_err();
    assert_eq!(refused, LoginError::Refused("access_denied".to_owned()));

    let alice = service.finish(&attempt, &answer, now).await.unwrap_or_else(|error| {
        panic!("{}\n{}", error.reason(), provider.log());
    });
    assert_eq!((alice.source, alice.name.as_str()), (Source::Oidc, "alice"));
    assert_eq!(alice.groups, ["builders"]);
    assert_eq!(alice.email.as_deref(), Some("alice@example.com"));
    assert_eq!(alice.display.as_deref(), Some("The alice"));
    assert_eq!(alice.external, format!("{} alice", provider.issuer()));

    // A code is good once.
    assert!(matches!(service.finish(&attempt, &answer, now).await, Err(LoginError::Unavailable(_))));
}

#[tokio::test]
async fn a_login_of_who_may_not_is_refused() {
    let provider = OidcProvider::start(REDIRECT);
    let (open, _secret) = settings(&provider.issuer());
    let now = Clock::system().now();
    for (settings, user, expected) in [
        (
            Oidc { required_groups: vec!["builders".to_owned()], ..open.clone() },
            "bob",
            "in none of the groups",
        ),
        (Oidc { name_claim: "email".to_owned(), ..open.clone() }, "bob", "has not verified your email"),
        (Oidc { name_claim: "nickname".to_owned(), ..open.clone() }, "bob", "says no nickname"),
        (open.clone(), "robot+ci", "looks like a robot account's"),
        (open.clone(), "person-ab12", "looks like a pseudonym"),
        (open.clone(), "ali\u{200b}ce", "that can't be seen"),
        (open.clone(), "a:b", "contains a colon"),
    ] {
        let (service, attempt) = (service(&settings), Attempt::new("/login").unwrap());
        let back = log_in(service.begin(&attempt).await.unwrap(), REDIRECT, user, "x").await;
        match service.finish(&attempt, &answer(&back), now).await {
            Err(LoginError::NotAllowed(reason)) => assert!(reason.contains(expected), "{user}: {reason}"),
            other => panic!("{user}: {other:?}"),
        }
    }
    // A verified address is a name.
    let by_email = Oidc { name_claim: "email".to_owned(), group_prefix: "test/".to_owned(), ..open };
    let (service, attempt) = (service(&by_email), Attempt::new("/login").unwrap());
    let back = log_in(service.begin(&attempt).await.unwrap(), REDIRECT, "alice", "x").await;
    let alice = service.finish(&attempt, &answer(&back), now).await.unwrap();
    assert_eq!(
        (alice.name.as_str(), &alice.groups[..]),
        ("alice@example.com", &["test/builders".to_owned()][..])
    );
}

#[tokio::test]
async fn a_secret_that_is_wrong_or_a_service_that_is_down_lets_nobody_in() {
    let provider = OidcProvider::start(REDIRECT);
    let (settings, secret) = settings(&provider.issuer());
    std::fs::write(&secret, "wrong").unwrap();
    let (service, attempt) = (service(&settings), Attempt::new("/login").unwrap());
    let back = log_in(service.begin(&attempt).await.unwrap(), REDIRECT, "alice", "x").await;
    let now = Clock::system().now();
    let error = service.finish(&attempt, &answer(&back), now).await.unwrap_err();
    assert!(error.reason().contains("invalid_client"), "{}", error.reason());
    assert!(!error.to_string().contains("invalid_client"));

    let (down, _secret) = crate::login::settings("http://127.0.0.1:1");
    let error = crate::login::service(&down).begin(&attempt).await.unwrap_err();
    assert!(matches!(error, LoginError::Unavailable(_)));
}

#[test]
fn what_can_not_work_is_said() {
    let (good, _secret) = settings("http://127.0.0.1:1");
    let said = |settings: &[Oidc], url| LoginService::all(settings, url, None).unwrap_err().to_string();
    for (wrong, expected) in [
        (Oidc { name: "A b".to_owned(), ..good.clone() }, "lower-case letters"),
        (Oidc { issuer: "http://id.example.com".to_owned(), ..good.clone() }, "must begin with https://"),
        (Oidc { client_id: String::new(), ..good.clone() }, "client_id is empty"),
        (Oidc { scopes: vec!["profile".to_owned()], ..good.clone() }, "scopes must have openid"),
        (Oidc { stored_client_secret: Some("sso".to_owned()), ..good.clone() }, "keep one of them"),
        (Oidc { client_secret_file: Some("/nowhere".into()), ..good.clone() }, "can't be read"),
    ] {
        let said = said(&[wrong], Some(PUBLIC_URL));
        assert!(said.contains(expected), "{said}");
    }
    assert!(said(std::slice::from_ref(&good), None).contains("needs access.public_url"));
    assert!(said(&[good.clone(), good], Some(PUBLIC_URL)).contains("two of this name"));
}

//! The same against Keycloak, where it was fetched: `scripts/test --full` does.

use berth_access::federation::Oidc;
use berth_catalog::Clock;
use berth_engines::Keycloak;
use berth_federation::Attempt;

use crate::browser::log_in;
use crate::login::{REDIRECT, answer, service, settings};

#[tokio::test]
async fn a_login_at_keycloak_proves_who_it_is() {
    if std::env::var_os("BERTH_KEYCLOAK").is_none() {
        println!("left out: BERTH_KEYCLOAK is not set");
        return;
    }
    let keycloak = Keycloak::start(REDIRECT);
    let (settings, _secret) = settings(&keycloak.issuer());
    let now = || Clock::system().now();
    for (user, groups) in [("alice", &["builders".to_owned()][..]), ("bob", &[])] {
        let (service, attempt) = (service(&settings), Attempt::new("/login").unwrap());
        let back =
            log_in(service.begin(&attempt).await.unwrap(), REDIRECT, user, &format!("{user}-password")).await;
        let proven = service.finish(&attempt, &answer(&back), now()).await;
        let proven = proven.unwrap_or_else(|error| panic!("{}", error.reason()));
        assert_eq!((proven.name.as_str(), &proven.groups[..]), (user, groups));
        assert_eq!(proven.email, Some(format!("{user}@example.com")));
    }
    let required = Oidc { required_groups: vec!["builders".to_owned()], ..settings };
    let (service, attempt) = (service(&required), Attempt::new("/login").unwrap());
    let back = log_in(service.begin(&attempt).await.unwrap(), REDIRECT, "bob", "bob-password").await;
    assert!(service.finish(&attempt, &answer(&back), now()).await.is_err());
}

//! An account whose name the configuration gives to somebody else later: the configuration wins.

use super::{Fixture, On, PASSWORD, by, on_both, wrong};
use crate::federation::{Proven, Source};
use crate::tests::named;
use crate::{
    AccountError, Accounts, Config, LoginCause as Cause, ManageError, Management, NewApplicationPassword,
    ReadOnly, Unauthenticated, UserAccess,
};

on_both!(no_way_leads_to_an_account_whose_name_is_another_s);

async fn no_way_leads_to_an_account_whose_name_is_another_s(on: On) {
    let mut f = Fixture::new(on).await;
    f.add("alice").await;
    let new = NewApplicationPassword { user: "alice".into(), name: "ci".into(), days: 1 };
    let (id, secret, _) = f.accounts.create_application_password(new.clone(), &by()).await.unwrap();
    let at_service = |name: &str| Proven {
        source: Source::Oidc,
        external: "issuer 1".into(),
        name: name.into(),
        groups: vec!["admins".into()],
        display: None,
        email: None,
    };
    f.access.welcome(&at_service("bob")).await.unwrap();

    let users = ["alice", "bob"].map(|name| crate::tests::user(name, UserAccess::Read)).to_vec();
    f.config = Config { users, ..Config::default() };
    f.accounts = Accounts::new(f.catalog.clone(), &f.config, None);
    let known = Some(f.accounts.clone());
    f.access =
        crate::Access::open_with_accounts(&f.config, &ReadOnly::default(), &f.catalog, known).await.unwrap();

    assert_eq!(f.log_in("alice", "secret").await, Ok(named("alice")), "whom the configuration names");
    assert_eq!(f.log_in("alice", PASSWORD).await, wrong("alice", Cause::WrongPassword));
    assert_eq!(f.access.log_in("alice", PASSWORD, None).await, wrong("alice", Cause::WrongPassword));
    let taken = |name: &str| Unauthenticated::NameTaken { name: name.into() };
    assert_eq!(f.log_in("alice", secret.reveal()).await, Err(taken("alice")), "who has the secret is told");
    let other = crate::RandomSecret::generate(crate::SecretKind::Application).unwrap();
    assert_eq!(f.log_in("alice", other.reveal()).await, wrong("alice", Cause::WrongPassword));
    assert_eq!(f.access.welcome(&at_service("bob")).await.map_err(|error| error.to_string()), {
        Err(taken("bob").to_string())
    });
    assert!(f.access.welcome(&at_service("renamed")).await.is_err(), "it is bob's account by any name");
    let changed = f.accounts.change_password("alice", PASSWORD, "Another-2", None, &by()).await;
    assert!(matches!(changed, Err(AccountError::Unproved(_))), "{changed:?}");
    let refused = AccountError::Configured("alice".into());
    assert_eq!(f.accounts.create_application_password(new, &by()).await.unwrap_err(), refused);
    assert_eq!(f.accounts.begin_totp("alice", None).await.unwrap_err(), refused);
    let alice = f.log_in("alice", "secret").await.unwrap();
    let manage = Management::new(&f.access, &f.accounts, &f.catalog);
    let listed = manage.application_passwords(&alice, "alice").await;
    assert!(matches!(listed, Err(ManageError::Account(error)) if error == refused));
    assert!(manage.revoke_application_password(&alice, "alice", id).await.is_err());
    assert!(f.access.groups_of(&named("bob")).is_empty(), "groups of the account are not the user's");
}

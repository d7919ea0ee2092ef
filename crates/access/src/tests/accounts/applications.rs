//! Passwords for single clients.

use super::{Fixture, On, PASSWORD, by, eventually, on_both, wrong};
use crate::{
    AccountError, ApplicationPasswordRules, Caller, Config, Identity, LoginCause as Cause,
    NewApplicationPassword, Proof, RandomSecret,
};

on_both!(
    one_proves_its_owner_and_costs_no_hash,
    one_that_ended_says_when_and_why_to_who_has_it,
    rules_hold_for_them,
    those_that_ended_are_in_nobodys_way,
);

async fn make(
    f: &Fixture,
    user: &str,
    days: u32,
) -> (berth_catalog::app_password::AppPasswordId, RandomSecret) {
    let new = NewApplicationPassword { user: user.to_owned(), name: "laptop".to_owned(), days };
    let (id, secret, _) = f.accounts.create_application_password(new, &by()).await.unwrap();
    (id, secret)
}

async fn one_proves_its_owner_and_costs_no_hash(on: On) {
    let f = Fixture::new(on).await;
    f.add("alice").await;
    f.add("bob").await;
    let (id, secret) = make(&f, "alice", 30).await;
    let before = f.cost();
    let expected = Caller::new(Identity::User("alice".into()), Proof::ApplicationPassword);
    assert_eq!(f.log_in("alice", secret.reveal()).await, Ok(expected));
    for name in ["bob", "nobody", "Alice"] {
        assert_eq!(f.log_in(name, secret.reveal()).await, wrong(name, Cause::WrongSecret), "somebody else's");
    }
    let unknown = RandomSecret::generate(crate::SecretKind::Application).unwrap();
    assert_eq!(f.log_in("alice", unknown.reveal()).await, wrong("alice", Cause::WrongSecret));
    assert_eq!(f.cost(), before);
    // A lock is for guesses at the password.
    f.guess("alice", 5).await;
    assert!(!f.is_right("alice", PASSWORD).await && f.is_right("alice", secret.reveal()).await);
    eventually("the use is noted", async || {
        f.accounts.application_passwords("alice").await.unwrap()[0].used_at == Some(f.clock.now())
    })
    .await;
    let somebody_elses = f.accounts.revoke_application_password("bob", id, &by()).await;
    assert!(matches!(somebody_elses, Err(AccountError::Unknown { .. })), "{somebody_elses:?}");
    assert!(f.is_right("alice", secret.reveal()).await);
}

async fn one_that_ended_says_when_and_why_to_who_has_it(on: On) {
    let f = Fixture::new(on).await;
    f.add("alice").await;
    let ((first, revoked), (_, expired)) = (make(&f, "alice", 30).await, make(&f, "alice", 1).await);
    assert!(f.is_right("alice", revoked.reveal()).await && f.is_right("alice", expired.reveal()).await);
    f.pass(60);
    f.accounts.revoke_application_password("alice", first, &by()).await.unwrap();
    assert!(f.accounts.revoke_application_password("alice", first, &by()).await.is_err(), "once");
    f.pass(86_400 - 60);
    let said =
        async |secret: &RandomSecret| f.log_in("alice", secret.reveal()).await.unwrap_err().to_string();
    let expected = "application password \"laptop\" of \"alice\" was revoked at 2023-11-14T22:14:20Z; make another, and log in with that";
    assert_eq!(said(&revoked).await, expected);
    assert!(said(&expired).await.contains("expired at 2023-11-15T22:13:20Z"));
    assert_eq!(
        f.log_in("bob", expired.reveal()).await,
        wrong("bob", Cause::WrongSecret),
        "under another name"
    );
    // Its account's end is its own.
    let (_, alive) = make(&f, "alice", 5).await;
    f.accounts.disable_user("alice", true, &by()).await.unwrap();
    assert!(said(&alive).await.contains("was disabled at"));
    f.accounts.delete_user("alice", &by()).await.unwrap();
    f.add("alice").await;
    assert_eq!(f.log_in("alice", alive.reveal()).await, wrong("alice", Cause::WrongSecret), "another alice");
}

async fn those_that_ended_are_in_nobodys_way(on: On) {
    let f = Fixture::new(on).await;
    f.add("alice").await;
    // A script that makes one a day, and revokes it.
    for _ in 0..201 {
        let (id, _) = make(&f, "alice", 1).await;
        f.accounts.revoke_application_password("alice", id, &by()).await.unwrap();
    }
    let remembered = async || f.accounts.application_passwords("alice").await.unwrap().len();
    assert_eq!(remembered().await, 201, "tokens may be out for each");
    f.pass(2 * 86_400);
    let (first, _) = make(&f, "alice", 1).await;
    assert_eq!(remembered().await, 200 + 1);
    for _ in 0..199 {
        make(&f, "alice", 1).await;
    }
    let new = NewApplicationPassword { user: "alice".to_owned(), name: "more".to_owned(), days: 1 };
    let full = AccountError::Full { what: "application passwords", most: 200 };
    let made = f.accounts.create_application_password(new, &by()).await;
    assert_eq!(made.map(drop), Err(full));
    f.accounts.revoke_application_password("alice", first, &by()).await.unwrap();
    make(&f, "alice", 1).await;
}

async fn rules_hold_for_them(on: On) {
    let application_passwords = ApplicationPasswordRules { max_days: 10 };
    let f = Fixture::with(on, Config { application_passwords, ..Config::default() }).await;
    f.add("alice").await;
    let try_to = async |user: &str, name: &str, days| {
        let new = NewApplicationPassword { user: user.to_owned(), name: name.to_owned(), days };
        f.accounts.create_application_password(new, &by()).await.map(drop)
    };
    assert!(try_to("alice", "laptop", 10).await.is_ok());
    assert!(matches!(try_to("alice", "laptop", 11).await, Err(AccountError::TooLong { .. })));
    assert!(matches!(try_to("bob", "laptop", 1).await, Err(AccountError::Unknown { .. })));
    assert!(matches!(try_to("alice", "lap\ntop", 1).await, Err(AccountError::Name { .. })));
    // Nobody gets around a change that is due.
    f.accounts.reset_password("alice", "Chosen-for-1", false, &by()).await.unwrap();
    assert_eq!(try_to("alice", "phone", 1).await, Err(AccountError::MustChange("alice".to_owned())));
}

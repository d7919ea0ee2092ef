//! The second factor.

use std::sync::Arc;

use super::{Fixture, On, PASSWORD, by, on_both, wrong};
use crate::tests::named;
use crate::{
    AccountError, Accounts, Enrolment, LoginCause as Cause, NewApplicationPassword, Unauthenticated,
};

on_both!(
    a_password_alone_is_not_enough_and_a_code_is_good_once,
    codes_can_not_be_guessed,
    nothing_is_kept_where_nothing_can_be_sealed,
    what_was_proved_before_ends_with_the_change,
    people_have_one_by_their_own_hand,
);

fn code(f: &Fixture, enrolment: &Enrolment) -> String {
    enrolment.code_at(f.clock.now().as_second())
}

async fn enabled(f: &Fixture, name: &str) -> Enrolment {
    f.add(name).await;
    let enrolment = Enrolment::generate().unwrap();
    assert_eq!(f.accounts.enable_totp(name, &enrolment, "000", &by()).await, Err(AccountError::Code));
    assert!(f.is_right(name, PASSWORD).await, "not before a code was given");
    f.accounts.enable_totp(name, &enrolment, &code(f, &enrolment), &by()).await.unwrap();
    enrolment
}

async fn a_password_alone_is_not_enough_and_a_code_is_good_once(on: On) {
    let f = Fixture::new(on).await;
    let enrolment = enabled(&f, "alice").await;
    let again = f.accounts.enable_totp("alice", &enrolment, &code(&f, &enrolment), &by()).await;
    assert!(matches!(again, Err(AccountError::Factor(_))));
    let refused = f.log_in("alice", PASSWORD).await.unwrap_err().to_string();
    assert!(refused.contains("make an application password"), "{refused}");
    assert_eq!(
        f.log_in("alice", "wrong").await,
        wrong("alice", Cause::WrongPassword),
        "others learn nothing"
    );
    let log_in = async |code: Option<&str>| f.access.log_in("alice", PASSWORD, code).await;
    assert!(matches!(log_in(None).await, Err(Unauthenticated::SecondFactorNeeded { client: false, .. })));
    let used = code(&f, &enrolment);
    assert_eq!(log_in(Some(&used)).await, wrong("alice", Cause::WrongCode), "it was used to enable it");
    f.pass(30);
    let fresh = code(&f, &enrolment);
    assert_eq!(log_in(Some(&fresh)).await, Ok(named("alice")));
    assert_eq!(log_in(Some(&fresh)).await, wrong("alice", Cause::WrongCode), "none is good twice");
    assert_eq!(log_in(Some(&used)).await, wrong("alice", Cause::WrongCode), "nor one from before");

    let new = NewApplicationPassword { user: "alice".to_owned(), name: "cli".to_owned(), days: 1 };
    let (_, secret, _) = f.accounts.create_application_password(new, &by()).await.unwrap();
    assert!(f.is_right("alice", secret.reveal()).await);
    let change = async |code| f.accounts.change_password("alice", PASSWORD, "Another-2", code, &by()).await;
    assert!(matches!(change(None).await, Err(AccountError::Unproved(_))));
    f.pass(30);
    change(Some(&*code(&f, &enrolment))).await.unwrap();
    f.accounts.disable_totp("alice", &by()).await.unwrap();
    assert_eq!(f.log_in("alice", "Another-2").await, Ok(named("alice")));
}

async fn what_was_proved_before_ends_with_the_change(on: On) {
    let f = Fixture::new(on).await;
    f.add("alice").await;
    let (access, read_only) = (&f.access, crate::ReadOnly::default());
    let before = access.log_in("alice", PASSWORD, None).await.unwrap();
    let cookie = access.begin_session(&before).await.unwrap();
    let valid_after = async || f.accounts.user("alice").await.unwrap().valid_after;
    let first = valid_after().await;
    f.pass(30);
    let enrolment = Enrolment::generate().unwrap();
    f.accounts.enable_totp("alice", &enrolment, &code(&f, &enrolment), &by()).await.unwrap();
    let node = async || {
        let accounts = Some(f.accounts.clone());
        crate::Access::open_with_accounts(&f.config, &read_only, &f.catalog, accounts).await.unwrap()
    };
    let access = node().await;
    assert_eq!(access.resume_session(cookie.reveal()).await.unwrap(), None, "proved without the factor");
    assert!(access.begin_session(&before).await.is_err());
    assert_eq!(valid_after().await, f.clock.now());
    assert!(access.stands(&before, first).is_err(), "tokens, too");
    f.pass(30);
    let with = access.log_in("alice", PASSWORD, Some(&code(&f, &enrolment))).await.unwrap();
    let cookie = access.begin_session(&with).await.unwrap();
    assert!(access.resume_session(cookie.reveal()).await.unwrap().is_some());
    f.pass(30);
    f.accounts.disable_totp("alice", &by()).await.unwrap();
    assert_eq!(node().await.resume_session(cookie.reveal()).await.unwrap(), None);
}

async fn people_have_one_by_their_own_hand(on: On) {
    let f = Fixture::new(on).await;
    f.add("alice").await;
    let none = f.accounts.confirm_totp("alice", "000000", &by()).await;
    assert!(matches!(none, Err(AccountError::Factor(_))), "{none:?}");
    let wrong_one = f.accounts.begin_totp("alice", Some("guess")).await;
    assert!(matches!(wrong_one, Err(AccountError::Unproved(_))), "{wrong_one:?}");
    let first = f.accounts.begin_totp("alice", Some(PASSWORD)).await.unwrap();
    let second = f.accounts.begin_totp("alice", Some(PASSWORD)).await.unwrap();
    let confirm = async |code: &str| f.accounts.confirm_totp("alice", code, &by()).await;
    assert_eq!(confirm(&code(&f, &first)).await, Err(AccountError::Code), "another has begun since");
    f.pass(600);
    assert!(matches!(confirm(&code(&f, &second)).await, Err(AccountError::Factor(_))), "too late");
    let third = f.accounts.begin_totp("alice", Some(PASSWORD)).await.unwrap();
    assert!(f.is_right("alice", PASSWORD).await, "not before a code was given");
    confirm(&code(&f, &third)).await.unwrap();
    assert!(!f.is_right("alice", PASSWORD).await);
    assert!(matches!(confirm(&code(&f, &third)).await, Err(AccountError::Factor(_))), "it waits no more");
    let again = f.accounts.begin_totp("alice", Some(PASSWORD)).await;
    assert!(matches!(again, Err(AccountError::Factor(_))), "{again:?}");

    let remove = async |code: &str| f.accounts.remove_totp("alice", code, &by()).await;
    assert_eq!(remove(&code(&f, &third)).await, Err(AccountError::Code), "it was used");
    for _ in 0..4 {
        assert_eq!(remove("000000").await, Err(AccountError::Code));
    }
    f.pass(29);
    let locked = remove(&code(&f, &third)).await;
    assert!(matches!(locked, Err(AccountError::Unproved(_))), "{locked:?}");
    f.pass(30);
    remove(&code(&f, &third)).await.unwrap();
    assert!(f.is_right("alice", PASSWORD).await);
    assert!(matches!(remove("000000").await, Err(AccountError::Factor(_))));
    let changes = ["created", "second factor enabled", "second factor disabled"];
    super::eventually("both changes are sealed", async || f.changes().await == changes).await;
}

async fn codes_can_not_be_guessed(on: On) {
    let f = Fixture::new(on).await;
    let enrolment = enabled(&f, "alice").await;
    f.pass(30);
    for _ in 0..5 {
        assert_eq!(
            f.access.log_in("alice", PASSWORD, Some("000000")).await,
            wrong("alice", Cause::WrongCode)
        );
    }
    let right = f.access.log_in("alice", PASSWORD, Some(&code(&f, &enrolment))).await;
    assert_eq!(right, wrong("alice", Cause::Locked));
    f.pass(30);
    assert_eq!(f.access.log_in("alice", PASSWORD, Some(&code(&f, &enrolment))).await, Ok(named("alice")));
}

async fn nothing_is_kept_where_nothing_can_be_sealed(on: On) {
    let f = Fixture::new(on).await;
    f.add("alice").await;
    let keyless = Accounts::new(f.catalog.clone(), &f.config, None);
    let enrolment = Enrolment::generate().unwrap();
    let refused = keyless.enable_totp("alice", &enrolment, &code(&f, &enrolment), &by()).await;
    assert!(matches!(refused, Err(AccountError::Seal(_))), "{refused:?}");
    assert!(f.is_right("alice", PASSWORD).await);
    // What was sealed for one account opens for no other, and without the key a factor can't be skipped.
    f.accounts.enable_totp("alice", &enrolment, &code(&f, &enrolment), &by()).await.unwrap();
    let sealed = f.accounts.user("alice").await.unwrap().totp.unwrap();
    assert!(
        !sealed.windows(8).any(|bytes| enrolment
            .to_base32()
            .as_bytes()
            .windows(8)
            .any(|shown| shown == bytes))
    );
    assert!(super::Sealer::open(&super::Turned, "account/bob/totp", &sealed).is_err());
    let blind = crate::Access::with_accounts(&f.config, &crate::ReadOnly::default(), Some(keyless)).unwrap();
    f.pass(30);
    let outcome = blind.log_in("alice", PASSWORD, Some(&code(&f, &enrolment))).await;
    assert_eq!(outcome, Err(Unauthenticated::Unavailable));
    drop(Arc::new(blind));
}

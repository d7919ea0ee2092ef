//! What ends when a second factor comes or goes, and how people do that themselves.

use super::totp::code;
use super::{Fixture, On, PASSWORD, by, eventually, on_both};
use crate::{Access, AccountError, Enrolment, ReadOnly};

on_both!(what_was_proved_before_ends_with_the_change, people_have_one_by_their_own_hand);

async fn what_was_proved_before_ends_with_the_change(on: On) {
    let f = Fixture::new(on).await;
    f.add("alice").await;
    let (access, read_only) = (&f.access, ReadOnly::default());
    let before = access.log_in("alice", PASSWORD, None).await.unwrap();
    let cookie = access.begin_session(&before).await.unwrap();
    let valid_after = async || f.accounts.user("alice").await.unwrap().valid_after;
    let first = valid_after().await;
    f.pass(30);
    let enrolment = Enrolment::generate().unwrap();
    f.accounts.enable_totp("alice", &enrolment, &code(&f, &enrolment), &by()).await.unwrap();
    let node = async || {
        let accounts = Some(f.accounts.clone());
        Access::open_with_accounts(&f.config, &read_only, &f.catalog, accounts).await.unwrap()
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
    eventually("both changes are sealed", async || f.changes().await == changes).await;
}

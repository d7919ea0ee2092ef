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
);

pub(super) fn code(f: &Fixture, enrolment: &Enrolment) -> String {
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

use std::sync::Arc;

use proptest::prelude::*;

use super::{access, access_of, basic, config, named, user};
use crate::{Access, Anonymous, Caller, LoginCause as Cause, Unauthenticated, UserAccess};

fn with_alice() -> Access {
    access(Anonymous::Read, vec![user("alice", UserAccess::Write)])
}

#[tokio::test]
async fn no_header_and_empty_credentials_are_anonymous() {
    let access = with_alice();
    assert_eq!(access.authenticate(None).await, Ok(Caller::anonymous()));
    assert_eq!(access.authenticate(Some("Basic Og==")).await, Ok(Caller::anonymous()));
    assert_eq!(access.password_hashes(), 0);
}

#[tokio::test]
async fn right_credentials_prove_the_user() {
    let access = with_alice();
    let header = basic("alice", "secret");
    assert_eq!(access.authenticate(Some(&header)).await, Ok(named("alice")));
    assert_eq!(access.authenticate(Some(&header.replace("Basic", "bASIC"))).await, Ok(named("alice")));
    assert_eq!(access.authenticate(Some(header.trim_end_matches('='))).await, Ok(named("alice")));
    assert_eq!(access.password_hashes(), 1, "verified credentials are believed");
}

#[tokio::test]
async fn wrong_credentials_and_unknown_users_look_the_same_and_cost_the_same() {
    let access = with_alice();
    for (name, password, cause, hashes) in [
        ("alice", "Secret", Cause::WrongPassword, 1),
        ("mallory", "secret", Cause::UnknownName, 2),
        ("alice", "", Cause::WrongPassword, 3),
    ] {
        let outcome = access.authenticate(Some(&basic(name, password))).await;
        assert_eq!(outcome, Err(Unauthenticated::WrongCredentials { name: name.to_owned(), cause }));
        assert_eq!(access.password_hashes(), hashes);
    }
}

#[tokio::test]
async fn without_users_no_credentials_are_right() {
    let access = access(Anonymous::Write, vec![]);
    let outcome = access.authenticate(Some(&basic("alice", "secret"))).await;
    assert_eq!(outcome, Err(Unauthenticated::NoUsers));
    assert_eq!(access.password_hashes(), 0);
}

#[tokio::test]
async fn malformed_headers_are_named() {
    let access = with_alice();
    for (header, expected) in [
        ("", Unauthenticated::UnsupportedScheme),
        ("Basic", Unauthenticated::UnsupportedScheme),
        ("Bearer abc", Unauthenticated::UnsupportedScheme),
        ("Basic %%%", Unauthenticated::Malformed("not base64")),
        ("Basic YWxpY2U=", Unauthenticated::Malformed("no colon after the name")),
        ("Basic YQBiOmM=", Unauthenticated::Malformed("control character")),
        ("Basic /zpj", Unauthenticated::Malformed("name is not UTF-8")),
    ] {
        assert_eq!(access.authenticate(Some(header)).await, Err(expected), "{header:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_at_the_same_time_cost_one_hash() {
    let access = with_alice();
    let header: Arc<str> = basic("alice", "secret").into();
    let logins: Vec<_> = (0..64)
        .map(|_| {
            let (access, header) = (access.clone(), Arc::clone(&header));
            tokio::spawn(async move { access.authenticate(Some(&header)).await })
        })
        .collect();
    for login in logins {
        assert_eq!(login.await.unwrap(), Ok(named("alice")));
    }
    assert_eq!(access.password_hashes(), 1);
}

#[tokio::test]
async fn a_dropped_login_leaves_nothing_behind() {
    let access = with_alice();
    let header = basic("alice", "secret");
    let held = access.hold_logins();
    let mut first = Box::pin(access.authenticate(Some(&header)));
    assert!(futures_poll_once(&mut first).await.is_none());
    drop(first);
    drop(held);
    assert_eq!(access.logins_in_flight(), 0);
    assert_eq!(access.authenticate(Some(&header)).await, Ok(named("alice")));
    assert_eq!(access.logins_in_flight(), 0);
}

/// Polls a future once; none when it isn't ready.
async fn futures_poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn zero_cache_seconds_hashes_every_time() {
    let mut config = config(Anonymous::None, vec![user("alice", UserAccess::Read)]);
    config.credential_cache_seconds = 0;
    let access = access_of(&config);
    for hashes in 1..4 {
        assert!(access.authenticate(Some(&basic("alice", "secret"))).await.is_ok());
        assert_eq!(access.password_hashes(), hashes);
    }
}

#[tokio::test]
async fn debug_output_holds_no_secret() {
    let config = config(Anonymous::None, vec![user("alice", UserAccess::Read)]);
    let access = access_of(&config);
    let outcome = access.authenticate(Some(&basic("alice", "hunter2"))).await;
    let printed = format!("{config:?} {access:?} {outcome:?} {}", outcome.as_ref().unwrap_err());
    assert!(!printed.contains("argon2id") && !printed.contains("hunter2"), "{printed}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_but_the_password_proves_a_user(header in ".{0,40}", name in "[^:]{0,8}", password in ".{0,8}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let access = with_alice();
        for header in [header, basic(&name, &password), basic("alice", &password)] {
            let outcome = runtime.block_on(access.authenticate(Some(&header)));
            if password != "secret" {
                prop_assert!(!outcome.as_ref().is_ok_and(|caller| !caller.is_anonymous()), "{header:?}: {outcome:?}");
            }
        }
    }
}

//! What users of the configuration got, and those of whose name they are.

use std::time::Duration;

use super::super::Node;
use super::{PASSWORD, by};
use crate::tests::basic;
use crate::{Access, Anonymous, NewApplicationPassword, NewUser, UserAccess, hash_password};

#[tokio::test]
async fn another_hash_in_the_configuration_ends_what_was_issued_before() {
    let node = Node::new(Anonymous::None).await;
    let ann = node.caller("ann").await;
    let (token, refresh) = (node.issue("ann", "").await.token, node.kept(&ann).await.unwrap());
    let cookie = node.access.begin_session(&ann).await.unwrap();
    let counts = async |access: &Access| {
        let shown = access.authenticate(Some(&format!("Bearer {token}"))).await.is_ok();
        let session = access.resume_session(cookie.reveal()).await.unwrap().is_some();
        (shown, access.refresh_caller(&refresh).await.is_ok(), session)
    };
    assert_eq!(counts(&node.restarted(&node.config).await).await, (true, true, true));
    let mut changed = node.config.clone();
    changed.users[0].access = UserAccess::Read;
    assert_eq!(counts(&node.restarted(&changed).await).await, (true, true, true), "rights are looked up");
    changed.users[0].password = hash_password("another").unwrap();
    assert_eq!(counts(&node.restarted(&changed).await).await, (false, false, false));
    changed.users.remove(0);
    assert_eq!(counts(&node.restarted(&changed).await).await, (false, false, false));
    // Nor does an account get what was a user's of the configuration.
    let restarted = node.restarted(&changed).await;
    restarted
        .accounts()
        .unwrap()
        .create_user(
            NewUser {
                name: "ann".into(),
                display_name: None,
                email: None,
                password: PASSWORD.into(),
                own_choice: true,
            },
            &by(),
        )
        .await
        .unwrap();
    restarted.refresh().await.unwrap();
    assert_eq!(counts(&restarted).await, (false, false, false));
}

#[tokio::test]
async fn a_user_of_the_configuration_can_be_logged_out() {
    let node = Node::new(Anonymous::None).await;
    let (ann, bob) = (node.caller("ann").await, node.caller("bob").await);
    let cookie = node.access.begin_session(&ann).await.unwrap();
    let (token, refresh) = (node.issue("ann", "").await.token, node.kept(&ann).await.unwrap());
    let others = node.kept(&bob).await.unwrap();
    node.clock.advance(Duration::from_millis(20));
    node.accounts.log_out_everywhere("ann", &by()).await.unwrap();
    node.access.refresh().await.unwrap();
    assert!(node.show(&token).await.is_err() && node.access.refresh_caller(&refresh).await.is_err());
    assert_eq!(node.access.resume_session(cookie.reveal()).await.unwrap(), None);
    assert!(node.access.refresh_caller(&others).await.is_ok());
    // Who had proved to be ann before gets nothing that lasts; who does so again, does.
    assert_eq!(node.kept(&ann).await, None);
    assert!(node.access.begin_session(&ann).await.is_err());
    let again = node.log_in("ann", "secret").await;
    assert!(node.kept(&again).await.is_some());
    assert!(node.show(&node.issue_to(&again, "").await.token).await.is_ok());
}

#[tokio::test]
async fn an_account_whose_name_the_configuration_has_given_away_keeps_nothing() {
    let node = Node::new(Anonymous::None).await;
    node.add("carl").await;
    let carl = node.log_in("carl", PASSWORD).await;
    let new = NewApplicationPassword { user: "carl".into(), name: "ci".into(), days: 1 };
    let (_, secret, _) = node.accounts.create_application_password(new, &by()).await.unwrap();
    let by_secret = node.log_in("carl", secret.reveal()).await;
    let tokens = [node.issue_to(&carl, "").await.token, node.issue_to(&by_secret, "").await.token];
    let (refresh, cookie) =
        (node.kept(&carl).await.unwrap(), node.access.begin_session(&carl).await.unwrap());
    let mut config = node.config.clone();
    config.users.push(crate::tests::user("carl", UserAccess::Admin));
    let access = node.restarted(&config).await;
    for token in tokens {
        assert!(access.authenticate(Some(&format!("Bearer {token}"))).await.is_err());
    }
    assert!(access.refresh_caller(&refresh).await.is_err());
    assert_eq!(access.resume_session(cookie.reveal()).await.unwrap(), None);
    assert!(access.certified("carl").is_ok(), "the certificate names whom the configuration names");
    assert!(access.authenticate(Some(&basic("carl", "secret"))).await.is_ok());
}

//! A token narrows and never grants.

use berth_catalog::account;

use super::Node;
use crate::{Anonymous, Caller, Delete, Permit, Pull, Push, Reason, Right, UserAccess};

fn may<A: Right>(node: &Node, caller: &Caller, repository: &str) -> Result<Permit<A>, Reason> {
    node.access.permit::<A>(caller, &repository.parse().unwrap()).map_err(|denied| denied.reason())
}

#[tokio::test]
async fn a_token_is_good_for_its_repository_and_its_actions_only() {
    let node = Node::new(Anonymous::None).await;
    let caller = node.show(&node.issue("ann", "repository:a/b:pull").await.token).await.unwrap();
    assert!(may::<Pull>(&node, &caller, "a/b").is_ok());
    for other in ["a", "a/b/c", "a/bc", "b/a", "a/c", "x/a/b"] {
        assert_eq!(may::<Pull>(&node, &caller, other).unwrap_err(), Reason::OutOfScope, "{other}");
    }
    assert_eq!(may::<Push>(&node, &caller, "a/b").unwrap_err(), Reason::OutOfScope);
    assert_eq!(may::<Delete>(&node, &caller, "a/b").unwrap_err(), Reason::OutOfScope);
    assert_eq!(node.access.catalog(&caller).unwrap_err().reason(), Reason::OutOfScope);

    let caller =
        node.show(&node.issue("ann", "repository:a/b:push repository:a/c:pull").await.token).await.unwrap();
    let push = may::<Push>(&node, &caller, "a/b").unwrap();
    assert!(push.granted().has(crate::Action::Create) && !push.granted().has(crate::Action::Delete));
    assert_eq!(
        may::<Push>(&node, &caller, "a/c").unwrap_err(),
        Reason::OutOfScope,
        "actions stay with their name"
    );
    assert_eq!(may::<Pull>(&node, &caller, "a/b").unwrap_err(), Reason::OutOfScope);

    let caller = node.show(&node.issue("ann", "registry:catalog:*").await.token).await.unwrap();
    assert!(node.access.catalog(&caller).is_ok());
    assert_eq!(may::<Pull>(&node, &caller, "a/b").unwrap_err(), Reason::OutOfScope);
}

#[tokio::test]
async fn a_token_holds_no_more_than_roles_grant() {
    let node = Node::new(Anonymous::None).await;
    let issued = node.issue("bob", "repository:a/b:pull,push,delete").await;
    assert_eq!(issued.scope, "repository:a/b:pull");
    let caller = node.show(&issued.token).await.unwrap();
    assert_eq!(
        may::<Push>(&node, &caller, "a/b").unwrap_err(),
        Reason::Forbidden,
        "another token would not help"
    );
    assert_eq!(node.issue_to(&Caller::anonymous(), "repository:a/b:pull registry:catalog:*").await.scope, "");
    let stranger =
        node.show(&node.issue_to(&Caller::anonymous(), "repository:a/b:pull").await.token).await.unwrap();
    assert_eq!(may::<Pull>(&node, &stranger, "a/b").unwrap_err(), Reason::CredentialsNeeded);

    let open = Node::new(Anonymous::Read).await;
    let issued = open.issue_to(&Caller::anonymous(), "repository:a/b:pull,push").await;
    assert_eq!(issued.scope, "repository:a/b:pull");
}

#[tokio::test]
async fn roles_are_asked_again_at_each_use() {
    let node = Node::new(Anonymous::None).await;
    let token = node.issue("ann", "repository:a/b:pull,push").await.token;
    let caller = node.show(&token).await.unwrap();
    assert!(may::<Push>(&node, &caller, "a/b").is_ok());
    // The same keys and catalog, under a configuration in which ann may only read.
    let config = crate::tests::config(Anonymous::None, vec![crate::tests::user("ann", UserAccess::Read)]);
    let access = crate::Access::open(&config, &crate::ReadOnly::default(), &node.catalog).await.unwrap();
    let access = access.with_tokens(node.tokens.clone());
    let caller = access.authenticate(Some(&format!("Bearer {token}"))).await.unwrap();
    let repository = "a/b".parse().unwrap();
    assert!(access.permit::<Pull>(&caller, &repository).is_ok());
    assert_eq!(access.permit::<Push>(&caller, &repository).unwrap_err().reason(), Reason::Forbidden);
    // And under one in which there is no ann.
    let config = crate::tests::config(Anonymous::Write, vec![crate::tests::user("bob", UserAccess::Read)]);
    let access = crate::Access::open(&config, &crate::ReadOnly::default(), &node.catalog).await.unwrap();
    let access = access.with_tokens(node.tokens.clone());
    node.pass(1);
    let refused = access.authenticate(Some(&format!("Bearer {token}"))).await.unwrap_err();
    assert!(refused.is_token(), "{refused}");
}

/// What is done to an account after a token was signed for it.
#[derive(Debug, Clone, Copy)]
enum End {
    Disabled,
    LoggedOut,
    Deleted,
}

#[tokio::test]
async fn who_was_disabled_logged_out_or_deleted_is_refused_from_then_on() {
    for end in [End::Disabled, End::LoggedOut, End::Deleted] {
        let node = Node::new(Anonymous::None).await;
        let now = node.clock.now();
        let new = account::New {
            name: "carl".into(),
            source: account::Source::Local,
            external: None,
            display_name: None,
            email: None,
            password: None,
            must_change: false,
            groups: Vec::new(),
        };
        let made = node.catalog.write(async move |tx| account::insert(tx, &new, now).await).await;
        let id = made.unwrap().unwrap();
        node.access.refresh().await.unwrap();
        let issued = node.access.issue(&node.caller("carl").await, &[], true).await.unwrap();
        let refresh = issued.refresh_token.unwrap();
        assert!(node.show(&issued.token).await.is_ok() && node.access.refresh_caller(&refresh).await.is_ok());

        // Within the second in which the token was signed.
        node.clock.advance(std::time::Duration::from_millis(20));
        let now = node.clock.now();
        let ended = node.catalog.write(async move |tx| match end {
            End::Disabled => account::set_disabled(tx, id, true, now).await,
            End::LoggedOut => account::set_valid_after(tx, id, now).await,
            End::Deleted => account::delete(tx, id).await,
        });
        ended.await.unwrap();
        node.access.refresh().await.unwrap();
        let refused = node.show(&issued.token).await.unwrap_err();
        assert!(refused.to_string().starts_with("token counts no more: "), "{end:?}: {refused}");
        let refused = node.access.refresh_caller(&refresh).await.unwrap_err();
        assert!(refused.is_token(), "{end:?}: {refused}");
        if let End::LoggedOut = end {
            node.clock.advance(std::time::Duration::from_millis(20));
            assert!(
                node.show(&node.issue("carl", "").await.token).await.is_ok(),
                "who logs in again is heard"
            );
        }
    }
}

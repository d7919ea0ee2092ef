use super::Node;
use crate::{Anonymous, Caller};

async fn refresh_token(node: &Node) -> String {
    let issued = node.access.issue(&node.caller("ann").await, &[], true).await.unwrap();
    issued.refresh_token.unwrap()
}

#[tokio::test]
async fn a_refresh_token_stands_for_the_password_for_a_while() {
    let node = Node::new(Anonymous::None).await;
    let token = refresh_token(&node).await;
    assert!(token.starts_with("berth_t_"));
    let caller = node.access.refresh_caller(&token).await.unwrap();
    assert_eq!(caller, Caller::user("ann"));
    assert!(caller.scope().is_none());
    node.pass(30 * 24 * 3600 - 1);
    assert!(node.access.refresh_caller(&token).await.is_ok());
    node.pass(1);
    let refused = node.access.refresh_caller(&token).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "token is no refresh token that is still good; get another, or log in again"
    );
}

#[tokio::test]
async fn no_refresh_token_is_given_to_strangers_or_where_there_are_none() {
    let node = Node::new(Anonymous::Read).await;
    assert!(node.access.issue(&Caller::anonymous(), &[], true).await.unwrap().refresh_token.is_none());
    assert!(node.access.issue(&node.caller("ann").await, &[], false).await.unwrap().refresh_token.is_none());
    let mut config =
        crate::tests::config(Anonymous::None, vec![crate::tests::user("ann", crate::UserAccess::Read)]);
    config.tokens.refresh_days = 0;
    let node = Node::with(config).await;
    assert!(node.access.issue(&node.caller("ann").await, &[], true).await.unwrap().refresh_token.is_none());
}

#[tokio::test]
async fn one_kind_of_token_is_not_taken_for_the_other() {
    let node = Node::new(Anonymous::None).await;
    let token = refresh_token(&node).await;
    assert!(node.show(&token).await.is_err(), "a refresh token opens no repository");
    let access = node.issue("ann", "repository:a/b:pull").await.token;
    assert!(node.access.refresh_caller(&access).await.is_err());
    for wrong in ["", "berth_t_", &token[..token.len() - 1], &token.to_uppercase()] {
        assert!(node.access.refresh_caller(wrong).await.is_err());
    }
}

#[tokio::test]
async fn the_catalog_keeps_a_hash_of_it_only() {
    let node = Node::new(Anonymous::None).await;
    let token = refresh_token(&node).await;
    let other =
        crate::account::RandomSecret::parse(crate::account::SecretKind::Refresh, token.as_bytes()).unwrap();
    let hash = other.hash();
    let found = node
        .catalog
        .read(async |r| berth_catalog::session::find(r, berth_catalog::session::Kind::Refresh, &hash).await)
        .await
        .unwrap()
        .unwrap();
    assert!(!format!("{found:?}").contains(&token[8..]));
    assert_eq!(found.identity, r#"{"kind":"user","name":"ann","proof":"password","groups":[]}"#);
}

//! Refresh tokens of users whom others vouch for, and too many of them.

use berth_catalog::account::{self, Source};

use super::super::Node;
use crate::{Anonymous, Config, Tokens};

#[tokio::test]
async fn a_directory_is_asked_again_soon() {
    let node = Node::new(Anonymous::None).await;
    let now = node.clock.now();
    let made = node.catalog.write(async move |tx| {
        let new = account::New {
            name: "lee".into(),
            source: Source::Ldap,
            external: Some("corp 1".into()),
            display_name: None,
            email: None,
            password: None,
            must_change: false,
            groups: Vec::new(),
        };
        account::insert(tx, &new, now).await
    });
    made.await.unwrap();
    node.access.refresh().await.unwrap();
    let lee = node.caller("lee").await;
    let refresh = node.kept(&lee).await.unwrap();
    node.pass(8 * 3600 - 1);
    assert!(node.access.refresh_caller(&refresh).await.is_ok());
    node.pass(1);
    assert!(node.access.refresh_caller(&refresh).await.is_err());
    for (days, hours, kept) in [(30, 0, false), (0, 8, false), (1, 48, true)] {
        let mut config = Config { users: node.config.users.clone(), ..Config::default() };
        (config.tokens.refresh_days, config.tokens.directory_refresh_hours) = (days, hours);
        let tokens = Tokens::new(&config.tokens, node.catalog.clone(), node.vault.clone());
        let access = node.restarted(&config).await.with_tokens(tokens);
        let refresh = access.issue(&lee, &[], true).await.unwrap().refresh_token;
        assert_eq!(refresh.is_some(), kept, "{days} {hours}");
        if let Some(refresh) = refresh {
            node.pass(24 * 3600);
            assert!(access.refresh_caller(&refresh).await.is_err(), "never longer than for others");
        }
    }
}

#[tokio::test]
async fn of_very_many_refresh_tokens_those_go_that_nobody_uses() {
    let node = Node::new(Anonymous::None).await;
    let ann = node.caller("ann").await;
    let (unused, used) = (node.kept(&ann).await.unwrap(), node.kept(&ann).await.unwrap());
    let of_bob = node.kept(&node.caller("bob").await).await.unwrap();
    node.pass(120);
    assert!(node.access.refresh_caller(&used).await.is_ok());
    for _ in 0..99 {
        node.kept(&ann).await.unwrap();
    }
    assert!(node.access.refresh_caller(&unused).await.is_err());
    assert!(
        node.access.refresh_caller(&used).await.is_ok() && node.access.refresh_caller(&of_bob).await.is_ok()
    );
}

//! What was got for a secret that Berth made up.

use super::super::Node;
use super::by;
use crate::{
    Anonymous, NewApplicationPassword, NewRobot, OperatorGrants, PolicyConfig, RandomSecret, RobotName,
};

#[tokio::test]
async fn a_revoked_application_password_takes_its_tokens_along() {
    let node = Node::new(Anonymous::None).await;
    node.add("carl").await;
    let make = async |name: &str| {
        let new = NewApplicationPassword { user: "carl".into(), name: name.into(), days: 1 };
        let (id, secret, _) = node.accounts.create_application_password(new, &by()).await.unwrap();
        let caller = node.log_in("carl", secret.reveal()).await;
        (id, node.issue_to(&caller, "").await.token, caller)
    };
    let ((id, revoked, _), (_, other, caller)) = (make("laptop").await, make("ci").await);
    assert!(node.show(&revoked).await.is_ok());
    node.accounts.revoke_application_password("carl", id, &by()).await.unwrap();
    node.access.refresh().await.unwrap();
    let refused = node.show(&revoked).await.unwrap_err().to_string();
    assert!(refused.contains("the password or secret that it was issued for ended at"), "{refused}");
    assert!(node.show(&other).await.is_ok());
    // One that ends by itself is not outlived either.
    node.pass(24 * 3600 - 100);
    let issued = node.issue_to(&caller, "").await;
    assert_eq!(issued.lifetime_seconds, 100);
}

#[tokio::test]
async fn a_robots_old_secret_takes_its_tokens_along() {
    let node = Node::new(Anonymous::None).await;
    let name = RobotName::parse("robot+team+ci").unwrap();
    let robot = NewRobot {
        name: name.clone(),
        description: String::new(),
        policies: vec![PolicyConfig::of_project("team")],
        owner: "ann".into(),
        days: Some(1),
    };
    let (_, secret) = node.accounts.create_robot(robot, &OperatorGrants, &by()).await.unwrap();
    node.access.refresh().await.unwrap();
    let token = async |secret: &RandomSecret| {
        node.issue_to(&node.log_in(name.as_str(), secret.reveal()).await, "").await.token
    };
    let old = token(&secret).await;
    let second = node.accounts.rotate_robot(&name, 60, None, &by()).await.unwrap().secret;
    node.access.refresh().await.unwrap();
    let new = token(&second).await;
    assert!(node.show(&old).await.is_ok() && node.show(&new).await.is_ok(), "both are good for a while");
    node.pass(60);
    assert!(node.show(&old).await.is_err() && node.show(&new).await.is_ok());
    let third = node.accounts.rotate_robot(&name, 0, None, &by()).await.unwrap().secret;
    node.access.refresh().await.unwrap();
    assert!(node.show(&new).await.is_err());
    assert!(node.show(&token(&third).await).await.is_ok());
}

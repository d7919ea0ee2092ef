//! What was issued ends with what proved its owner.

use std::time::Duration;

use berth_catalog::account::{self, Source};
use berth_catalog::event::Author;

use super::Node;
use crate::tests::basic;
use crate::{
    Anonymous, Caller, Config, Grantor, NewApplicationPassword, NewRobot, NewUser, OperatorGrants,
    PolicyConfig, RobotName, UserAccess, hash_password,
};

const PASSWORD: &str = "Secret-1";

fn by() -> Author {
    Author::from("berth:operator")
}

impl Node {
    async fn add(&self, name: &str) {
        let (name, password) = (name.to_owned(), PASSWORD.to_owned());
        let new = NewUser { name, display_name: None, email: None, password, own_choice: true };
        self.accounts.create_user(new, &by()).await.unwrap();
        self.access.refresh().await.unwrap();
    }

    async fn log_in(&self, name: &str, secret: &str) -> Caller {
        self.access.authenticate(Some(&basic(name, secret))).await.unwrap()
    }

    async fn kept(&self, caller: &Caller) -> Option<String> {
        self.access.issue(caller, &[], true).await.unwrap().refresh_token
    }
}

#[tokio::test]
async fn another_hash_in_the_configuration_ends_what_was_issued_before() {
    let node = Node::new(Anonymous::None).await;
    let ann = node.caller("ann").await;
    let (token, refresh) = (node.issue("ann", "").await.token, node.kept(&ann).await.unwrap());
    let cookie = node.access.begin_session(&ann).await.unwrap();
    let counts = async |access: &crate::Access| {
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
async fn nothing_that_lasts_is_given_to_who_was_ended_meanwhile() {
    let node = Node::new(Anonymous::None).await;
    for name in ["dis", "out", "gone"] {
        node.add(name).await;
    }
    let (dis, out, gone) = (node.caller("dis").await, node.caller("out").await, node.caller("gone").await);
    node.clock.advance(Duration::from_millis(20));
    node.accounts.disable_user("dis", true, &by()).await.unwrap();
    node.accounts.log_out_everywhere("out", &by()).await.unwrap();
    node.accounts.delete_user("gone", &by()).await.unwrap();
    for caller in [&dis, &out, &gone] {
        assert_eq!(node.kept(caller).await, None, "{caller}");
        let refused = node.access.begin_session(caller).await.unwrap_err();
        assert!(refused.to_string().ends_with("log in again"), "{refused}");
    }
    assert!(node.kept(&node.caller("out").await).await.is_some());
}

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
        let tokens = crate::Tokens::new(&config.tokens, node.catalog.clone(), node.vault.clone());
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
    let grantor: &dyn Grantor = &OperatorGrants;
    let (_, secret) = node.accounts.create_robot(robot, grantor, &by()).await.unwrap();
    node.access.refresh().await.unwrap();
    let token = async |secret: &crate::RandomSecret| {
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

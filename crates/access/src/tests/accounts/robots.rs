//! Robots: their names, secrets, rotation and ends.

use super::{Fixture, On, PASSWORD, by, eventually, on_both, wrong};
use crate::{
    AccountError, Action, Caller, Config, Effect, Identity, LoginCause as Cause, NewRobot, OperatorGrants,
    PolicyConfig, Proof, RandomSecret, RobotName, RobotRules, SecretKind,
};

on_both!(
    a_secret_proves_its_robot_in_every_form_of_its_name,
    secrets_overlap_at_a_rotation,
    one_that_ended_says_when_and_why_to_who_has_its_secret,
    nobody_makes_one_beyond_the_rules,
    those_that_nobody_uses_are_found,
);

fn robot(project: Option<&str>, name: &str, days: Option<u32>) -> NewRobot {
    NewRobot {
        name: RobotName::new(project, name).unwrap(),
        description: "builds\nthings".to_owned(),
        policies: vec![PolicyConfig::of_project(project.unwrap_or("team"))],
        owner: "alice".to_owned(),
        days,
    }
}

async fn make(f: &Fixture, project: Option<&str>, name: &str, days: u32) -> (RobotName, RandomSecret) {
    let new = robot(project, name, Some(days));
    let whole = new.name.clone();
    (whole, f.accounts.create_robot(new, &OperatorGrants, &by()).await.unwrap().1)
}

async fn a_secret_proves_its_robot_in_every_form_of_its_name(on: On) {
    let f = Fixture::new(on).await;
    f.add("ci").await;
    let (_, system) = make(&f, None, "ci", 30).await;
    let (_, team) = make(&f, Some("team"), "ci", 30).await;
    let before = f.cost();
    for (name, secret, whole) in [
        ("robot+ci", &system, "robot+ci"),
        ("robot$ci", &system, "robot+ci"),
        ("robot+team+ci", &team, "robot+team+ci"),
        ("robot$team+ci", &team, "robot+team+ci"),
    ] {
        let expected = Caller::new(Identity::Robot(whole.into()), Proof::RobotSecret);
        assert_eq!(f.log_in(name, secret.reveal()).await, Ok(expected), "{name}");
    }
    for (name, secret) in
        [("robot+ci", &team), ("robot$team+ci", &system), ("robot+other+ci", &team), ("robot+", &team)]
    {
        assert_eq!(f.log_in(name, secret.reveal()).await, wrong(name, Cause::WrongSecret), "{name}");
    }
    let unknown = RandomSecret::generate(SecretKind::Robot).unwrap();
    assert_eq!(f.log_in("robot+ci", unknown.reveal()).await, wrong("robot+ci", Cause::WrongSecret));
    assert_eq!(f.cost(), before, "nothing is hashed slowly");
    // A user's password is no robot's, nor the other way round. Robots that don't exist cost as much as those that do.
    let mut costs = Vec::new();
    for name in ["robot+ci", "robot+nobody"] {
        let before = f.cost().rounds;
        assert_eq!(f.log_in(name, PASSWORD).await, wrong(name, Cause::WrongSecret));
        costs.push(f.cost().rounds - before);
    }
    assert_eq!(costs, [4096, 4096]);
    assert_eq!(f.log_in("ci", system.reveal()).await, wrong("ci", Cause::WrongPassword));
    let shown = f.accounts.robot_named(&RobotName::parse("robot$team+ci").unwrap()).await.unwrap();
    assert_eq!((shown.project.as_str(), shown.owner.as_str()), ("team", "alice"));
    assert_eq!(shown.description, "builds things", "one line");
    eventually("the use is noted", async || {
        f.accounts.robots_of(Some("team"), berth_catalog::robot::RobotId(0), 9).await.unwrap()[0]
            .used_at
            .is_some()
    })
    .await;
}

async fn secrets_overlap_at_a_rotation(on: On) {
    let f = Fixture::new(on).await;
    let (name, first) = make(&f, Some("team"), "ci", 30).await;
    let rotated = f.accounts.rotate_robot(&name, 3600, None, &by()).await.unwrap();
    assert_eq!(rotated.before_ends_at.duration_since(f.clock.now()).as_secs(), 3600);
    let second = rotated.secret;
    for secret in [&first, &second] {
        assert!(f.is_right(name.as_str(), secret.reveal()).await, "both are good");
    }
    f.pass(3599);
    assert!(f.is_right(name.as_str(), first.reveal()).await);
    f.pass(1);
    let ended = f.log_in(name.as_str(), first.reveal()).await.unwrap_err().to_string();
    let expected = "this secret of robot \"robot+team+ci\" was replaced and ended at 2023-11-14T23:13:20Z; use the one that replaced it";
    assert_eq!(ended, expected);
    // At once, after a leak; and those that ended before don't come back.
    let third = f.accounts.rotate_robot(&name, 0, Some(60), &by()).await.unwrap();
    assert_eq!(third.expires_at.unwrap().duration_since(f.clock.now()).as_hours(), 60 * 24);
    for secret in [&first, &second] {
        assert!(!f.is_right(name.as_str(), secret.reveal()).await);
    }
    assert!(f.is_right(name.as_str(), third.secret.reveal()).await);
    let id = f.accounts.robot_named(&name).await.unwrap().id;
    let secrets = f.accounts.robot_secrets(id).await.unwrap();
    assert_eq!(secrets.len(), 3);
    assert!(!format!("{secrets:?}").contains(&third.secret.hash()));
}

async fn one_that_ended_says_when_and_why_to_who_has_its_secret(on: On) {
    let f = Fixture::new(on).await;
    let (name, secret) = make(&f, None, "ci", 1).await;
    let said = async || f.log_in("robot$ci", secret.reveal()).await.unwrap_err().to_string();
    assert!(f.is_right("robot$ci", secret.reveal()).await);
    f.pass(86_400);
    assert!(
        said().await.starts_with("robot \"robot+ci\" expired at 2023-11-15T22:13:20Z"),
        "also what is believed"
    );
    assert_eq!(
        f.log_in("robot$ci", "guess").await,
        wrong("robot$ci", Cause::WrongSecret),
        "others learn nothing"
    );
    f.accounts.rotate_robot(&name, 60, Some(1), &by()).await.unwrap();
    assert!(f.is_right("robot$ci", secret.reveal()).await);
    f.accounts.disable_robot(&name, true, &by()).await.unwrap();
    assert!(said().await.contains("was disabled"));
    f.accounts.disable_robot(&name, false, &by()).await.unwrap();
    assert!(f.is_right("robot$ci", secret.reveal()).await);
    f.accounts.delete_robot(&name, &by()).await.unwrap();
    f.add("alice").await;
    assert_eq!(f.log_in("robot$ci", secret.reveal()).await, wrong("robot$ci", Cause::WrongSecret));
    // The name's next owner has none of the secrets.
    make(&f, None, "ci", 1).await;
    assert!(!f.is_right("robot$ci", secret.reveal()).await);
}

async fn nobody_makes_one_beyond_the_rules(on: On) {
    let f = Fixture::with(on, Config { robots: RobotRules { max_days: 30 }, ..Config::default() }).await;
    let create = async |new: NewRobot| f.accounts.create_robot(new, &OperatorGrants, &by()).await.map(drop);
    assert!(matches!(create(robot(None, "a", None)).await, Err(AccountError::ForEver { most: 30 })));
    assert!(matches!(create(robot(None, "a", Some(31))).await, Err(AccountError::TooLong { .. })));
    let outside = PolicyConfig {
        resources: vec!["project/*".to_owned()],
        actions: vec![Action::Pull],
        effect: Effect::Allow,
    };
    let new = NewRobot { policies: vec![outside.clone()], ..robot(Some("team"), "a", Some(1)) };
    assert!(matches!(create(new).await, Err(AccountError::Outside { .. })));
    create(robot(Some("team"), "a", Some(30))).await.unwrap();
    assert!(matches!(create(robot(Some("team"), "a", Some(1))).await, Err(AccountError::Taken(_))));
    let name = RobotName::new(Some("team"), "a").unwrap();
    let renewed = f.accounts.rotate_robot(&name, 0, Some(31), &by()).await;
    assert!(matches!(renewed, Err(AccountError::TooLong { .. })));
}

async fn those_that_nobody_uses_are_found(on: On) {
    let f = Fixture::new(on).await;
    let (used, secret) = make(&f, None, "used", 300).await;
    make(&f, None, "idle", 300).await;
    f.pass(20 * 86_400);
    make(&f, None, "new", 300).await;
    assert!(f.is_right(used.as_str(), secret.reveal()).await);
    eventually("the use is noted", async || f.accounts.robot_named(&used).await.unwrap().used_at.is_some())
        .await;
    let unused = f.accounts.robots_unused_for(10).await.unwrap();
    assert_eq!(unused.iter().map(|robot| robot.name.as_str()).collect::<Vec<_>>(), ["robot+idle"]);
    assert_eq!(f.accounts.robots_unused_for(0).await.unwrap().len(), 3);
}

//! What holds once a change is committed, and how long a refusal takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::{Fixture, On, PASSWORD, by};
use crate::federation::{Directory, LookedUp, Proven, Unavailable};
use crate::{NewRobot, OperatorGrants, PolicyConfig, RobotName};

#[tokio::test]
async fn a_secret_is_in_the_answer_though_nobody_can_look_after_the_commit() {
    let f = Fixture::new(On::Sqlite).await;
    let file = f.directory.as_ref().unwrap().path().join("catalog.db");
    // What a look reads, and making a robot does not.
    let outside = rusqlite::Connection::open(file).unwrap();
    outside.execute_batch("ALTER TABLE account RENAME TO elsewhere").unwrap();
    assert!(f.accounts.users("", 1).await.is_err(), "reads fail");
    let robot = NewRobot {
        name: RobotName::parse("robot+team+ci").unwrap(),
        description: String::new(),
        policies: vec![PolicyConfig::of_project("team")],
        owner: "alice".into(),
        days: Some(1),
    };
    let (made, _) = f.accounts.create_robot(robot, &OperatorGrants, &by()).await.unwrap();
    assert_eq!(made.name, "robot+team+ci");
}

/// Knows nobody, and says so at once.
struct Nobody;

#[async_trait]
impl Directory for Nobody {
    async fn verify(&self, _: &str, _: &str) -> Result<Option<Proven>, Unavailable> {
        Ok(None)
    }

    async fn look_up(&self, _: &str, _: &str) -> Result<LookedUp, Unavailable> {
        Ok(LookedUp::Gone)
    }
}

#[tokio::test]
async fn changing_a_password_tells_nobody_who_has_an_account_here() {
    let f = Fixture::new(On::Sqlite).await;
    f.add("alice").await;
    f.accounts.ask(Arc::new(Nobody));
    for name in ["alice", "nobody"] {
        let began = Instant::now();
        assert!(f.accounts.change_password(name, "wrong", "Another-2", None, &by()).await.is_err());
        assert!(began.elapsed() >= Duration::from_millis(499), "{name}: {:?}", began.elapsed());
    }
    f.accounts.change_password("alice", PASSWORD, "Another-2", None, &by()).await.unwrap();
}

//! A flood of logins: hashing is for few at a time, and nobody who needs none waits for it.

use std::time::{Duration, Instant};

use super::{Fixture, On, PASSWORD, by, on_both};
use crate::tests::{basic, named};
use crate::{Caller, NewRobot, OperatorGrants, PolicyConfig, RobotName, Unauthenticated};

on_both!(whoever_needs_no_hash_waits_for_none);

async fn whoever_needs_no_hash_waits_for_none(on: On) {
    let f = Fixture::new(on).await;
    f.add("alice").await;
    let robot = NewRobot {
        name: RobotName::new(None, "ci").unwrap(),
        description: String::new(),
        policies: vec![PolicyConfig::of_project("team")],
        owner: "alice".to_owned(),
        days: Some(1),
    };
    let (_, secret) = f.accounts.create_robot(robot, &OperatorGrants, &by()).await.unwrap();
    assert!(f.is_right("alice", PASSWORD).await);

    let flood: Vec<_> = (0..200)
        .map(|number| {
            let (access, header) = (f.access.clone(), basic("alice", &format!("guess {number}")));
            tokio::spawn(async move { access.authenticate(Some(&header)).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let start = Instant::now();
        assert_eq!(f.access.authenticate(None).await, Ok(Caller::anonymous()));
        assert_eq!(f.log_in("alice", PASSWORD).await, Ok(named("alice")), "believed");
        assert!(f.is_right("robot+ci", secret.reveal()).await);
        slowest = slowest.max(start.elapsed());
    }
    let unfinished = flood.iter().filter(|login| !login.is_finished()).count();
    assert!(unfinished > 0, "the flood was over before anybody could have waited for it");
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    let mut wrong = 0;
    for login in flood {
        match login.await.unwrap() {
            Err(Unauthenticated::WrongCredentials { .. }) => wrong += 1,
            Err(Unauthenticated::Busy) => {}
            outcome => panic!("{outcome:?}"),
        }
    }
    assert!(wrong > 0);
}

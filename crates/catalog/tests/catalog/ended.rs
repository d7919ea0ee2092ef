//! Secrets that ended, or will, for nodes that hold tokens of them back.

use berth_catalog::{app_password, robot, robot_secret};
use jiff::SignedDuration;

use crate::accounts::{make, write};
use crate::{Fixture, On, on_both};

on_both!(secrets_that_ended_are_found_for_a_while);

async fn secrets_that_ended_are_found_for_a_while(on: On) {
    let f = Fixture::new(on).await;
    let (now, id) = (f.now(), make(&f, "alice").await);
    let later = now + SignedDuration::from_secs(60);
    let made = write(&f, async move |tx| {
        let one = app_password::insert(tx, id, "a", "sa", later, now).await?;
        let two = app_password::insert(tx, id, "b", "sb", later, now).await?;
        app_password::insert(tx, id, "c", "sc", later, now).await?;
        app_password::revoke(tx, id, one, now).await?;
        app_password::revoke(tx, id, two, later).await?;
        let new = robot::New {
            name: "robot+ci".into(),
            project: String::new(),
            description: String::new(),
            policies: "[]".into(),
            owner: "alice".into(),
            expires_at: None,
        };
        let robot = robot::insert(tx, &new, now).await?.unwrap();
        let old = robot_secret::insert(tx, robot, "ra", None, now).await?;
        let new = robot_secret::insert(tx, robot, "rb", None, now).await?;
        robot_secret::end_others(tx, robot, new, later).await?;
        Ok((one, two, old))
    });
    let (one, two, old) = made.await;
    let revoked = async |since, after, limit| {
        let found = f.catalog.read(async |r| app_password::list_revoked(r, since, after, limit).await);
        found.await.unwrap()
    };
    let none = app_password::AppPasswordId(0);
    assert_eq!(revoked(now, none, 9).await, [(one, now), (two, later)]);
    assert_eq!(revoked(now, none, 1).await, [(one, now)]);
    assert_eq!(revoked(now, one, 9).await, [(two, later)]);
    assert_eq!(revoked(later, none, 9).await, [(two, later)]);
    let ending =
        f.catalog.read(async |r| robot_secret::list_ending(r, now, robot_secret::RobotSecretId(0), 9).await);
    assert_eq!(ending.await.unwrap(), [(old, later)]);
    let none = f.catalog.read(async |r| robot_secret::list_ending(r, now, old, 9).await).await.unwrap();
    assert!(none.is_empty());
}

//! What is taken away is gone for every node, also where it was believed a moment before.

use berth_catalog::{Tx, event, subject};

use super::{Fixture, On, PASSWORD, by, eventually, on_both, wrong};
use crate::tests::{basic, named};
use crate::{
    Access, AccountError, Caller, Gone, LoginCause as Cause, OperatorGrants, PolicyConfig, ReadOnly,
    RobotName, Unauthenticated,
};

on_both!(
    what_is_taken_away_is_not_believed_any_more,
    other_changes_cost_those_who_are_believed_no_hash,
    nothing_that_lasts_is_made_of_what_has_ended,
    logs_tell_whose_account_was_changed_also_when_it_is_gone,
);

async fn nothing_that_lasts_is_made_of_what_has_ended(on: On) {
    let f = Fixture::new(on).await;
    f.add("alice").await;
    let by_password = f.access.log_in("alice", PASSWORD, None).await.unwrap();
    let known = Some(f.accounts.clone());
    let access =
        Access::open_with_accounts(&f.config, &ReadOnly::default(), &f.catalog, known).await.unwrap();
    let cookie = access.begin_session(&by_password).await.unwrap();
    let by_session = access.resume_session(cookie.reveal()).await.unwrap().unwrap();
    let makes = async |caller: &Caller| {
        let made = f.accounts.create_own_application_password(caller, "laptop".to_owned(), 1).await.map(drop);
        let token = f.accounts.begin_api_token(caller).await.map(drop);
        assert_eq!(made, token);
        token
    };
    for caller in [&by_password, &by_session] {
        assert_eq!(makes(caller).await, Ok(()));
    }
    // A moment later, by whatever ends all that was proved.
    f.pass(1);
    f.accounts.log_out_everywhere("alice", &by()).await.unwrap();
    let gone = Unauthenticated::Gone { who: by_password.identity().clone(), why: Gone::Changed };
    let ended = Err(AccountError::Unproved(gone));
    for caller in [&by_password, &by_session] {
        assert_eq!(makes(caller).await, ended);
    }
    let again = f.access.log_in("alice", PASSWORD, None).await.unwrap();
    assert_eq!(makes(&again).await, Ok(()), "in the same moment");
    // The next to have the name is somebody else.
    f.pass(1);
    f.accounts.delete_user("alice", &by()).await.unwrap();
    f.add("alice").await;
    for caller in [&by_password, &by_session, &again] {
        assert_eq!(makes(caller).await, ended);
    }
}

async fn logs_tell_whose_account_was_changed_also_when_it_is_gone(on: On) {
    let f = Fixture::new(on).await;
    let now = f.catalog.clock().now();
    let known = async move |tx: &mut Tx| subject::ensure(tx, "alice", "person-1", b"key", now).await;
    f.catalog.write(known).await.unwrap();
    for name in ["alice", "bob"] {
        f.add(name).await;
        f.accounts.disable_user(name, true, &by()).await.unwrap();
        f.accounts.delete_user(name, &by()).await.unwrap();
    }
    let read = async || f.catalog.read(async |r| event::list(r, 0, 100).await).await.unwrap();
    eventually("all is in the log", async || read().await.len() == 6).await;
    let events = read().await;
    let persons: Vec<_> = events.iter().map(|event| event.detail["person"].as_str()).collect();
    assert_eq!(persons, [[Some("person-1"); 3], [None; 3]].concat());
}

async fn what_is_taken_away_is_not_believed_any_more(on: On) {
    let f = Fixture::new(on).await;
    f.add("alice").await;
    let (other, looking) = f.other_node().await;
    let header = basic("alice", PASSWORD);
    let there = async || {
        looking.look().await.unwrap();
        other.authenticate(Some(&header)).await
    };
    assert_eq!(f.log_in("alice", PASSWORD).await, Ok(named("alice")));
    assert_eq!(there().await, Ok(named("alice")));

    f.accounts.disable_user("alice", true, &by()).await.unwrap();
    for outcome in [f.log_in("alice", PASSWORD).await, there().await] {
        assert!(matches!(outcome, Err(Unauthenticated::Ended(_))), "{outcome:?}");
    }
    f.accounts.disable_user("alice", false, &by()).await.unwrap();
    assert_eq!(f.log_in("alice", PASSWORD).await, Ok(named("alice")));
    assert_eq!(there().await, Ok(named("alice")));

    f.accounts.reset_password("alice", "Another-2", true, &by()).await.unwrap();
    for outcome in [f.log_in("alice", PASSWORD).await, there().await] {
        assert_eq!(outcome, wrong("alice", Cause::WrongPassword));
    }
    f.accounts.delete_user("alice", &by()).await.unwrap();
    f.add("bob").await;
    assert_eq!(f.log_in("alice", "Another-2").await, wrong("alice", Cause::UnknownName));
}

async fn other_changes_cost_those_who_are_believed_no_hash(on: On) {
    let f = Fixture::new(on).await;
    f.add("alice").await;
    assert!(f.is_right("alice", PASSWORD).await);
    let before = f.cost();
    let generation = f.accounts.generation();
    for number in 0..5 {
        let robot = crate::NewRobot {
            name: RobotName::new(Some("team"), &format!("ci-{number}")).unwrap(),
            description: String::new(),
            policies: vec![PolicyConfig::of_project("team")],
            owner: "alice".to_owned(),
            days: Some(1),
        };
        f.accounts.create_robot(robot, &OperatorGrants, &by()).await.unwrap();
        assert!(f.is_right("alice", PASSWORD).await);
    }
    assert!(f.accounts.generation() >= generation + 5);
    assert_eq!(f.cost(), before);
}

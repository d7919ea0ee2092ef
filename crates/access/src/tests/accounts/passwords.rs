//! Passwords that people choose: who gets in, and the rules.

use super::{Fixture, On, PASSWORD, by, eventually, new_user, on_both, wrong};
use crate::account::hash::Cost;
use crate::tests::{named, user};
use crate::{AccountError, Config, LoginCause as Cause, NewUser, PasswordRules, Unauthenticated, UserAccess};

on_both!(
    a_password_proves_its_account_and_costs_one_hash,
    who_guesses_learns_nothing_and_nothing_from_the_cost,
    a_lock_ends_by_itself_and_each_next_one_is_longer,
    a_lock_is_known_to_all_nodes_and_taken_away_by_hand,
    somebody_elses_choice_must_be_changed_first,
    a_reset_is_not_undone_by_a_change_under_way,
    old_passwords_are_not_taken_again_and_do_not_last_for_ever,
    names_and_passwords_against_the_rules_are_refused,
    users_of_the_configuration_stay_who_they_are,
);

async fn a_password_proves_its_account_and_costs_one_hash(on: On) {
    let f = Fixture::new(on).await;
    assert_eq!(f.log_in("alice", PASSWORD).await, Err(Unauthenticated::NoUsers));
    f.add("alice").await;
    let before = f.cost();
    for _ in 0..3 {
        assert_eq!(f.log_in("alice", PASSWORD).await, Ok(named("alice")));
    }
    assert_eq!(f.cost().argon2 - before.argon2, 1, "verified credentials are believed");
    assert!(f.accounts.create_user(new_user("alice"), &by()).await.is_err(), "the name is taken");
    eventually("the login is noted", async || f.accounts.user("alice").await.unwrap().seen_at.is_some())
        .await;
    let printed = format!("{:?}", f.accounts.user("alice").await.unwrap());
    assert!(!printed.contains("argon2id"), "{printed}");
}

async fn who_guesses_learns_nothing_and_nothing_from_the_cost(on: On) {
    let f = Fixture::new(on).await;
    for name in ["alice", "locked", "disabled", "first"] {
        f.add(name).await;
    }
    f.guess("locked", 5).await;
    f.accounts.disable_user("disabled", true, &by()).await.unwrap();
    f.accounts.reset_password("first", "Chosen-for-1", false, &by()).await.unwrap();
    let mut messages = Vec::new();
    for (name, cause) in [
        ("alice", Cause::WrongPassword),
        ("nobody", Cause::UnknownName),
        ("locked", Cause::Locked),
        ("disabled", Cause::WrongPassword),
        ("first", Cause::WrongPassword),
    ] {
        let before = f.cost();
        let refused = f.log_in(name, "wrong").await;
        assert_eq!(refused, wrong(name, cause));
        messages.push(refused.unwrap_err().to_string().replace(name, "NAME"));
        let cost = Cost { argon2: f.cost().argon2 - before.argon2, rounds: f.cost().rounds - before.rounds };
        assert_eq!(cost, Cost { argon2: 1, rounds: 0 }, "{name}");
    }
    messages.dedup();
    assert_eq!(messages.len(), 1, "{messages:?}");
    // The right one of a locked account is as wrong as others: or guessing could go on.
    let right = f.log_in("locked", PASSWORD).await;
    assert_eq!(right, wrong("locked", Cause::Locked));
    assert!(right.unwrap_err().to_string().starts_with("wrong name or password"));
    // Who has the right one hears the reason.
    let disabled = f.log_in("disabled", PASSWORD).await.unwrap_err().to_string();
    assert!(disabled.contains("was disabled at 2023-11-14T22:13:20Z"), "{disabled}");
}

async fn a_reset_is_not_undone_by_a_change_under_way(on: On) {
    let f = Fixture::new(on).await;
    f.add("alice").await;
    // As it was when its password was proved.
    let proved = f.accounts.user("alice").await.unwrap();
    // In the same moment, and a moment later.
    for chosen in ["Chosen-for-1", "Chosen-for-2"] {
        f.accounts.reset_password("alice", chosen, true, &by()).await.unwrap();
        let changed = f.accounts.set_own_password(proved.clone(), "Stolen-22", &by()).await;
        assert_eq!(changed, Err(AccountError::ChangedMeanwhile("alice".to_owned())));
        assert!(f.is_right("alice", chosen).await && !f.is_right("alice", "Stolen-22").await);
        f.pass(1);
    }
    let proved = f.accounts.user("alice").await.unwrap();
    f.accounts.set_own_password(proved, "My-own-44", &by()).await.unwrap();
    assert!(f.is_right("alice", "My-own-44").await);
}

async fn a_lock_ends_by_itself_and_each_next_one_is_longer(on: On) {
    let f = Fixture::new(on).await;
    f.add("alice").await;
    f.guess("alice", 4).await;
    assert!(f.is_right("alice", PASSWORD).await, "four are not five");
    eventually("the count begins anew", async || f.accounts.user("alice").await.unwrap().failures == 0).await;

    // Verified credentials are believed while others guess, as long as anything is believed.
    f.guess("alice", 5).await;
    let other = f.other_node().await.0;
    let header = super::basic("alice", PASSWORD);
    eventually("the lock is written", async || {
        f.accounts.user("alice").await.unwrap().locked_until.is_some()
    })
    .await;
    assert_eq!(other.authenticate(Some(&header)).await, wrong("alice", Cause::Locked));
    f.pass(29);
    f.guess("alice", 50).await;
    assert_eq!(
        other.authenticate(Some(&header)).await,
        wrong("alice", Cause::Locked),
        "guesses don't shorten it"
    );
    f.pass(1);
    assert_eq!(other.authenticate(Some(&header)).await, Ok(named("alice")), "nor do they prolong it");

    eventually("the count begins anew", async || f.accounts.user("alice").await.unwrap().failures == 0).await;
    f.guess("alice", 5).await;
    for seconds in [30, 60, 120] {
        eventually("the lock is written", async || {
            let account = f.accounts.user("alice").await.unwrap();
            account.locked_until.map(|until| until.duration_since(f.clock.now()).as_secs()) == Some(seconds)
        })
        .await;
        f.pass(seconds.unsigned_abs());
        f.guess("alice", 1).await;
    }
}

async fn a_lock_is_known_to_all_nodes_and_taken_away_by_hand(on: On) {
    let f = Fixture::new(on).await;
    f.add("alice").await;
    f.guess("alice", 5).await;
    assert!(!f.is_right("alice", PASSWORD).await);
    let (other, _) = f.other_node().await;
    let header = super::basic("alice", PASSWORD);
    let is_written = async || f.accounts.user("alice").await.unwrap().locked_until.is_some();
    eventually("the lock is written", is_written).await;
    assert!(other.authenticate(Some(&header)).await.is_err());
    f.accounts.unlock_user("alice", &by()).await.unwrap();
    eventually("nothing is on its way", async || f.is_right("alice", PASSWORD).await).await;
    assert_eq!(other.authenticate(Some(&header)).await, Ok(named("alice")));
    assert_eq!(
        f.accounts.unlock_user("bob", &by()).await.unwrap_err().to_string(),
        "there is no user \"bob\""
    );
}

async fn somebody_elses_choice_must_be_changed_first(on: On) {
    let f = Fixture::new(on).await;
    let new = NewUser { own_choice: false, ..new_user("alice") };
    f.accounts.create_user(new, &by()).await.unwrap();
    for refused in [f.log_in("alice", PASSWORD).await, f.access.log_in("alice", PASSWORD, None).await] {
        assert!(matches!(refused, Err(Unauthenticated::PasswordChangeNeeded { .. })), "{refused:?}");
    }
    let change = async |old, new| f.accounts.change_password("alice", old, new, None, &by()).await;
    assert!(matches!(change("wrong", "Better-22").await, Err(AccountError::Unproved(_))));
    assert!(matches!(change(PASSWORD, PASSWORD).await, Err(AccountError::Reused(_))));
    assert!(matches!(change(PASSWORD, "short").await, Err(AccountError::Weak(_))));
    change(PASSWORD, "Better-22").await.unwrap();
    assert!(f.is_right("alice", "Better-22").await && !f.is_right("alice", PASSWORD).await);
    // The administrator's choice is somebody else's again.
    f.accounts.reset_password("alice", "Chosen-for-1", false, &by()).await.unwrap();
    let refused = f.log_in("alice", "Chosen-for-1").await;
    assert!(matches!(refused, Err(Unauthenticated::PasswordChangeNeeded { .. })));
}

async fn old_passwords_are_not_taken_again_and_do_not_last_for_ever(on: On) {
    let passwords = PasswordRules { history: 2, max_age_days: 30, ..PasswordRules::default() };
    let f = Fixture::with(on, Config { passwords, ..Config::default() }).await;
    f.add("alice").await;
    let set = async |password| {
        f.pass(1);
        f.accounts.reset_password("alice", password, true, &by()).await
    };
    set("Second-22").await.unwrap();
    for used in [PASSWORD, "Second-22"] {
        assert_eq!(set(used).await, Err(AccountError::Reused(2)), "{used}");
    }
    set("Third-333").await.unwrap();
    set(PASSWORD).await.unwrap();
    assert!(f.is_right("alice", PASSWORD).await);
    f.pass(30 * 86_400 - 1);
    assert!(f.is_right("alice", PASSWORD).await);
    f.pass(1);
    let refused = f.log_in("alice", PASSWORD).await;
    assert!(
        matches!(&refused, Err(Unauthenticated::PasswordChangeNeeded { why, .. }) if why.contains("too old")),
        "what is believed ends too: {refused:?}"
    );
    f.accounts.change_password("alice", PASSWORD, "Fourth-44", None, &by()).await.unwrap();
    assert!(f.is_right("alice", "Fourth-44").await);
}

async fn names_and_passwords_against_the_rules_are_refused(on: On) {
    let f = Fixture::new(on).await;
    for name in ["", "a:b", "a\nb", "anonymous", "robot+x", "robot$x", "x\u{202e}y", "a\u{85}b"] {
        let refused = f.accounts.create_user(new_user(name), &by()).await.unwrap_err();
        assert!(matches!(refused, AccountError::Name { .. }), "{name:?}");
        // One line, whatever the name holds.
        let message = refused.to_string();
        assert!(!message.chars().any(|char| char.is_control() || char == '\u{202e}'), "{message:?}");
    }
    // Nor does a name that nobody has break a line of the log.
    for name in ["a\u{2028}b", "a\u{85}b", "a\u{1b}[31m"] {
        if let Err(refused) = f.log_in(name, "x").await {
            let message = refused.to_string();
            assert!(message.chars().all(|char| !char.is_control() && char != '\u{2028}'), "{message:?}");
        }
    }
    let weak = NewUser { password: "alice-Secret-1".to_owned(), ..new_user("alice") };
    let refused = f.accounts.create_user(weak, &by()).await.unwrap_err().to_string();
    assert!(refused.contains("user's name") && !refused.contains("Secret-1"), "{refused}");
    f.add("alice").await;
    let changed = f.changes();
    assert!(f.accounts.users("", 10).await.unwrap().len() == 1);
    if matches!(on, On::Sqlite) {
        assert_eq!(changed.await, ["created"]);
    }
}

async fn users_of_the_configuration_stay_who_they_are(on: On) {
    let config = Config { users: vec![user("alice", UserAccess::Write)], ..Config::default() };
    let f = Fixture::with(on, config).await;
    assert_eq!(f.log_in("alice", "secret").await, Ok(named("alice")));
    let taken = f.accounts.create_user(new_user("alice"), &by()).await;
    assert_eq!(taken, Err(AccountError::Taken("alice".to_owned())));
    f.add("bob").await;
    assert_eq!(f.log_in("bob", PASSWORD).await, Ok(named("bob")));
    assert_eq!(f.log_in("bob", "secret").await, wrong("bob", Cause::WrongPassword));
    assert_eq!(f.log_in("carol", "secret").await, wrong("carol", Cause::UnknownName));
    assert_eq!(f.access.log_in("alice", "secret", None).await, Ok(named("alice")));
}

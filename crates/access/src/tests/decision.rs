use proptest::prelude::*;

use super::{access, access_of, config, named, user};
use crate::{Access, Anonymous, Caller, Delete, Denied, Permit, Pull, Push, Reason, Right, UserAccess};

fn anonymous() -> impl Strategy<Value = Anonymous> {
    prop_oneof![Just(Anonymous::None), Just(Anonymous::Read), Just(Anonymous::Write)]
}

fn user_access() -> impl Strategy<Value = UserAccess> {
    prop_oneof![Just(UserAccess::Read), Just(UserAccess::Write), Just(UserAccess::Admin)]
}

/// The rule in its plainest words, beside the code's ordering of rights.
fn may(name: &str, anonymous: Anonymous, own: Option<UserAccess>) -> bool {
    match name {
        "pull" => anonymous != Anonymous::None || own.is_some(),
        "push" | "delete" => {
            anonymous == Anonymous::Write || matches!(own, Some(UserAccess::Write | UserAccess::Admin))
        }
        _ => false,
    }
}

fn ask<A: Right>(access: &Access, caller: &Caller) -> Result<Permit<A>, Denied> {
    access.permit::<A>(caller, &"library/nginx".parse().unwrap())
}

fn check<A: Right>(access: &Access, caller: &Caller, expected: bool) -> Result<(), TestCaseError> {
    match ask::<A>(access, caller) {
        Ok(permit) => {
            prop_assert!(expected, "{caller} got {}", A::ACTION);
            prop_assert_eq!(permit.repository().as_str(), "library/nginx");
            prop_assert_eq!(permit.caller(), caller);
        }
        Err(denied) => {
            prop_assert!(!expected, "{caller} was denied {}", A::ACTION);
            prop_assert_eq!(denied.action(), A::ACTION);
            prop_assert_eq!(denied.caller(), caller);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_permit_is_given_exactly_by_the_rule(
        anonymous in anonymous(),
        users in prop::collection::btree_map("[a-z]{1,3}", user_access(), 0..4),
        stranger in "[a-z]{1,3}",
    ) {
        let list = users.iter().map(|(name, access)| user(name, *access)).collect();
        let access = access(anonymous, list);
        let callers = [(Caller::anonymous(), None), (named(&stranger), users.get(&stranger).copied())]
            .into_iter()
            .chain(users.iter().map(|(name, own)| (named(name), Some(*own))));
        for (caller, own) in callers {
            check::<Pull>(&access, &caller, may("pull", anonymous, own))?;
            check::<Push>(&access, &caller, may("push", anonymous, own))?;
            check::<Delete>(&access, &caller, may("delete", anonymous, own))?;
            prop_assert_eq!(access.catalog(&caller).is_ok(), may("pull", anonymous, own));
        }
        let more_by_login = !users.is_empty() && anonymous != Anonymous::Write;
        prop_assert_eq!(access.challenge_needed(), anonymous == Anonymous::None || more_by_login);
    }

    #[test]
    fn only_credentials_that_could_help_are_asked_for(
        anonymous in anonymous(),
        users in prop::collection::btree_map("[a-z]{1,3}", user_access(), 0..4),
    ) {
        let access = access(anonymous, users.iter().map(|(name, access)| user(name, *access)).collect());
        if let Err(denied) = ask::<Push>(&access, &Caller::anonymous()) {
            prop_assert_eq!(denied.reason() == Reason::CredentialsNeeded, !users.is_empty());
        }
        for name in users.keys() {
            if let Err(denied) = ask::<Push>(&access, &named(name)) {
                prop_assert_eq!(denied.reason(), Reason::Forbidden);
            }
        }
    }
}

#[test]
fn denials_say_what_to_do() {
    let open = access(Anonymous::Read, vec![]);
    let closed = access(Anonymous::Read, vec![user("alice", UserAccess::Read)]);
    let text = |denied: Result<Permit<Push>, Denied>| denied.unwrap_err().to_string();
    assert_eq!(
        text(ask(&open, &Caller::anonymous())),
        "anonymous callers may not push library/nginx: no role held there allows push on \
         project/library/repository/nginx; ask the administrator to allow it or to add users"
    );
    assert_eq!(
        text(ask(&closed, &Caller::anonymous())),
        "credentials needed to push library/nginx; log in as a user who may push"
    );
    assert_eq!(
        text(ask(&closed, &named("alice"))),
        "user alice may not push library/nginx: no role held there allows push on project/library/repository/nginx; \
         ask the administrator for a role that does"
    );
    let shut = access(Anonymous::None, vec![user("alice", UserAccess::Read)]);
    assert_eq!(
        shut.catalog(&Caller::anonymous()).unwrap_err().to_string(),
        "credentials needed to list repositories; log in as a user who may list"
    );
}

#[test]
fn unset_anonymous_is_closed() {
    let mut config = config(Anonymous::Write, vec![]);
    config.anonymous = None;
    assert!(ask::<Pull>(&access_of(&config), &Caller::anonymous()).is_err());
}

#[test]
fn a_permit_prints_who_may_do_what() {
    let access = access(Anonymous::Write, vec![]);
    let permit = ask::<Push>(&access, &Caller::anonymous()).unwrap();
    assert_eq!(format!("{permit:?}"), "Permit(anonymous may push library/nginx)");
}

use super::{config, named, user};
use crate::{
    Access, Anonymous, Caller, Delete, Operator, Pull, Push, READ_ONLY, ReadOnly, Reason, UserAccess,
};

fn reason(outcome: Result<impl Sized, crate::Denied>) -> Option<Reason> {
    outcome.err().map(|denied| denied.reason())
}

#[test]
fn while_it_is_on_pulls_alone_are_permitted() {
    let switch = ReadOnly::default();
    let access = Access::new(&config(Anonymous::Write, vec![]), &switch).unwrap();
    let name = "library/nginx".parse().unwrap();
    let ask = || {
        [
            reason(access.permit::<Pull>(&Caller::anonymous(), &name)),
            reason(access.permit::<Push>(&Caller::anonymous(), &name)),
            reason(access.permit::<Delete>(&Caller::anonymous(), &name)),
            reason(access.catalog(&Caller::anonymous())),
        ]
    };
    assert_eq!(ask(), [None; 4]);
    assert!(switch.set(true) && !switch.set(true), "says whether it changed anything");
    assert_eq!(ask(), [None, Some(Reason::ReadOnly), Some(Reason::ReadOnly), None]);
    let denied = access.permit::<Push>(&Caller::anonymous(), &name).unwrap_err();
    assert_eq!(denied.to_string(), READ_ONLY);
    assert!(switch.set(false));
    assert_eq!(ask(), [None; 4]);
}

#[test]
fn who_may_not_push_at_all_hears_that_instead() {
    let switch = ReadOnly::default();
    switch.set(true);
    let config = config(Anonymous::Read, vec![user("bob", UserAccess::Read)]);
    let access = Access::new(&config, &switch).unwrap();
    let name = "a".parse().unwrap();
    let push = |caller| reason(access.permit::<Push>(&caller, &name));
    assert_eq!(push(Caller::anonymous()), Some(Reason::CredentialsNeeded));
    assert_eq!(push(named("bob")), Some(Reason::Forbidden));
}

#[test]
fn what_the_configuration_says_nobody_takes_back() {
    let switch = ReadOnly::default();
    let access = Access::new(&config(Anonymous::Write, vec![]), &switch).unwrap();
    switch.configure();
    assert!(switch.is_on() && switch.is_configured());
    assert!(!switch.set(false) && access.read_only().is_on());
}

#[test]
fn an_operators_work_waits_for_its_end_too() {
    let switch = ReadOnly::default();
    let (operator, name) = (Operator::new("import:registry", &switch), "library/nginx".parse().unwrap());
    let permit = operator.permit::<Push>(&name).unwrap();
    assert_eq!((permit.repository(), permit.caller().name()), (&name, "import:registry"));
    switch.set(true);
    assert_eq!(reason(operator.permit::<Push>(&name)), Some(Reason::ReadOnly));
    assert_eq!(reason(operator.permit::<Pull>(&name)), None);
}

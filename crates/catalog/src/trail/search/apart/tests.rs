use super::*;

fn text(column: Column, value: &str) -> Condition {
    Condition::In(column, vec![Value::Text(value.into())])
}

#[test]
fn a_time_stands_apart_from_what_actions_tell() {
    let time = |from, until| {
        Condition::Between(Column::At, Bound::Included(Value::Int(from)), Bound::Excluded(Value::Int(until)))
    };
    let push = text(Column::Action, "push");
    let both = Condition::Every(vec![time(5, 100), Condition::Every(vec![push.clone(), time(0, 50)])]);
    assert_eq!(Apart::of(&both), Some(Apart { from: 5, until: 50, rest: push.clone() }));
    assert_eq!(Apart::of(&Condition::All), Some(Apart { from: -FAR, until: FAR, rest: Condition::All }));
    for other in [
        text(Column::Actor, "ann"),
        Condition::Not(Box::new(time(1, 2))),
        Condition::Any(vec![push, time(1, 2)]),
        Condition::In(Column::At, vec![Value::Int(1)]),
        Condition::Present(Column::Tag),
    ] {
        assert_eq!(Apart::of(&other), None, "{other:?}");
    }
}

#[test]
fn a_time_is_whole_hours_and_two_edges() {
    assert_eq!(Parts::of(HOUR - 1, 3 * HOUR + 1).edges, [(HOUR - 1, HOUR), (3 * HOUR, 3 * HOUR + 1)]);
    assert_eq!(Parts::of(HOUR - 1, 3 * HOUR + 1).hours, (HOUR, 3 * HOUR));
    assert_eq!(Parts::of(-HOUR, HOUR).hours, (-HOUR, HOUR));
    assert_eq!(Parts::of(-HOUR, HOUR).edges().count(), 0);
    let short = Parts::of(10, HOUR + 10);
    assert!(!short.has_hours());
    assert_eq!(short.edges().collect::<Vec<_>>(), [(10, HOUR + 10)]);
    assert_eq!(Parts::of(10, 10).edges().count() + Parts::of(10, 5).edges().count(), 0);
    assert!(Parts::of(-FAR, FAR).has_hours());
}

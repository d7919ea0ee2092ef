//! What is counted by the table of hours is what counting the records comes to, whatever came and went.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use berth_catalog::trail::archived::Archived;
use berth_catalog::trail::search::{self, Column, Condition, Direction, Group, Key, Value};
use berth_catalog::trail::{self, Entry, Hash, Hours, Record, RetentionDays, Trail, head, retention};
use berth_catalog::{Error, Reader};
use jiff::Timestamp;

use crate::trail::{entry, open};
use crate::{Fixture, On, on_both};

const HOUR: i64 = 3_600_000_000;
const PATIENCE: Duration = Duration::from_mins(1);
const ACTIONS: [&str; 4] = ["pull", "push", "delete", "login"];
const OUTCOMES: [&str; 2] = ["success", "failure"];

/// The same numbers each time, with no pattern to rely on.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    /// A time around the epoch, often at the very begin or end of an hour.
    fn time(&mut self) -> i64 {
        let hour = i64::try_from(self.below(80)).unwrap() - 40;
        let in_it = match self.below(4) {
            0 => 0,
            1 => HOUR - 1,
            _ => i64::try_from(self.below(3_600_000_000)).unwrap(),
        };
        hour * HOUR + in_it
    }

    fn entries(&mut self, round: usize, count: usize) -> Arc<[Entry]> {
        let mut made = Vec::new();
        for n in 0..count {
            let at = Timestamp::from_microsecond(self.time()).unwrap();
            made.push(Entry {
                action: ACTIONS[usize::try_from(self.below(4)).unwrap()].into(),
                outcome: OUTCOMES[usize::try_from(self.below(2)).unwrap()].into(),
                ..entry(at, &format!("{round}-{n}"))
            });
        }
        made.into()
    }
}

/// Tells whether a record is meant.
type IsMeant = fn(&Record) -> bool;

/// What is asked, and how a record tells whether it is meant.
fn conditions() -> Vec<(Condition, IsMeant)> {
    let text = |column, value: &str| Condition::In(column, vec![Value::Text(value.into())]);
    let (push, failure) = (text(Column::Action, "push"), text(Column::Outcome, "failure"));
    let time = Condition::Between(
        Column::At,
        Bound::Excluded(Value::Int(-30 * HOUR - 7)),
        Bound::Included(Value::Int(20 * HOUR)),
    );
    vec![
        (Condition::All, |_| true),
        (Condition::Nothing, |_| false),
        (push.clone(), |record| record.entry.action == "push"),
        (Condition::Not(Box::new(push.clone())), |record| record.entry.action != "push"),
        (Condition::Any(vec![push.clone(), failure.clone()]), |record| {
            record.entry.action == "push" || record.entry.outcome == "failure"
        }),
        (push.and(time.clone()), |record| record.entry.action == "push" && is_between(record)),
        (failure.and(text(Column::Actor, "person-1")), |record| record.entry.outcome == "failure"),
        (time, is_between),
    ]
}

fn is_between(record: &Record) -> bool {
    let at = record.entry.at.as_microsecond();
    at > -30 * HOUR - 7 && at <= 20 * HOUR
}

async fn ask<T: Send + 'static>(
    trail: &Trail,
    question: impl AsyncFnOnce(&Reader) -> Result<T, Error> + Send + 'static,
) -> T {
    let answer = trail.search(PATIENCE, question).await;
    answer.unwrap_or_else(|error: Error| panic!("{error}"))
}

async fn compare(trail: &Trail) {
    let records = trail.read(async |r| trail::list(r, 0, 100_000).await).await;
    let records = records.unwrap_or_else(|error: Error| panic!("{error}"));
    let mut actions: Vec<_> = records.iter().map(|record| record.entry.action.clone()).collect();
    actions.sort_unstable();
    actions.dedup();
    let known = trail.read(async |r| trail::actions(r).await).await;
    assert_eq!(known.unwrap_or_else(|error: Error| panic!("{error}")), actions);
    let mut hours = Hours::default();
    for record in &records {
        hours.add(&record.entry);
    }
    let read =
        trail.read(async |r| Hours::read(r).await).await.unwrap_or_else(|error: Error| panic!("{error}"));
    assert_eq!(read.differences(&hours), []);
    assert_eq!(
        read.differences(&Hours::default()).iter().map(|one| one.3).sum::<i64>(),
        i64::try_from(records.len()).unwrap()
    );
    for (condition, is_meant) in conditions() {
        let meant: Vec<&Record> = records.iter().filter(|record| is_meant(record)).collect();
        for (begin, step) in
            [(-40 * HOUR, HOUR), (-41 * HOUR, 24 * HOUR), (-40 * HOUR - HOUR / 2, 5 * HOUR), (-7, HOUR / 3)]
        {
            let bounds: Vec<i64> = (0..90).map(|n| begin + n * step).collect();
            let expected: Vec<u64> = bounds
                .windows(2)
                .map(|pair| {
                    let inside =
                        |record: &&&Record| (pair[0]..pair[1]).contains(&record.entry.at.as_microsecond());
                    meant.iter().filter(inside).count() as u64
                })
                .collect();
            let (asked, cuts) = (condition.clone(), bounds.clone());
            let counted = ask(trail, async move |r| search::buckets(r, &asked, &cuts).await).await;
            assert_eq!(counted, expected, "{condition:?} from {begin} by {step}");
        }
        for bound in [None, Some(3), Some(100_000)] {
            let asked = condition.clone();
            let counted = ask(trail, async move |r| search::count(r, &asked, bound).await).await;
            let all = meant.len() as u64;
            let expected =
                (bound.map_or(all, |bound| all.min(bound)), bound.is_some_and(|bound| all > bound));
            assert_eq!((counted.count, counted.is_bound), expected, "{condition:?} up to {bound:?}");
        }
        let mut actions: BTreeMap<&str, u64> = BTreeMap::new();
        for record in &meant {
            *actions.entry(&record.entry.action).or_default() += 1;
        }
        let mut expected: Vec<(&str, u64)> = actions.into_iter().filter(|(_, count)| *count >= 2).collect();
        expected.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        expected.truncate(3);
        let order = (Key::Count, Direction::Descending);
        let asked = condition.clone();
        let groups: Vec<Group> =
            ask(trail, async move |r| search::groups(r, &asked, Column::Action, order, 2, 3).await).await;
        let expected: Vec<Group> =
            expected.into_iter().map(|(key, count)| Group { key: Value::Text(key.into()), count }).collect();
        assert_eq!(groups, expected, "{condition:?}");
    }
}

/// Deletes the first records up to a position, as if all were old.
async fn delete(trail: &Trail, position: i64) {
    let now = "2026-11-28T00:00:00Z".parse().unwrap();
    let (head, last) = trail
        .read(async |r| {
            let last = trail::list(r, position - 1, 1).await?.remove(0);
            Ok::<_, Error>((head::find(r).await?, last))
        })
        .await
        .unwrap();
    let archived = Archived {
        first: head.first,
        last: position,
        hash: last.hash,
        file: "f".into(),
        sha256: Hash([3; 32]),
        at: now,
        kid: "k".into(),
        signature: vec![4],
    };
    let deleted =
        trail.write(async move |tx| retention::remove(tx, &archived, RetentionDays::LEAST, now).await);
    assert!(deleted.await.unwrap_or_else(|error: Error| panic!("{error}")));
}

async fn hours_count_what_records_do(on: On) {
    let fixture = Fixture::new(on).await;
    let trail = open(&fixture).await;
    let mut dice = Dice(7);
    let mut events = 0;
    for round in 0..6 {
        let entries = dice.entries(round, 60);
        let appended = Arc::clone(&entries);
        let head = trail.write(async move |tx| trail::append(tx, &appended).await).await;
        head.unwrap_or_else(|error: Error| panic!("{error}"));
        // Half of these are there.
        let again: Arc<[Entry]> = [&entries[..30], &dice.entries(100 + round, 30)].concat().into();
        let missing = trail.write(async move |tx| trail::append_missing(tx, &again).await).await;
        missing.unwrap_or_else(|error: Error| panic!("{error}"));
        let mut copied = dice.entries(200 + round, 10).to_vec();
        for (entry, event) in copied.iter_mut().zip(events + 1..) {
            entry.event = Some(event);
        }
        let (after, last) = (events, events + 10);
        for _ in 0..2 {
            let copied: Arc<[Entry]> = copied.clone().into();
            let moved = trail.write(async move |tx| trail::copy_events(tx, after, last, &copied).await).await;
            moved.unwrap_or_else(|error: Error| panic!("{error}"));
        }
        events = last;
        if round % 2 == 1 {
            let head = trail.read(async |r| head::find(r).await).await.unwrap();
            let most = u64::try_from(head.position - head.first).unwrap();
            delete(&trail, head.first + i64::try_from(dice.below(most)).unwrap()).await;
        }
        compare(&trail).await;
    }
    let last = trail.read(async |r| head::find(r).await).await.unwrap().position;
    delete(&trail, last).await;
    compare(&trail).await;
}

on_both!(hours_count_what_records_do);

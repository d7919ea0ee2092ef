//! Pulls, logins and refusals on their way into the trail.

use std::sync::Arc;
use std::time::{Duration, Instant};

use berth_access::{Caller, Identity, Origin, Proof, Scope};
use berth_audit::{Action, Called, Config, Note, Outcome, Who};
use berth_catalog::subject;
use serde_json::Value;

use crate::{BREAK, Fixture, MEND, On, eventually, on_both, pull};

async fn a_pull_is_on_disk_within_a_second(on: On) {
    let fixture = Fixture::new(on).await;
    let kept = fixture.keep(&Config::default()).await;
    // The first batch opens connections and prepares statements.
    kept.audit.recorder().record(pull(fixture.clock.now(), Caller::user("alice"), "warm"));
    eventually("the first is there", async || fixture.records().await.len() == 1).await;
    let begun = Instant::now();
    kept.audit.recorder().record(pull(fixture.clock.now(), Caller::user("alice"), "1"));
    eventually("it is there", async || fixture.records().await.len() == 2).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let record = &fixture.records().await[1].entry;
    let person = fixture.catalog.read(async |r| subject::find(r, "alice").await).await.unwrap().unwrap();
    assert_eq!(record.actor, person.pseudonym);
    assert_eq!((record.kind.as_str(), record.proof.as_str()), ("user", "password"));
    assert_eq!((record.project.as_deref(), record.tag.as_deref()), (Some("library"), Some("1")));
    assert_eq!((record.client.as_deref(), record.agent.as_deref()), (Some("192.0.2.7"), Some("docker/28.3")));
    assert_eq!((record.status, record.request_id.as_deref()), (Some(200), Some("req-1")));
    let text = serde_json::to_string(record).unwrap();
    assert!(!text.contains("alice"), "{text}");
    kept.stop().await;
    assert!(fixture.verify().await.is_whole());
}

async fn what_waits_is_written_at_the_end(on: On) {
    let fixture = Fixture::new(on).await;
    let kept = fixture.keep(&Config::default()).await;
    for n in 0..2500 {
        kept.audit.recorder().record(pull(fixture.clock.now(), Caller::anonymous(), &n.to_string()));
    }
    kept.stop().await;
    let records = fixture.records().await;
    assert_eq!(records.len(), 2500);
    assert!(
        records.iter().all(|record| record.entry.actor == "anonymous" && record.entry.personal.is_some())
    );
}

async fn a_flood_is_counted(on: On) {
    let fixture = Fixture::new(on).await;
    let audit = fixture.audit(&Config::default()).await;
    let recorder = audit.recorder().clone();
    for n in 0..1000 {
        recorder.record(pull(fixture.clock.now(), Caller::anonymous(), "same"));
        // Another name and another agent each time make nobody another.
        recorder.record(Note {
            action: Action::Login,
            outcome: Outcome::Failure,
            who: Who::Claimed(Some(format!("guess-{n}"))),
            origin: Arc::new(Origin::new([192, 0, 2, 7].into(), Some(&format!("agent-{n}")), "r")),
            reason: Some("wrong name or password".into()),
            ..pull(fixture.clock.now(), Caller::anonymous(), "same")
        });
    }
    assert_eq!((recorder.stats().repeats, recorder.stats().waiting), (2 * (1000 - 16), 32));
    let (stop, stopped) = tokio::sync::watch::channel(true);
    audit.run(stopped).await.unwrap();
    drop(stop);
    let records = fixture.records().await;
    assert_eq!(records.len(), 32);
    for action in ["pull", "login"] {
        let mine = records.iter().filter(|record| record.entry.action == action);
        let repeats = mine.map(|record| serde_json::from_str::<Value>(&record.entry.detail).unwrap());
        let repeats: u64 = repeats.filter_map(|detail| detail.get("repeats").and_then(Value::as_u64)).sum();
        assert_eq!(repeats, 1000 - 16, "{action}");
    }
    // Guesses made no rows, but for the one that stands for all of them.
    let guess = fixture.catalog.read(async |r| subject::find(r, "guess-1").await).await.unwrap();
    assert_eq!(guess, None);
}

async fn while_the_trail_fails_records_wait_on_disk_and_come_once(on: On) {
    let fixture = Fixture::new(on).await;
    let kept = fixture.keep(&Config::default()).await;
    kept.audit.recorder().record(pull(fixture.clock.now(), Caller::user("alice"), "before"));
    eventually("the first is there", async || fixture.records().await.len() == 1).await;
    fixture.alter(BREAK);
    for n in 0..40 {
        kept.audit.recorder().record(pull(fixture.clock.now(), Caller::user("alice"), &n.to_string()));
    }
    let spooled = || kept.audit.recorder().stats().spooled_bytes;
    eventually("they lie on the disk", async || spooled() > 0).await;
    // So do those that came while the first were on their way.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let file = std::fs::read_to_string(fixture.directory.path().join("audit.spool")).unwrap();
    assert!(!file.contains("alice") && !file.contains("192.0.2.7"), "{file}");
    // As after kill -9: another process finds them. The first one is only held still.
    kept.task.abort();
    let _ = kept.task.await;
    fixture.alter(MEND);
    let again = fixture.keep(&Config::default()).await;
    eventually("all are there", async || fixture.records().await.len() == 41).await;
    eventually("the file is empty", async || again.audit.recorder().stats().spooled_bytes == 0).await;
    again.stop().await;
    assert_eq!(fixture.records().await.len(), 41);
    let report = fixture.verify().await;
    assert!(report.is_whole(), "{report:?}");
}

async fn a_spool_that_was_half_brought_home_brings_no_record_twice(on: On) {
    let fixture = Fixture::new(on).await;
    fixture.alter(BREAK);
    let audit = fixture.audit(&Config::default()).await;
    for n in 0..2500 {
        audit.recorder().record(pull(fixture.clock.now(), Caller::user("alice"), &n.to_string()));
    }
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let task = tokio::spawn(audit.clone().run(stopped));
    eventually("they lie on the disk", async || audit.recorder().stats().spooled_bytes > 0).await;
    let file = fixture.directory.path().join("audit.spool");
    task.abort();
    let _ = task.await;
    let content = std::fs::read(&file).unwrap();
    fixture.alter(MEND);
    for _ in 0..2 {
        // As if the process had died before it emptied the file; the last line was cut short by a power loss.
        std::fs::write(&file, [&content[..], b"AAAA"].concat()).unwrap();
        let again = fixture.keep(&Config::default()).await;
        eventually("the file is empty", async || std::fs::metadata(&file).unwrap().len() == 0).await;
        again.stop().await;
        assert_eq!(fixture.records().await.len(), 2500);
    }
}

/// What somebody was not let do says what it was, and to whom.
async fn a_refused_call_says_what_it_was_and_names_nobody(on: On) {
    let fixture = Fixture::new(on).await;
    let kept = fixture.keep(&Config::default()).await;
    let bob = fixture.persons.of("bob").await.unwrap().pseudonym().to_owned();
    let call = |user: &str, project: Option<&str>| Called {
        call: "PUT /api/v1/users/{user}/password".into(),
        project: project.map(ToOwned::to_owned),
        user: Some(user.to_owned()),
    };
    for (n, called) in [call("bob", None), call("nobody-knows", Some("team"))].into_iter().enumerate() {
        let note = pull(fixture.clock.now(), Caller::user("mallory"), &n.to_string());
        let refused = Note {
            action: Action::Access,
            outcome: Outcome::Failure,
            repository: None,
            tag: None,
            called: Some(called),
            ..note
        };
        kept.audit.recorder().record(refused);
        eventually("it is there", async || fixture.records().await.len() == n + 1).await;
    }
    kept.stop().await;
    let records = fixture.records().await;
    let detail = |n: usize| serde_json::from_str::<Value>(&records[n].entry.detail).unwrap();
    assert_eq!(
        (&detail(0)["call"], &detail(0)["person"]),
        (&"PUT /api/v1/users/{user}/password".into(), &bob.into())
    );
    assert!(detail(1)["person"].is_null());
    assert_eq!(
        (records[0].entry.project.as_deref(), records[1].entry.project.as_deref()),
        (None, Some("team"))
    );
    let text = format!("{records:?}");
    assert!(!text.contains("nobody-knows") && !text.contains("\"bob\""), "{text}");
    assert!(fixture.verify().await.is_whole());
}

async fn names_that_prove_nobody_are_nowhere(on: On) {
    let fixture = Fixture::new(on).await;
    let alice = fixture.persons.of("alice").await.unwrap();
    let kept = fixture.keep(&Config::default()).await;
    let failed = |name: Option<&str>| Note {
        action: Action::Login,
        outcome: Outcome::Failure,
        who: Who::Claimed(name.map(ToOwned::to_owned)),
        repository: None,
        tag: None,
        reason: Some("wrong\r\n2026-01-01 success login root".into()),
        ..pull(fixture.clock.now(), Caller::anonymous(), "x")
    };
    for name in [Some("alice"), Some("my-pass\nword"), None, Some(":nobody")] {
        kept.audit.recorder().record(failed(name));
    }
    kept.stop().await;
    let records = fixture.records().await;
    let actors: Vec<_> = records.iter().map(|record| record.entry.actor.as_str()).collect();
    assert_eq!(actors, [alice.pseudonym(), "unknown", "unknown", "unknown"]);
    let nobody = fixture.persons.of(berth_access::Persons::NOBODY).await.unwrap();
    let personal = nobody.open(records[1].entry.personal.as_ref().unwrap()).unwrap();
    assert_eq!(personal.client.as_deref(), Some("192.0.2.7"));
    let claimed = |n: usize| {
        let detail: Value = serde_json::from_str(&records[n].entry.detail).unwrap();
        detail.get(berth_audit::CLAIMED).and_then(Value::as_str).map(ToOwned::to_owned)
    };
    // Whoever has the key can look for a name, and can't read one.
    assert_eq!((claimed(0), claimed(2)), (None, None));
    assert_eq!(claimed(1), nobody.mark("my-pass word"));
    assert_ne!(claimed(1), nobody.mark("my-pass"));
    for record in &records {
        let text = serde_json::to_string(&record.entry).unwrap();
        assert!(!text.contains("my-pass"), "{text}");
        let detail: Value = serde_json::from_str(&record.entry.detail).unwrap();
        assert_eq!(detail["reason"], "wrong  2026-01-01 success login root", "no line breaks");
    }
    assert!(fixture.verify().await.is_whole());
}

#[tokio::test]
async fn a_login_counts_once_for_a_while() {
    let recorder = berth_audit::Recorder::new(&Config::default());
    let from = |agent: &str| Arc::new(Origin::new([192, 0, 2, 7].into(), Some(agent), "r"));
    let alice = Caller::user("alice");
    assert!(recorder.is_login(&alice.clone().from(from("docker"))));
    assert!(!recorder.is_login(&alice.clone().from(from("docker"))));
    assert!(recorder.is_login(&alice.clone().from(from("podman"))));
    let other = Caller::new(Identity::User("alice".into()), Proof::ApplicationPassword);
    assert!(recorder.is_login(&other.from(from("docker"))));
    assert!(!recorder.is_login(&Caller::anonymous()));
    let with_token = alice.within(Arc::new(Scope::default())).from(from("crane"));
    assert!(!recorder.is_login(&with_token), "the login was when the token was asked for");
}

#[test]
fn an_overlong_agent_is_cut_and_kept() {
    let agent = format!("evil\r\n{}", "é".repeat(4000));
    let origin = Origin::new([192, 0, 2, 7].into(), Some(&agent), "r");
    let kept = origin.agent.unwrap();
    assert!(kept.starts_with("evil  éé") && kept.len() <= 256 && kept.len() > 250, "{}", kept.len());
}

on_both! {
    a_refused_call_says_what_it_was_and_names_nobody,
    a_pull_is_on_disk_within_a_second,
    what_waits_is_written_at_the_end,
    a_flood_is_counted,
    while_the_trail_fails_records_wait_on_disk_and_come_once,
    a_spool_that_was_half_brought_home_brings_no_record_twice,
    names_that_prove_nobody_are_nowhere,
}

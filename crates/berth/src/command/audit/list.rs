//! Records for readers, and for programs.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use berth_access::Persons;
use berth_audit::{CLAIMED, named_detail, pseudonyms};
use berth_catalog::subject;
use berth_catalog::trail::{self, Entry, Record};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Names, Opened, on, print};
use crate::cli::{ExportAudit, ListAudit};
use crate::operator;

/// Records read at a time.
const BATCH: usize = 1000;

pub(super) fn list(arguments: ListAudit) -> Result<()> {
    let place = arguments.place;
    let wanted = Wanted {
        action: arguments.action,
        repository: arguments.repository,
        outcome: arguments.outcome,
        project: arguments.project,
        until: arguments.until.map(SignedDuration::try_from).transpose()?,
        since: arguments.since.map(SignedDuration::try_from).transpose()?,
        limit: arguments.limit,
        claimed: None,
    };
    on(place, async |opened| {
        read(&opened, "audit list").await;
        let mut wanted = wanted;
        if let Some(name) = &arguments.claimed {
            let nobody = opened.persons().await?.of(Persons::NOBODY).await?;
            wanted.claimed = Some(nobody.mark(name).unwrap_or_default());
        }
        let records = match &arguments.user {
            Some(name) => of_user(&opened, name, &wanted).await?,
            None => newest(&opened, &wanted).await?,
        };
        if let (true, Some(action)) = (records.is_empty(), &wanted.action) {
            hint(&opened, action).await?;
        }
        let mut names = Names::new(opened.catalog.clone());
        for record in records {
            let name = names.of(&record.entry.actor).await?;
            if arguments.json {
                print(format!("{}\n", exported(&record, &mut names).await?))?;
            } else {
                let what = change(&record, &mut names).await?;
                print(line(&record, &name, &what))?;
            }
        }
        Ok(())
    })
}

/// Says which actions there are, should no record have one of this name: words are easily mistaken.
async fn hint(opened: &Opened, action: &str) -> Result<()> {
    let known = opened.trail.read(async |r| trail::actions(r).await).await?;
    if !known.iter().any(|one| one == action) {
        eprintln!("no record has the action {action:?}; there are records of {}", known.join(", "));
    }
    Ok(())
}

/// Records that somebody looks at what is recorded.
async fn read(opened: &Opened, command: &str) {
    operator::note_in(&opened.trail, "read", json!({ "part": "system/audit", "command": command })).await;
}

/// What a reader wants to see.
struct Wanted {
    action: Option<String>,
    repository: Option<String>,
    outcome: Option<String>,
    project: Option<String>,
    until: Option<SignedDuration>,
    since: Option<SignedDuration>,
    limit: usize,
    /// What stands for the name that was given.
    claimed: Option<String>,
}

impl Wanted {
    fn takes(&self, record: &Record) -> bool {
        let entry = &record.entry;
        self.action.as_ref().is_none_or(|action| *action == entry.action)
            && self.outcome.as_ref().is_none_or(|outcome| *outcome == entry.outcome)
            && self.project.as_ref().is_none_or(|name| Some(name) == entry.project.as_ref())
            && self.repository.as_ref().is_none_or(|name| Some(name) == entry.repository.as_ref())
            && self.claimed.as_ref().is_none_or(|mark| claims(entry, mark))
    }

    /// Takes those out that are younger than what was asked for.
    fn end(&self, opened: &Opened) -> Timestamp {
        let now = opened.trail.clock().now();
        self.until.and_then(|until| now.checked_sub(until).ok()).unwrap_or(Timestamp::MAX)
    }

    fn begin(&self, opened: &Opened) -> Timestamp {
        let now = opened.trail.clock().now();
        self.since.and_then(|since| now.checked_sub(since).ok()).unwrap_or(Timestamp::MIN)
    }
}

fn claims(entry: &Entry, mark: &str) -> bool {
    let detail: Value = serde_json::from_str(&entry.detail).unwrap_or_default();
    detail.get(CLAIMED).and_then(Value::as_str) == Some(mark)
}

/// Goes back from the end. Times are nearly, not exactly, in the order of positions: a record may have waited elsewhere.
async fn newest(opened: &Opened, wanted: &Wanted) -> Result<Vec<Record>> {
    const WAITED: SignedDuration = SignedDuration::from_hours(1);
    let (begin, end) = (wanted.begin(opened), wanted.end(opened));
    let surely_before = begin.checked_sub(WAITED).unwrap_or(Timestamp::MIN);
    let (mut position, mut found) = (i64::MAX, Vec::new());
    loop {
        let records = opened.trail.read(async |r| trail::list_back(r, position, BATCH).await).await?;
        let Some(last) = records.last() else { return Ok(found) };
        position = last.position;
        let over = last.entry.at < surely_before;
        found.extend(
            records
                .into_iter()
                .filter(|record| (begin..=end).contains(&record.entry.at) && wanted.takes(record)),
        );
        if over || found.len() >= wanted.limit {
            found.truncate(wanted.limit);
            return Ok(found);
        }
    }
}

async fn of_user(opened: &Opened, name: &str, wanted: &Wanted) -> Result<Vec<Record>> {
    let person = opened.catalog.read(async |r| subject::find(r, name).await).await?;
    // Robots and others who are no persons go by their own names.
    let actor = person.map_or_else(|| name.to_owned(), |person| person.pseudonym);
    let (mut since, end, mut found) = (wanted.begin(opened), wanted.end(opened), Vec::new());
    loop {
        let records =
            opened.trail.read(async |r| trail::list_of_actor(r, &actor, since, BATCH).await).await?;
        let (last, count) = (records.last().map(|record| record.entry.at), records.len());
        found.extend(records.into_iter().filter(|record| record.entry.at <= end && wanted.takes(record)));
        match last.and_then(|at| at.checked_add(SignedDuration::from_micros(1)).ok()) {
            Some(next) if count == BATCH => since = next,
            _ => break,
        }
    }
    found.reverse();
    found.truncate(wanted.limit);
    Ok(found)
}

/// What a change was and of whom, field by field; nothing of what is no change.
async fn change(record: &Record, names: &mut Names) -> Result<String> {
    // Who did it and why it was refused stand elsewhere in the line.
    const ELSEWHERE: [&str; 5] = ["reason", "repeats", "uid", "sudo_user", "kind"];
    let mut text = String::new();
    let Ok(Value::Object(fields)) = serde_json::from_str(&record.entry.detail) else { return Ok(text) };
    for (field, value) in fields.iter().filter(|(field, _)| !ELSEWHERE.contains(&field.as_str())) {
        let value = match value {
            Value::String(one) => names.of(one).await?,
            Value::Null => continue,
            other => other.to_string(),
        };
        let quoted = if value.is_empty() || value.contains(' ') { format!("{value:?}") } else { value };
        let _ = write!(text, " {field}={quoted}");
    }
    Ok(text)
}

/// One record for a reader. What clients sent was freed of control characters when it was recorded.
fn line(record: &Record, name: &str, change: &str) -> String {
    let entry = &record.entry;
    let mut line = format!("{} {} {} {name}", entry.at, entry.outcome, entry.action);
    if let Some(repository) = &entry.repository {
        let _ = write!(line, " {repository}");
    }
    if let Some(tag) = &entry.tag {
        let _ = write!(line, ":{tag}");
    }
    if let Some(digest) = &entry.digest {
        let _ = write!(line, "@{digest}");
    }
    if let Some(client) = &entry.client {
        let _ = write!(line, " from {client}");
    }
    if let Some(agent) = &entry.agent {
        let _ = write!(line, " ({agent})");
    }
    line.push_str(change);
    let detail: Value = serde_json::from_str(&entry.detail).unwrap_or_default();
    if let Some(reason) = detail.get("reason").and_then(Value::as_str) {
        let _ = write!(line, ": {reason}");
    }
    if let Some(repeats) = detail.get("repeats").and_then(Value::as_u64) {
        let _ = write!(line, " [and {repeats} more like it]");
    }
    let _ = writeln!(line, " #{}", record.position);
    line
}

pub(super) fn export(arguments: ExportAudit) -> Result<()> {
    on(arguments.place, async |opened| {
        read(&opened, "audit export").await;
        let mut names = Names::new(opened.catalog.clone());
        let mut position = arguments.after;
        loop {
            let records = opened.trail.read(async |r| trail::list(r, position, BATCH).await).await?;
            let Some(last) = records.last() else { return Ok(()) };
            position = last.position;
            let mut lines = Vec::new();
            for record in &records {
                serde_json::to_writer(&mut lines, &exported(record, &mut names).await?)?;
                lines.push(b'\n');
            }
            print(lines)?;
        }
    })
}

async fn exported(record: &Record, names: &mut Names) -> Result<Value> {
    let known = names.known(pseudonyms(&record.entry)).await?;
    let mut value = serde_json::to_value(&record.entry)?;
    let fields = value.as_object_mut().context("a record is no object")?;
    fields.insert("position".into(), record.position.into());
    fields.insert("hash".into(), record.hash.to_string().into());
    if let Some(name) = known.get(&record.entry.actor) {
        fields.insert("name".into(), name.as_str().into());
    }
    fields.insert("detail".into(), named_detail(&record.entry.detail, &known));
    Ok(value)
}

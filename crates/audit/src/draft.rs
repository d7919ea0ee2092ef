//! A record on its way into the trail: complete but for the pseudonym of its person.

use berth_access::{Identity, Person, PersonError, Personal, Persons};
use berth_catalog::trail::Entry;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::note::{Note, Who};

/// Longest text of a reason, in bytes.
const REASON_BYTES: usize = 512;
/// Longest name that is kept of what somebody unknown gave, in bytes.
const CLAIMED_BYTES: usize = 128;
/// The field of a record's detail that holds what stands for a name which proved to be nobody's. The name itself is nowhere: it may
/// be a password that was typed in the wrong place, or the name of somebody who will be erased.
pub const CLAIMED: &str = "claimed";
/// The field that holds the pseudonym of whom something is about, as in events of accounts.
const PERSON: &str = "person";
/// How those are named who never proved to be anybody.
pub(crate) const UNKNOWN: &str = "unknown";

/// A record whose person is still known by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Draft {
    entry: Entry,
    person: Named,
    /// The user whom it would have been about.
    #[serde(default)]
    about: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Named {
    /// A robot, a workload, work of the registry's own.
    None,
    /// A caller without credentials.
    Anonymous,
    /// A user.
    User(String),
    /// Somebody who gave this name.
    Claimed(String),
}

impl Draft {
    /// Takes a note, and how many like it were left out behind it.
    pub(crate) fn new(note: Note, repeats: u64) -> Self {
        let (actor, kind, proof, person) = match &note.who {
            Who::Claimed(name) => {
                let claimed = cut(name.as_deref().unwrap_or_default(), CLAIMED_BYTES);
                (UNKNOWN.to_owned(), UNKNOWN, "none", Named::Claimed(claimed))
            }
            Who::Caller(caller) => {
                let person = match caller.identity() {
                    Identity::User(name) => Named::User(name.to_string()),
                    Identity::Anonymous => Named::Anonymous,
                    Identity::Robot(_) | Identity::Workload(_) | Identity::Work(_) => Named::None,
                };
                let actor =
                    if matches!(person, Named::User(_)) { String::new() } else { caller.name().to_owned() };
                (actor, caller.identity().kind(), caller.proof().as_str(), person)
            }
        };
        let mut detail = Map::new();
        if let Some(reason) = &note.reason {
            detail.insert("reason".to_owned(), cut(reason, REASON_BYTES).into());
        }
        if let Some(part) = note.part {
            detail.insert("part".to_owned(), part.into());
        }
        let (mut in_project, mut about) = (None, None);
        if let Some(called) = note.called {
            detail.insert("call".to_owned(), called.call.into());
            in_project = called.project.map(|name| cut(&name, CLAIMED_BYTES));
            about = called.user;
        }
        if repeats > 0 {
            detail.insert("repeats".to_owned(), repeats.into());
        }
        let repository = note.repository.as_ref().map(|name| name.as_str().to_owned());
        let entry = Entry {
            id: uuid::Uuid::new_v4().to_string(),
            at: note.at,
            action: note.action.as_str().to_owned(),
            outcome: note.outcome.as_str().to_owned(),
            actor,
            kind: kind.to_owned(),
            proof: proof.to_owned(),
            project: repository.as_deref().map(project).or(in_project),
            repository,
            tag: note.tag,
            digest: note.digest,
            status: note.status.map(i64::from),
            request_id: Some(note.origin.request_id.clone()).filter(|id| !id.is_empty()),
            client: Some(note.origin.client.to_string()),
            agent: note.origin.agent.clone(),
            personal: None,
            detail: Value::Object(detail).to_string(),
            event: None,
        };
        Self { entry, person, about }
    }

    /// Puts the pseudonym in the place of the name, and seals what is personal.
    ///
    /// # Errors
    /// The catalog can't say for now who the person is in logs.
    pub(crate) async fn resolve(&self, persons: &Persons) -> Result<Entry, PersonError> {
        let mut entry = self.entry.clone();
        if let Some(about) = &self.about
            && let Some(whom) = find(persons, about).await?
        {
            entry.detail = with(&entry.detail, PERSON, whom.pseudonym().into());
        }
        let subject = match &self.person {
            Named::None => return Ok(entry),
            Named::Anonymous => persons.of(Persons::NOBODY).await?,
            Named::User(name) => {
                let Some(subject) = persons.of_then(name, entry.at).await? else {
                    return Ok(self.of_erased());
                };
                subject.pseudonym().clone_into(&mut entry.actor);
                subject
            }
            Named::Claimed(name) => {
                if let Some(subject) = find(persons, name).await? {
                    subject.pseudonym().clone_into(&mut entry.actor);
                    "user".clone_into(&mut entry.kind);
                    subject
                } else {
                    let nobody = persons.of(Persons::NOBODY).await?;
                    let given = Some(name).filter(|name| !name.is_empty());
                    if let Some(mark) = given.and_then(|name| nobody.mark(name)) {
                        entry.detail = with(&entry.detail, CLAIMED, mark.into());
                    }
                    nobody
                }
            }
        };
        let personal = Personal { client: entry.client.clone(), agent: entry.agent.clone() };
        entry.personal = subject.seal(&personal);
        Ok(entry)
    }

    /// What is left to say of somebody who may have been erased since: what was done, not by whom or from where.
    fn of_erased(&self) -> Entry {
        let entry = self.entry.clone();
        let detail = with(&entry.detail, "erased", true.into());
        let (actor, kind) = (UNKNOWN.to_owned(), UNKNOWN.to_owned());
        Entry { actor, kind, client: None, agent: None, detail, ..entry }
    }

    /// The same of nobody in particular, for a person whom logs can't name.
    pub(crate) fn of_nobody(&self) -> Self {
        let mut draft = self.clone();
        if let Named::User(name) = &self.person {
            draft.person = Named::Claimed(name.clone());
            UNKNOWN.clone_into(&mut draft.entry.actor);
            UNKNOWN.clone_into(&mut draft.entry.kind);
        }
        draft
    }
}

/// Finds whom logs know by a name that was given. Whose key is not to be had is nobody, too.
async fn find(persons: &Persons, name: &str) -> Result<Option<Person>, PersonError> {
    if name == Persons::NOBODY {
        return Ok(None);
    }
    match persons.find(name).await {
        Err(PersonError::Vault { .. }) => Ok(None),
        found => found,
    }
}

/// Adds a field to a JSON object.
fn with(detail: &str, field: &str, value: Value) -> String {
    let mut fields: Map<String, Value> = serde_json::from_str(detail).unwrap_or_default();
    fields.insert(field.to_owned(), value);
    Value::Object(fields).to_string()
}

/// Returns the first component of a repository's name.
pub(crate) fn project(repository: &str) -> String {
    repository.split('/').next().unwrap_or(repository).to_owned()
}

/// Cuts text from outside to a length, without control characters: nobody writes lines into a log with it.
pub(crate) fn cut(text: &str, bytes: usize) -> String {
    let clean = text.chars().map(|char| if char.is_control() { ' ' } else { char });
    let mut length = 0;
    clean
        .take_while(|char| {
            length += char.len_utf8();
            length <= bytes
        })
        .collect()
}

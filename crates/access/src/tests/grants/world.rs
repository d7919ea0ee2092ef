use std::collections::BTreeMap;

use berth_catalog::project;
use serde_json::json;
use tempfile::TempDir;

use super::super::with_roles;
use super::call::{Call, What};
use crate::{
    Access, Accounts, Action, Actions, BindingMark, BindingsWanted, Caller, Identity, ManageError,
    Management, ProjectChange, Proof, ReadOnly, RobotChange, RobotWanted, Target, Within,
};

/// Who there is, with which role, and where. `sec` and `guy` say who may do what.
const PEOPLE: [(&str, &str, Option<&str>); 9] = [
    ("pat", "project-admin", Some("a")),
    ("bea", "project-admin", Some("b")),
    ("mia", "maintainer", None),
    ("dev", "developer", Some("b")),
    ("gus", "guest", Some("a")),
    ("sys", "system-administrator", None),
    ("aud", "audit-administrator", None),
    ("sec", "security-administrator", None),
    ("guy", "security-administrator", None),
];
const ROBOTS: [&str; 6] = ["robot+a+x", "robot+a+y", "robot+b+x", "robot+b+y", "robot+x", "robot+y"];
const PLACES: [Option<&str>; 3] = [Some("a"), Some("b"), None];
const ROLES: [&str; 7] =
    ["administrator", "project-admin", "security-administrator", "maintainer", "guest", "auditor", "own"];
const PATTERNS: [&str; 6] =
    ["project/a", "project/b", "project/*", "system/access", "system/*", "project/a/repository/x"];
const ACTIONS: [&str; 4] = ["pull", "push", "administer", "read"];
const TARGETS: [&str; 10] = [
    "project/a",
    "project/a/repository/x",
    "project/a/repository/y",
    "project/b",
    "project/b/repository/x",
    "project/c/repository/x",
    "system/access",
    "system/users",
    "system/audit",
    "system/configuration",
];

/// A catalog with projects `a` and `b`.
pub(super) struct World {
    access: Access,
    management: Management,
    made: usize,
    _directory: TempDir,
}

/// What everybody may do to each of [`TARGETS`].
#[derive(Debug, PartialEq)]
pub(super) struct Rights(BTreeMap<String, Own>);

/// What one may do to each of [`TARGETS`].
#[derive(Debug, PartialEq)]
pub(super) struct Own([Actions; TARGETS.len()]);

impl World {
    pub(super) async fn new(separation: bool) -> Self {
        let bindings: Vec<_> = PEOPLE
            .iter()
            .map(|(name, role, project)| match project {
                Some(project) => {
                    json!({ "role": role, "subjects": [format!("user:{name}")], "project": project })
                }
                None => json!({ "role": role, "subjects": [format!("user:{name}")] }),
            })
            .collect();
        let access = json!({ "bindings": bindings, "separation_of_duties": separation });
        let config = with_roles(access, json!([]));
        let directory = TempDir::new().unwrap();
        let clock = berth_catalog::Clock::manual(jiff::Timestamp::from_second(1_700_000_000).unwrap());
        let catalog =
            berth_catalog::Catalog::open(&directory.path().join("catalog.db"), clock.clone()).unwrap();
        let now = clock.now();
        let made = catalog.write(async move |tx| {
            project::insert(tx, "a", false, "", now).await?;
            project::insert(tx, "b", false, "", now).await
        });
        assert!(made.await.unwrap());
        let accounts = Accounts::new(catalog.clone(), &config, None);
        let known = Some(accounts.clone());
        let access =
            Access::open_with_accounts(&config, &ReadOnly::default(), &catalog, known).await.unwrap();
        let management = Management::new(&access, &accounts, &catalog);
        Self { access, management, made: 0, _directory: directory }
    }

    /// Makes a call, and says whose secrets its caller knows by that.
    pub(super) async fn make(&mut self, call: &Call) -> Result<Vec<String>, ManageError> {
        let by = caller(who_calls(call));
        let m = &self.management;
        match call.what {
            What::Bind { subject, role, place } => {
                let (subject, role) = (subject_of(subject), ROLES[role % ROLES.len()]);
                m.bind(&by, PLACES[place % PLACES.len()], &subject, role).await?;
            }
            What::Unbind { nth, place } => self.unbind(&by, nth, PLACES[place % PLACES.len()]).await?,
            What::MakeRobot { name, place, policy } => {
                let (name, project, whole) = robot(name, place);
                let (description, policies) = (String::new(), policies(policy, policy / PATTERNS.len()));
                let wanted = RobotWanted { name: name.to_owned(), description, policies, days: Some(1) };
                m.create_robot(&by, project, wanted).await?;
                return Ok(vec![whole]);
            }
            What::ChangeRobot { name, place, policy } => {
                let (name, project, _) = robot(name, place);
                let policies = Some(policies(policy, policy / PATTERNS.len()));
                m.change_robot(&by, project, name, RobotChange { policies, ..RobotChange::default() })
                    .await?;
            }
            What::Rotate { name, place } => {
                let (name, project, whole) = robot(name, place);
                m.rotate_robot(&by, project, name, 0, None).await?;
                return Ok(vec![whole]);
            }
            What::DeleteRobot { name, place } => {
                let (name, project, _) = robot(name, place);
                m.delete_robot(&by, project, name).await?;
            }
            What::SetRole { policy, on } => {
                let policies: serde_json::Value = policies(on, policy);
                let role = json!({ "name": "own", "policies": policies });
                let role: crate::RoleConfig = serde_json::from_value(role).unwrap();
                match m.create_role(&by, role.clone()).await {
                    Err(ManageError::Exists(_)) => m.replace_role(&by, role).await.map(drop)?,
                    other => other.map(drop)?,
                }
            }
            What::OpenProject { place, public } => {
                let project = PLACES[place % 2].unwrap_or_default();
                let change = ProjectChange { public: Some(public), ..ProjectChange::default() };
                m.change_project(&by, project, change).await?;
            }
            What::MakeProject => {
                let name = format!("p{}", self.made);
                m.create_project(&by, &name, false).await?;
                self.made += 1;
            }
        }
        Ok(Vec::new())
    }

    /// Takes one of the bindings of a place away, if there is any.
    async fn unbind(&self, by: &Caller, nth: usize, place: Option<&str>) -> Result<(), ManageError> {
        let m = &self.management;
        let within = place.map_or(Within::Everywhere, Within::Project);
        let wanted = BindingsWanted::default();
        let known = m.known_bindings(by, within, &wanted, BindingMark::Stored(0), 100).await?;
        let all: Vec<i64> = known
            .iter()
            .filter_map(|one| match one.mark {
                BindingMark::Stored(id) => Some(id),
                BindingMark::Fixed(_) => None,
            })
            .collect();
        match all.get(nth % all.len().max(1)) {
            Some(id) => m.unbind(by, place, *id).await,
            None => Ok(()),
        }
    }

    /// Tells whether somebody bound a role to a robot where a target lies; where duties are kept apart, everywhere is not there.
    pub(super) fn is_bound(&self, robot: &str, target: &str, separation: bool) -> bool {
        self.access.holds(&caller(robot)).iter().any(|held| match &held.project {
            Some(project) => target.split('/').nth(1) == Some(project),
            None => !separation,
        })
    }

    pub(super) fn rights(&self) -> Rights {
        let names = PEOPLE.iter().map(|(name, ..)| *name).chain(ROBOTS).chain(["anonymous"]);
        let of = |name: &str| {
            let caller = caller(name);
            Own(TARGETS.map(|text| {
                let target: Target = text.parse().unwrap();
                self.access.granted(&caller, &target.resource())
            }))
        };
        Rights(names.map(|name| (name.to_owned(), of(name))).collect())
    }
}

/// Who makes a call.
pub(super) fn who_calls(call: &Call) -> &'static str {
    let number = call.by % (PEOPLE.len() + ROBOTS.len());
    PEOPLE.get(number).map_or_else(|| ROBOTS[number - PEOPLE.len()], |(name, ..)| *name)
}

fn caller(name: &str) -> Caller {
    match name {
        "anonymous" => Caller::anonymous(),
        name if name.starts_with("robot+") => Caller::new(Identity::Robot(name.into()), Proof::RobotSecret),
        name => Caller::user(name),
    }
}

fn subject_of(number: usize) -> crate::Subject {
    let number = number % (PEOPLE.len() + ROBOTS.len() + 2);
    let text = match number.checked_sub(PEOPLE.len()) {
        None => format!("user:{}", PEOPLE[number].0),
        Some(rest) => {
            ROBOTS.get(rest).copied().unwrap_or(["authenticated", "anonymous"][rest % 2]).to_owned()
        }
    };
    text.parse().unwrap()
}

/// A robot's name in its place, the place, and its whole name.
fn robot(name: usize, place: usize) -> (&'static str, Option<&'static str>, String) {
    let (name, place) = (["x", "y"][name % 2], PLACES[place % PLACES.len()]);
    let whole = place.map_or_else(|| format!("robot+{name}"), |project| format!("robot+{project}+{name}"));
    (name, place, whole)
}

/// One policy, as robots and roles have them.
fn policies<T: serde::de::DeserializeOwned>(pattern: usize, action: usize) -> T {
    let (pattern, action) = (PATTERNS[pattern % PATTERNS.len()], ACTIONS[action % ACTIONS.len()]);
    serde_json::from_value(json!([{ "resources": [pattern], "actions": [action] }])).unwrap()
}

impl Rights {
    pub(super) fn of(&self, name: &str) -> &Own {
        &self.0[name]
    }

    /// Tells whether somebody says who may do what to a target.
    pub(super) fn governs(&self, name: &str, target: &str) -> bool {
        let own = self.of(name);
        let administers = |target: &str| own.of(target).has(Action::Administer);
        let project = target.split('/').take(2).collect::<Vec<_>>().join("/");
        administers("system/access") || (TARGETS.contains(&project.as_str()) && administers(&project))
    }

    /// Lists who may do more than before, to what, and what.
    pub(super) fn beyond<'a>(&'a self, before: &'a Self) -> Vec<(&'a String, &'static str, Actions)> {
        let all =
            self.0.iter().flat_map(|(name, own)| own.all().map(move |(target, can)| (name, target, can)));
        all.map(|(name, target, can)| (name, target, can.without(before.of(name).of(target))))
            .filter(|(.., gained)| !gained.is_empty())
            .collect()
    }
}

impl Own {
    pub(super) fn of(&self, target: &str) -> Actions {
        self.all().find(|(text, _)| *text == target).map_or(Actions::NONE, |(_, can)| can)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, Actions)> + '_ {
        TARGETS.into_iter().zip(self.0)
    }
}

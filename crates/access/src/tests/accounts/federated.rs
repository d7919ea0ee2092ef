//! Persons and jobs whom others vouch for.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;

use super::{Fixture, On, PASSWORD, by, eventually, on_both, wrong};
use crate::federation::{
    Directory, Grant, Issuers, Job, LookedUp, OneOrMany, Proven, Refused, Source, Unavailable, Workload,
};
use crate::{
    Access, Caller, Config, Identity, LoginCause as Cause, Looked, Management, NewApplicationPassword, Proof,
    ReadOnly, Resource, Unauthenticated,
};

on_both!(
    a_first_login_makes_an_account_that_later_ones_bring_up_to_date,
    a_name_that_is_taken_is_never_taken_over,
    who_is_gone_is_out_until_vouched_for_again,
    a_directory_that_is_away_refuses_nobody,
    a_session_is_good_as_long_as_its_owner_stands,
    a_job_is_what_its_policy_grants,
    a_certificate_proves_who_is_known,
);

/// A directory as a test wants it.
#[derive(Default)]
pub(super) struct Fake(Mutex<State>);

#[derive(Default)]
struct State {
    people: Vec<(String, Proven)>,
    away: bool,
}

impl Fake {
    pub(super) fn set(&self, people: &[(&str, Proven)]) {
        self.0.lock().people =
            people.iter().map(|(password, proven)| ((*password).to_owned(), proven.clone())).collect();
    }
}

#[async_trait]
impl Directory for Fake {
    async fn verify(&self, name: &str, password: &str) -> Result<Option<Proven>, Unavailable> {
        let state = self.0.lock();
        let found = state.people.iter().find(|(known, proven)| proven.name == name && known == password);
        if state.away { Err(Unavailable) } else { Ok(found.map(|(_, proven)| proven.clone())) }
    }

    async fn look_up(&self, _name: &str, external: &str) -> Result<LookedUp, Unavailable> {
        let state = self.0.lock();
        let found = state.people.iter().find(|(_, proven)| proven.external == external);
        if state.away {
            return Err(Unavailable);
        }
        Ok(found.map_or(LookedUp::Gone, |(_, proven)| LookedUp::Found(proven.clone())))
    }
}

pub(super) fn proven(name: &str, id: &str, groups: &[&str]) -> Proven {
    Proven {
        source: Source::Ldap,
        external: format!("corp {id}"),
        name: name.to_owned(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        display: Some("A. Person".to_owned()),
        email: None,
    }
}

pub(super) async fn with_directory(on: On) -> (Fixture, Arc<Fake>) {
    let (mut f, fake) = (Fixture::new(on).await, Arc::new(Fake::default()));
    f.accounts.ask(Arc::clone(&fake) as Arc<dyn Directory>);
    f.access = node(&f).await;
    (f, fake)
}

/// A node that follows what the catalog says, by its clock.
async fn node(f: &Fixture) -> Access {
    let (read_only, accounts) = (ReadOnly::default(), Some(f.accounts.clone()));
    Access::open_with_accounts(&f.config, &read_only, &f.catalog, accounts).await.unwrap()
}

fn groups(caller: &Caller) -> Vec<&str> {
    caller.groups().iter().map(AsRef::as_ref).collect()
}

async fn a_first_login_makes_an_account_that_later_ones_bring_up_to_date(on: On) {
    let (f, fake) = with_directory(on).await;
    fake.set(&[("right", proven("alice", "1", &["b", "a", "b"]))]);
    for (name, password, cause) in [
        ("alice", "wrong", Cause::UnknownName),
        ("nobody", "right", Cause::UnknownName),
        ("", "", Cause::UnknownName),
    ] {
        if !name.is_empty() {
            assert_eq!(f.log_in(name, password).await, wrong(name, cause));
        }
    }
    assert!(f.accounts.users("", 10).await.unwrap().is_empty());
    let alice = f.log_in("alice", "right").await.unwrap();
    assert_eq!((alice.identity(), alice.proof()), (&Identity::User("alice".into()), Proof::Password));
    assert_eq!(groups(&alice), ["a", "b"]);
    let account = f.accounts.user("alice").await.unwrap();
    assert_eq!(account.display_name.as_deref(), Some("A. Person"));
    assert!(account.password.is_none());
    assert_eq!(f.log_in("alice", "wrong").await, wrong("alice", Cause::WrongPassword));

    // Renamed there, the same here; in other groups at the next login.
    f.pass(60);
    fake.set(&[("right", proven("alicia", "1", &["c"]))]);
    let alicia = f.log_in("alicia", "right").await.unwrap();
    assert_eq!((alicia.name(), groups(&alicia)), ("alice", vec!["c"]));
    eventually("both changes are sealed", async || f.changes().await == ["created", "groups changed"]).await;
    // Both nodes have it from the catalog.
    f.access.refresh().await.unwrap();
    let older = alice.clone();
    assert_eq!(f.access.groups_of(&older).iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["c"]);
}

async fn a_name_that_is_taken_is_never_taken_over(on: On) {
    let (f, fake) = with_directory(on).await;
    f.add("bob").await;
    fake.set(&[("theirs", proven("bob", "1", &[])), ("right", proven("alice", "2", &[]))]);
    // Berth knows bob itself, so nobody else is asked.
    assert_eq!(f.log_in("bob", "theirs").await, wrong("bob", Cause::WrongPassword));
    assert!(f.is_right("bob", PASSWORD).await);
    let taken = Err(Unauthenticated::NameTaken { name: "bob".to_owned() });
    let of_oidc = Proven { source: Source::Oidc, external: "issuer 7".to_owned(), ..proven("bob", "", &[]) };
    assert_eq!(f.access.welcome(&of_oidc).await, taken);
    assert_eq!(f.access.welcome(&proven("bob", "1", &[])).await, taken);
    // Nor does a successor of the same name inherit anything.
    assert!(f.is_right("alice", "right").await);
    fake.set(&[("new", proven("alice", "3", &[]))]);
    assert_eq!(f.log_in("alice", "new").await, Err(Unauthenticated::NameTaken { name: "alice".to_owned() }));
    f.accounts.delete_user("alice", &by()).await.unwrap();
    assert!(f.is_right("alice", "new").await);
}

async fn who_is_gone_is_out_until_vouched_for_again(on: On) {
    let (f, fake) = with_directory(on).await;
    let (alice, carol) = (proven("alice", "1", &["a"]), proven("carol", "2", &["a"]));
    fake.set(&[("right", alice.clone()), ("right", carol.clone())]);
    assert!(f.is_right("alice", "right").await && f.is_right("carol", "right").await);
    let new = NewApplicationPassword { user: "alice".to_owned(), name: "laptop".to_owned(), days: 30 };
    let (_, secret, _) = f.accounts.create_application_password(new, &by()).await.unwrap();
    assert!(f.is_right("alice", secret.reveal()).await);
    f.access.refresh().await.unwrap();
    let issued_at = f.clock.now();
    f.pass(60);

    fake.set(&[("right", Proven { groups: Vec::new(), ..carol })]);
    let looked = f.accounts.look_up_all(&*fake).await.unwrap();
    assert_eq!(looked, Looked { accounts: 2, changed: 1, gone: 1 });
    let ended = f.log_in("alice", secret.reveal()).await.unwrap_err().to_string();
    assert!(ended.contains("the service that vouched for its owner does so no more"), "{ended}");
    assert_eq!(f.log_in("alice", "right").await, wrong("alice", Cause::WrongPassword));
    f.access.refresh().await.unwrap();
    assert!(f.access.stands(&Caller::user("alice"), issued_at).is_err());
    assert!(f.access.certified("alice").is_err());
    let carol = Caller::user("carol");
    assert!(f.access.groups_of(&carol).is_empty());
    // Looked at no more, until it logs in again.
    assert_eq!(f.accounts.look_up_all(&*fake).await.unwrap(), Looked { accounts: 1, changed: 0, gone: 0 });
    fake.set(&[("right", alice)]);
    assert!(f.is_right("alice", "right").await && f.is_right("alice", secret.reveal()).await);

    // What an administrator ended stays so.
    f.accounts.disable_user("alice", true, &by()).await.unwrap();
    assert!(!f.is_right("alice", "right").await);
}

async fn a_directory_that_is_away_refuses_nobody(on: On) {
    let (f, fake) = with_directory(on).await;
    f.add("bob").await;
    fake.set(&[("right", proven("alice", "1", &["a"]))]);
    assert!(f.is_right("alice", "right").await);
    fake.0.lock().away = true;
    f.accounts.look().await.unwrap();
    for (name, password) in [("carol", "x"), ("alice", "wrong")] {
        assert_eq!(f.log_in(name, password).await, Err(Unauthenticated::Unavailable));
    }
    assert!(f.is_right("bob", PASSWORD).await);
    // Whom it vouched for stays as it is.
    assert_eq!(f.accounts.look_up_all(&*fake).await.unwrap(), Looked::default());
    assert_eq!(f.accounts.user("alice").await.unwrap().groups, ["a"]);
}

async fn a_session_is_good_as_long_as_its_owner_stands(on: On) {
    let (f, fake) = with_directory(on).await;
    fake.set(&[("right", proven("alice", "1", &["a"]))]);
    let alice = f.access.log_in("alice", "right", None).await.unwrap();
    f.access.refresh().await.unwrap();
    f.pass(1);
    let secret = f.access.begin_session(&alice).await.unwrap();
    let here = f.access.resume_session(secret.reveal()).await.unwrap().unwrap();
    assert_eq!((here.name(), here.proof(), groups(&here)), ("alice", Proof::Session, vec!["a"]));
    assert_eq!(f.access.resume_session("x").await.unwrap(), None);
    // Passwords are its owner's.
    let manage = Management::new(&f.access, &f.accounts, &f.catalog);
    let (id, made, _) = manage.create_application_password(&here, "laptop".to_owned(), 7).await.unwrap();
    assert!(f.is_right("alice", made.reveal()).await);
    f.add("bob").await;
    assert!(manage.revoke_application_password(&Caller::user("bob"), "alice", id).await.is_err());
    assert!(manage.revoke_application_password(&Caller::user("bob"), "bob", id).await.is_err());
    manage.revoke_application_password(&here, "alice", id).await.unwrap();
    assert!(!f.is_right("alice", made.reveal()).await);

    let other = f.access.begin_session(&alice).await.unwrap();
    f.access.end_session(other.reveal()).await.unwrap();
    assert_eq!(f.access.resume_session(other.reveal()).await.unwrap(), None);
    f.pass(1);
    f.accounts.disable_user("alice", true, &by()).await.unwrap();
    f.access.refresh().await.unwrap();
    assert_eq!(f.access.resume_session(secret.reveal()).await.unwrap(), None);
}

/// Knows one token.
struct Ci {
    once: bool,
    expires_at: Timestamp,
}

#[async_trait]
impl Issuers for Ci {
    async fn exchange(&self, token: &str, _now: Timestamp) -> Result<Job, Refused> {
        match token {
            "job" => Ok(Job {
                name: "ci:github/repo:my-org/app".to_owned(),
                lifetime_seconds: 900,
                once: self.once.then(|| "digest".to_owned()),
                expires_at: self.expires_at,
            }),
            "away" => Err(Refused::Unavailable("it is down".to_owned())),
            _ => Err(Refused::Token("its signature is wrong".to_owned())),
        }
    }
}

fn workload(name: &str, role: &str, project: &str) -> Workload {
    Workload {
        name: name.to_owned(),
        issuer: "https://ci.example.com".to_owned(),
        audience: OneOrMany::One("registry".to_owned()),
        claims: std::collections::BTreeMap::new(),
        grants: vec![Grant { role: role.to_owned(), project: Some(project.to_owned()) }],
        lifetime_seconds: 900,
        single_use: false,
        ca_file: None,
        keys_file: None,
    }
}

async fn a_job_is_what_its_policy_grants(on: On) {
    let workloads = vec![workload("github", "maintainer", "app"), workload("git", "maintainer", "other")];
    let f = Fixture::with(on, Config { workloads, ..Config::default() }).await;
    let issuers = |once| Arc::new(Ci { once, expires_at: f.clock.now() + Duration::from_mins(1) });
    let access = f.access.clone().with_issuers(issuers(false));
    let as_job = async |access: &Access, token: &str| {
        access.authenticate(Some(&crate::tests::basic("oidc", token))).await
    };
    let job = as_job(&access, "job").await.unwrap();
    assert_eq!(job.identity(), &Identity::Workload("ci:github/repo:my-org/app".into()));
    assert_eq!(job.proof(), Proof::Federation);
    let may = |caller: &Caller, name: &str| {
        let name = name.parse().unwrap();
        access.granted(caller, &Resource::Repository(&name)).has(crate::Action::Push)
    };
    assert!(may(&job, "app/web") && !may(&job, "other/web") && !may(&job, "app2/web"));
    // A name that begins alike is another policy's, and a user can't have one of theirs.
    let another = Caller::new(Identity::Workload("ci:git/x".into()), Proof::Federation);
    assert!(may(&another, "other/web") && !may(&another, "app/web"));
    for name in ["ci:github", "ci:github/repo:my-org/app"] {
        assert!(!may(&Caller::user(name), "app/web"));
    }
    let gone = Caller::new(Identity::Workload("ci:gitlab/x".into()), Proof::Federation);
    assert!(!may(&gone, "app/web"));

    assert!(matches!(as_job(&access, "x").await, Err(Unauthenticated::Job(Refused::Token(_)))));
    assert!(as_job(&access, "away").await.unwrap_err().is_busy());
    assert!(matches!(
        as_job(&f.access, "job").await,
        Err(Unauthenticated::NoUsers | Unauthenticated::WrongCredentials { .. })
    ));
    assert_eq!(f.access.exchange("job").await, Err(Unauthenticated::Job(Refused::Issuer)));

    // Once, on all nodes.
    let once = node(&f).await.with_issuers(issuers(true));
    let other = node(&f).await.with_issuers(issuers(true));
    assert!(once.exchange("job").await.is_ok());
    for access in [&once, &other] {
        assert_eq!(access.exchange("job").await, Err(Unauthenticated::Job(Refused::Used)));
    }
    // It is forgotten when it would be refused anyway.
    f.pass(1_000);
    assert!(once.exchange("job").await.is_ok());
}

async fn a_certificate_proves_who_is_known(on: On) {
    let (f, _) = with_directory(on).await;
    f.add("alice").await;
    f.access.refresh().await.unwrap();
    let alice = f.access.certified("alice").unwrap();
    assert_eq!((alice.name(), alice.proof()), ("alice", Proof::Certificate));
    for name in ["", "mallory", "anonymous", "robot+ci", "robot$ci", "ci:github/x"] {
        assert!(matches!(f.access.certified(name), Err(Unauthenticated::Certificate { .. })), "{name}");
    }
    f.accounts.disable_user("alice", true, &by()).await.unwrap();
    f.access.refresh().await.unwrap();
    assert!(matches!(f.access.certified("alice"), Err(Unauthenticated::Gone { .. })));
}

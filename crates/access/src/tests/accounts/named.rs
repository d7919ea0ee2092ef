//! What the event log says of persons: their pseudonyms, and no name that erasing somebody would leave there.

use std::sync::Arc;

use berth_catalog::event::{self, Author, Event};
use berth_catalog::{Tx, subject};
use berth_vault::{Key, Vault};

use super::federated::{Fake, proven, with_directory};
use super::{On, PASSWORD, new_user, on_both};
use crate::federation::{Directory, Proven, Source};
use crate::{Enrolment, ManageError, Management, NewApplicationPassword, PasswordChange, Persons, Reason};

on_both!(no_name_of_a_person_enters_the_event_log, who_has_no_name_in_logs_changes_nothing);

async fn no_name_of_a_person_enters_the_event_log(on: On) {
    let (mut f, fake): (_, Arc<Fake>) = with_directory(on).await;
    let vault = Vault::new(&[Key::generate().unwrap()], &[]).unwrap();
    let persons = Persons::new(f.catalog.clone(), vault);
    f.access = f.access.with_persons(persons.clone());
    let by = Author::from("berth:operator");
    // A directory: created, other groups at a login, other groups by a look, gone.
    for groups in [["a"], ["b"]] {
        fake.set(&[("right", proven("alice", "1", &groups))]);
        f.access.log_in("alice", "right", None).await.unwrap();
    }
    fake.set(&[("right", proven("alice", "1", &["c"]))]);
    f.accounts.look_up_all(&*fake as &dyn Directory).await.unwrap();
    fake.set(&[]);
    f.accounts.look_up_all(&*fake as &dyn Directory).await.unwrap();
    // A login service.
    let carol = Proven { source: Source::Oidc, external: "id 2".to_owned(), ..proven("carol", "2", &["a"]) };
    f.access.welcome(&carol).await.unwrap();
    // An account here, with all that it may have.
    persons.of("bobby").await.unwrap();
    f.accounts.create_user(new_user("bobby"), &by).await.unwrap();
    f.pass(1);
    let new = NewApplicationPassword { user: "bobby".to_owned(), name: "laptop".to_owned(), days: 1 };
    let (id, ..) = f.accounts.create_application_password(new, &by).await.unwrap();
    f.accounts.revoke_application_password("bobby", id, &by).await.unwrap();
    let enrolment = Enrolment::generate().unwrap();
    let code = enrolment.code_at(f.clock.now().as_second());
    f.accounts.enable_totp("bobby", &enrolment, &code, &by).await.unwrap();
    f.accounts.disable_totp("bobby", &by).await.unwrap();
    f.accounts.change_password("bobby", PASSWORD, "Another-2", None, &by).await.unwrap();

    let read = async || f.catalog.read(async |r| event::list(r, 0, 100).await).await.unwrap();
    super::eventually("all is in the log", async || read().await.len() == 11).await;
    let events: Vec<Event> = read().await;
    for (name, changes) in [("alice", 4), ("carol", 1), ("bobby", 6)] {
        let person = persons.find(name).await.unwrap().unwrap();
        let theirs: Vec<_> =
            events.iter().filter(|event| event.detail["person"] == person.pseudonym()).collect();
        assert_eq!(theirs.len(), changes, "{name}");
        let whole = format!("{events:?}");
        assert!(!whole.contains(name), "{whole}");
    }
    let created: Vec<_> = events.iter().filter(|event| event.detail["change"] == "created").collect();
    for (event, proof) in created.iter().zip(["password", "federation"]) {
        assert_eq!(event.detail["person"], *event.caller, "who logs in makes the account");
        assert_eq!(event.detail["origin"]["kind"], "user");
        assert_eq!(event.detail["origin"]["proof"], proof);
    }
    let groups = events.iter().filter(|event| event.detail["change"] == "groups changed");
    let by: Vec<_> = groups.map(|event| event.caller.as_str()).collect();
    assert_eq!(by, ["system:login", "system:directory"]);
}

async fn who_has_no_name_in_logs_changes_nothing(on: On) {
    let mut f = super::Fixture::new(on).await;
    f.add("alice").await;
    // The key is of another vault.
    let now = f.clock.now();
    let row =
        async move |tx: &mut Tx| subject::ensure(tx, "alice", "person-1", b"sealed elsewhere", now).await;
    f.catalog.write(row).await.unwrap();
    let vault = Vault::new(&[Key::generate().unwrap()], &[]).unwrap();
    f.access = f.access.with_persons(Persons::new(f.catalog.clone(), vault));
    let manage = Management::new(&f.access, &f.accounts, &f.catalog);
    let alice = f.access.log_in("alice", PASSWORD, None).await.unwrap();
    let change = PasswordChange { name: "alice", old: PASSWORD, new: "Another-2", code: None };
    let changed = manage.change_own_password(&alice, change).await;
    let made = manage.create_application_password(&alice, "laptop".to_owned(), 1).await.map(drop);
    for outcome in [changed, made] {
        let Err(ManageError::Denied(denied)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(denied.reason(), Reason::Unnamed);
    }
    assert!(f.is_right("alice", PASSWORD).await);
    assert!(f.accounts.application_passwords("alice").await.unwrap().is_empty());
}

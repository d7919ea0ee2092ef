//! Directories that are down, hang, are set up wrong, or are asked by those who guess.

use std::time::{Duration, Instant};

use berth_access::federation::{Directory as _, Ldap, LdapBind, Unavailable, UserSearch};
use berth_engines::Slapd;
use berth_federation::Directories;

use crate::ldap::{Set, settings, verify};

#[tokio::test]
async fn another_server_answers_for_one_that_is_down() {
    let (one, other) = (Slapd::start(), Slapd::start());
    let Set { settings, _secret } = settings(&one);
    // Each trusts its own authority only: the second goes without TLS here.
    let settings = Ldap {
        servers: vec![one.url(), other.url()],
        plain_text: true,
        ca_file: None,
        timeout_seconds: 2,
        ..settings
    };
    let directories = Directories::new(&[settings], None).unwrap();
    assert!(directories.verify("alice", "alice-password").await.unwrap().is_some());
    one.stop();
    assert!(directories.verify("alice", "alice-password").await.unwrap().is_some());
    other.stop();
    assert_eq!(directories.verify("alice", "alice-password").await, Err(Unavailable));
    // Without an answer nobody is refused for good, and nothing is believed.
    assert_eq!(directories.verify("nobody", "x").await, Err(Unavailable));
    one.resume();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(directories.verify("alice", "alice-password").await.unwrap().is_some());
}

#[tokio::test]
async fn a_server_that_hangs_costs_its_time_once() {
    let slapd = Slapd::start();
    let Set { settings, _secret } = settings(&slapd);
    let settings = Ldap { timeout_seconds: 1, ..settings };
    let directories = std::sync::Arc::new(Directories::new(&[settings], None).unwrap());
    slapd.freeze();
    let begin = Instant::now();
    let mut logins = tokio::task::JoinSet::new();
    for n in 0..100 {
        let directories = std::sync::Arc::clone(&directories);
        logins.spawn(async move { directories.verify(&format!("user{n}"), "x").await });
    }
    for outcome in logins.join_all().await {
        assert_eq!(outcome, Err(Unavailable));
    }
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    // For a while nobody waits for it.
    let begin = Instant::now();
    assert_eq!(directories.verify("alice", "alice-password").await, Err(Unavailable));
    assert!(begin.elapsed() < Duration::from_millis(500), "{:?}", begin.elapsed());
    slapd.thaw();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(directories.verify("alice", "alice-password").await.unwrap().is_some());
}

#[tokio::test]
async fn time_does_not_tell_whether_a_name_is_known() {
    let slapd = Slapd::start();
    let set = settings(&slapd);
    let directories = Directories::new(std::slice::from_ref(&set.settings), None).unwrap();
    let mut times = Vec::new();
    for (name, password) in
        [("alice", "wrong"), ("nobody", "wrong"), ("alice", ""), ("*", "wrong"), ("robot+x", "wrong")]
    {
        let begin = Instant::now();
        assert_eq!(directories.verify(name, password).await, Ok(None));
        times.push(begin.elapsed());
    }
    let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    assert!(*least >= Duration::from_millis(500), "{times:?}");
    assert!(most.saturating_sub(*least) < Duration::from_secs(1), "{times:?}");
}

#[tokio::test]
async fn what_was_right_is_believed_for_a_while_and_no_longer() {
    let slapd = Slapd::start();
    let Set { settings, _secret } = settings(&slapd);
    let directories = Directories::new(&[Ldap { believe_seconds: 3, ..settings }], None).unwrap();
    assert!(directories.verify("alice", "alice-password").await.unwrap().is_some());
    slapd.modify(
        "dn: uid=alice,ou=people,dc=example,dc=com\nchangetype: modify\nreplace: userPassword\n\
         userPassword: another-password\n",
    );
    assert!(directories.verify("alice", "alice-password").await.unwrap().is_some());
    assert!(directories.verify("alice", "another-password").await.unwrap().is_some());
    assert_eq!(directories.verify("alice", "wrong").await, Ok(None));
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(directories.verify("alice", "alice-password").await, Ok(None));
}

#[tokio::test]
async fn a_referral_is_not_followed() {
    let (slapd, evil) = (Slapd::start(), Slapd::start());
    slapd.modify(&format!(
        "dn: ou=elsewhere,ou=people,dc=example,dc=com\nchangetype: add\nobjectClass: referral\n\
         objectClass: extensibleObject\nou: elsewhere\nref: {}/ou=people,dc=example,dc=com\n",
        evil.url()
    ));
    evil.modify(
        "dn: uid=mallory,ou=people,dc=example,dc=com\nchangetype: add\nobjectClass: inetOrgPerson\nuid: mallory\n\
         cn: Mallory\nsn: M\nuserPassword: mallory-password\n",
    );
    let Set { settings, _secret } = settings(&slapd);
    assert_eq!(verify(&settings, "mallory", "mallory-password").await, None);
    assert!(verify(&settings, "alice", "alice-password").await.is_some());
    // A bind that is referred elsewhere proves nothing.
    let user_dn = Some("uid={name},ou=elsewhere,ou=people,dc=example,dc=com".to_owned());
    let direct = Ldap { user_dn, bind: None, users: None, ..settings };
    let directories = Directories::new(&[direct], None).unwrap();
    assert!(!matches!(directories.verify("mallory", "mallory-password").await, Ok(Some(_))));
}

#[tokio::test]
async fn the_first_directory_that_knows_a_name_decides() {
    let (one, other) = (Slapd::start(), Slapd::start());
    other.modify(
        "dn: uid=alice,ou=people,dc=example,dc=com\nchangetype: modify\nreplace: userPassword\n\
         userPassword: others-password\n",
    );
    other.modify(
        "dn: uid=carol,ou=people,dc=example,dc=com\nchangetype: add\nobjectClass: inetOrgPerson\nuid: carol\n\
         cn: Carol\nsn: C\nuserPassword: carol-password\n",
    );
    let (first, mut second) = (settings(&one), settings(&other));
    second.settings.name = "other".to_owned();
    let directories = Directories::new(&[first.settings.clone(), second.settings.clone()], None).unwrap();
    assert_eq!(directories.verify("alice", "others-password").await, Ok(None));
    let carol = directories.verify("carol", "carol-password").await.unwrap().unwrap();
    assert!(carol.external.starts_with("other "));
    // While the first can't be asked, nobody can say whether it knows a name: the second may still have the answer.
    one.stop();
    assert!(directories.verify("carol", "carol-password").await.unwrap().is_some());
    assert_eq!(directories.verify("nobody", "x").await, Err(Unavailable));
}

#[tokio::test]
async fn what_can_not_work_is_said() {
    let slapd = Slapd::start();
    let Set { settings, _secret } = settings(&slapd);
    let refused =
        |settings: &Ldap| Directories::new(std::slice::from_ref(settings), None).unwrap_err().to_string();
    let search = |filter: &str| {
        let base = "dc=example,dc=com".to_owned();
        Some(UserSearch { base, filter: filter.to_owned() })
    };
    let bind = |password_file: Option<&str>, stored_password: Option<&str>| {
        Some(LdapBind {
            dn: "cn=berth,dc=example,dc=com".to_owned(),
            password_file: password_file.map(Into::into),
            stored_password: stored_password.map(Into::into),
        })
    };
    for (wrong, expected) in [
        (Ldap { bind: bind(None, None), ..settings.clone() }, "set password_file, or stored_password"),
        (Ldap { bind: bind(Some("/file"), Some("ldap")), ..settings.clone() }, "keep one of them"),
        (Ldap { bind: bind(None, Some("a/b")), ..settings.clone() }, "secret name \"a/b\" must be"),
        (Ldap { bind: bind(None, Some("audit-signing-keys")), ..settings.clone() }, "is Berth's own"),
        (Ldap { servers: Vec::new(), ..settings.clone() }, "at least one"),
        (Ldap { servers: vec!["http://x".to_owned()], ..settings.clone() }, "ldaps:// or ldap://"),
        (Ldap { users: search("(uid=x)"), ..settings.clone() }, "must contain {name}"),
        (Ldap { users: search("(uid={name}"), ..settings.clone() }, "is no filter"),
        (Ldap { users: None, ..settings.clone() }, "users.base"),
        (Ldap { user_dn: Some("uid=x".to_owned()), ..settings.clone() }, "user_dn must contain"),
        (Ldap { ca_file: Some("/nowhere".into()), ..settings.clone() }, "can't be read"),
        (Ldap { name: "a b".to_owned(), ..settings.clone() }, "letters, digits and -"),
    ] {
        let said = refused(&wrong);
        assert!(said.contains(expected), "{said}");
    }
    assert!(
        Directories::new(&[settings.clone(), settings.clone()], None)
            .unwrap_err()
            .to_string()
            .contains("two of the name")
    );

    // Berth's own password is wrong: nobody is told that theirs is.
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&secret, "wrong").unwrap();
    let wrong = bind(secret.path().to_str(), None);
    // Nor where a configuration names what is not there.
    for bind in [wrong, bind(None, Some("ldap"))] {
        let wrong = Directories::new(&[Ldap { bind, ..settings.clone() }], None).unwrap();
        assert_eq!(wrong.verify("alice", "alice-password").await, Err(Unavailable));
    }

    // A filter that finds two is no reason to leave the server alone.
    let two =
        Directories::new(&[Ldap { users: search("(|(uid={name})(uid=bob))"), ..settings }], None).unwrap();
    assert_eq!(two.verify("alice", "alice-password").await, Ok(None));
    assert!(two.verify("bob", "bob-password").await.unwrap().is_some());
}

//! Who gets in by a directory, and what is known of them.

use berth_access::federation::{
    Attributes, Directory as _, GroupNames, GroupSearch, Ldap, LdapBind, LookedUp, Proven, UserSearch,
};
use berth_engines::Slapd;
use berth_federation::Directories;

/// A directory of the configuration, with the file that holds Berth's password there.
pub(crate) struct Set {
    pub(crate) settings: Ldap,
    pub(crate) _secret: tempfile::NamedTempFile,
}

/// Finds users by a search, groups by `memberOf`, over LDAPS.
pub(crate) fn settings(slapd: &Slapd) -> Set {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&secret, "berth-password\n").unwrap();
    let settings = Ldap {
        name: "corp".to_owned(),
        servers: vec![slapd.tls_url()],
        start_tls: false,
        ca_file: Some(slapd.ca_file()),
        plain_text: false,
        bind: Some(LdapBind {
            dn: "cn=berth,dc=example,dc=com".to_owned(),
            password_file: Some(secret.path().to_owned()),
            stored_password: None,
        }),
        user_dn: None,
        users: Some(UserSearch {
            base: "ou=people,dc=example,dc=com".to_owned(),
            filter: "(&(objectClass=inetOrgPerson)(uid={name}))".to_owned(),
        }),
        attributes: Attributes { id: "entryUUID".to_owned(), ..Attributes::default() },
        groups: None,
        group_names: GroupNames::First,
        group_prefix: String::new(),
        required_groups: Vec::new(),
        timeout_seconds: 5,
        believe_seconds: 0,
        refresh_seconds: 300,
    };
    Set { settings, _secret: secret }
}

pub(crate) async fn verify(settings: &Ldap, name: &str, password: &str) -> Option<Proven> {
    Directories::new(std::slice::from_ref(settings), None).unwrap().verify(name, password).await.unwrap()
}

#[tokio::test]
async fn a_right_password_proves_who_it_is() {
    let slapd = Slapd::start();
    let set = settings(&slapd);
    let alice = verify(&set.settings, "alice", "alice-password").await.unwrap();
    assert_eq!(alice.name, "alice");
    assert_eq!(alice.display.as_deref(), Some("Alice Arnold"));
    assert_eq!(alice.email.as_deref(), Some("alice@example.com"));
    assert_eq!(alice.groups, ["builders"]);
    let id = alice.external.strip_prefix("corp ").unwrap();
    assert_eq!(id.len(), 36, "{id} is an entryUUID");
    // The directory doesn't tell one from the other, so neither do we.
    assert_eq!(verify(&set.settings, "ALICE", "alice-password").await, Some(alice));

    for (name, password) in [
        ("alice", "bob-password"),
        ("alice", "wrong"),
        ("alice", ""),
        ("nobody", "alice-password"),
        ("nobody", ""),
        ("", ""),
        ("", "x"),
    ] {
        assert_eq!(verify(&set.settings, name, password).await, None, "{name:?} {password:?}");
    }
}

#[tokio::test]
async fn connections_are_secret_and_to_the_right_server() {
    let slapd = Slapd::start();
    let Set { settings, _secret } = settings(&slapd);
    let start_tls = Ldap { servers: vec![slapd.url()], start_tls: true, ..settings.clone() };
    assert!(verify(&start_tls, "alice", "alice-password").await.is_some());
    let open = Ldap { servers: vec![slapd.url()], plain_text: true, ca_file: None, ..settings.clone() };
    assert!(verify(&open, "alice", "alice-password").await.is_some());

    // Of an authority that nobody trusts.
    for untrusted in [Ldap { ca_file: None, ..settings.clone() }, Ldap { ca_file: None, ..start_tls.clone() }]
    {
        let directories = Directories::new(&[untrusted], None).unwrap();
        assert!(directories.verify("alice", "alice-password").await.is_err());
    }
    // Of the right authority, for another host.
    let port = slapd.tls_url().rsplit(':').next().unwrap().to_owned();
    let elsewhere = Ldap { servers: vec![format!("ldaps://localhost:{port}")], ..settings.clone() };
    assert!(Directories::new(&[elsewhere], None).unwrap().verify("alice", "alice-password").await.is_err());
    // Nobody sends passwords in the open by mistake.
    let open = Ldap { plain_text: false, ..open };
    let error = Directories::new(&[open], None).unwrap_err().to_string();
    assert!(error.contains("would see passwords travel in the open"), "{error}");
}

#[tokio::test]
async fn groups_come_from_searches_too() {
    let slapd = Slapd::start();
    let Set { settings, _secret } = settings(&slapd);
    let search = |filter: &str, nested| {
        let base = "ou=groups,dc=example,dc=com".to_owned();
        let groups = Some(GroupSearch { base, filter: filter.to_owned(), name: "cn".to_owned(), nested });
        let attributes = Attributes { member_of: String::new(), ..settings.attributes.clone() };
        Ldap { groups, attributes, group_prefix: "corp/".to_owned(), ..settings.clone() }
    };
    let alice = verify(&search("(member={dn})", false), "alice", "alice-password").await.unwrap();
    assert_eq!(alice.groups, ["corp/builders"]);
    let alice = verify(&search("(member={dn})", true), "alice", "alice-password").await.unwrap();
    assert_eq!(alice.groups, ["corp/builders", "corp/engineers"]);

    // Groups in a circle end.
    slapd.modify(
        "dn: cn=builders,ou=groups,dc=example,dc=com\nchangetype: modify\nadd: member\n\
         member: cn=engineers,ou=groups,dc=example,dc=com\n",
    );
    let alice = verify(&search("(member={dn})", true), "alice", "alice-password").await.unwrap();
    assert_eq!(alice.groups, ["corp/builders", "corp/engineers"]);

    let whole = Ldap { group_names: GroupNames::Whole, ..settings.clone() };
    let alice = verify(&whole, "alice", "alice-password").await.unwrap();
    assert_eq!(alice.groups, ["cn=builders,ou=groups,dc=example,dc=com"]);
    let required = Ldap { required_groups: vec!["auditors".to_owned()], ..settings };
    assert_eq!(verify(&required, "alice", "alice-password").await, None);
    assert!(verify(&required, "bob", "bob-password").await.is_some());
}

#[tokio::test]
async fn a_user_may_bind_without_a_search() {
    let slapd = Slapd::start();
    let Set { settings, _secret } = settings(&slapd);
    let user_dn = Some("uid={name},ou=people,dc=example,dc=com".to_owned());
    let direct = Ldap { user_dn, bind: None, users: None, ..settings };
    let alice = verify(&direct, "alice", "alice-password").await.unwrap();
    assert_eq!((alice.name.as_str(), &alice.groups[..]), ("alice", &["builders".to_owned()][..]));
    let odd = verify(&direct, "o'neil (x)*", "odd-password").await.unwrap();
    assert_eq!(odd.name, "o'neil (x)*");
    for (name, password) in [
        ("alice", "wrong"),
        ("alice", ""),
        ("nobody", "x"),
        ("alice,ou=people,dc=example,dc=com+uid=x", "alice-password"),
        ("bob+uid=alice", "alice-password"),
    ] {
        assert_eq!(verify(&direct, name, password).await, None, "{name:?}");
    }
    // It can't be asked without the password.
    let directories = Directories::new(&[direct], None).unwrap();
    assert_eq!(directories.look_up("alice", &alice.external).await, Ok(LookedUp::Unknown));
}

#[tokio::test]
async fn a_name_is_never_a_filter() {
    let slapd = Slapd::start();
    let set = settings(&slapd);
    let odd = verify(&set.settings, "o'neil (x)*", "odd-password").await.unwrap();
    assert_eq!(odd.name, "o'neil (x)*");
    for name in [
        "*",
        "a*",
        "alice)(uid=*",
        "*)(objectClass=*",
        "alice)(|(uid=*",
        "*))(|(cn=*",
        "alice\0",
        "al\\69ce",
        "(uid=alice)",
        "o'neil (x)?",
    ] {
        assert_eq!(verify(&set.settings, name, "alice-password").await, None, "{name:?}");
        assert_eq!(verify(&set.settings, name, "odd-password").await, None, "{name:?}");
    }
}

#[tokio::test]
async fn who_left_a_group_or_the_directory_is_seen_without_a_password() {
    let slapd = Slapd::start();
    let set = settings(&slapd);
    let alice = verify(&set.settings, "alice", "alice-password").await.unwrap();
    let directories = Directories::new(std::slice::from_ref(&set.settings), None).unwrap();
    assert_eq!(directories.look_up("alice", &alice.external).await, Ok(LookedUp::Found(alice.clone())));

    slapd.modify(
        "dn: cn=builders,ou=groups,dc=example,dc=com\nchangetype: modify\nadd: member\n\
         member: uid=bob,ou=people,dc=example,dc=com\n-\ndelete: member\nmember: uid=alice,ou=people,dc=example,dc=com\n",
    );
    let without = Proven { groups: Vec::new(), ..alice.clone() };
    assert_eq!(directories.look_up("alice", &alice.external).await, Ok(LookedUp::Found(without.clone())));
    assert_eq!(directories.verify("alice", "alice-password").await, Ok(Some(without)));

    // Another person of the same name is not the same.
    slapd.modify("dn: uid=alice,ou=people,dc=example,dc=com\nchangetype: delete\n");
    assert_eq!(directories.look_up("alice", &alice.external).await, Ok(LookedUp::Gone));
    slapd.modify(
        "dn: uid=alice,ou=people,dc=example,dc=com\nchangetype: add\nobjectClass: inetOrgPerson\nuid: alice\n\
         cn: Another\nsn: Alice\nuserPassword: alice-password\n",
    );
    assert_eq!(directories.look_up("alice", &alice.external).await, Ok(LookedUp::Gone));
    assert_ne!(
        directories.verify("alice", "alice-password").await.unwrap().unwrap().external,
        alice.external
    );
    // Nor is one of another directory.
    assert_eq!(directories.look_up("alice", "other x").await, Ok(LookedUp::Gone));
}

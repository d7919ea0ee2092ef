use serde_json::json;

use super::{SECRET, config, user};
use crate::{
    Access, Anonymous, Config, ConfigError, PasswordHash, PasswordHashError, ReadOnly, UserAccess,
    effective_anonymous, hash_password,
};

#[test]
fn reads_the_documented_form() {
    let json = json!({
        "anonymous": "read",
        "users": [{ "name": "alice", "password": SECRET }, { "name": "bob", "password": SECRET, "access": "read" }],
    });
    let read: Config = serde_json::from_value(json).unwrap();
    let expected =
        config(Anonymous::Read, vec![user("alice", UserAccess::Write), user("bob", UserAccess::Read)]);
    assert_eq!(read, expected);
    assert_eq!(serde_json::from_value::<Config>(serde_json::to_value(&read).unwrap()).unwrap(), read);
}

#[test]
fn plain_text_passwords_are_refused_and_not_repeated() {
    let json = json!({ "users": [{ "name": "alice", "password": "hunter2" }] });
    let error = serde_json::from_value::<Config>(json).unwrap_err().to_string();
    assert!(error.contains("berth passwd") && !error.contains("hunter2"), "{error}");
}

#[test]
fn unusable_hashes_are_refused() {
    let unusable = |text: &str| match text.parse::<PasswordHash>() {
        Err(PasswordHashError::Unusable(why)) => why,
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(
        unusable("$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC"),
        "damaged PHC string"
    );
    assert_eq!(unusable(&SECRET.replace("argon2id", "argon2i")), "algorithm is not argon2id");
    assert_eq!(unusable("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzYWx0"), "salt or hash missing");
    assert_eq!(unusable(&SECRET.replace("m=8", "m=4194304")), "asks for more than 1 GiB or 100 passes");
    assert_eq!(unusable(&SECRET.replace("m=8", "x=8")), "unknown parameters");
}

#[test]
fn everybody_governs_nothing_by_the_configuration() {
    let bound = |role: &str, subject: &str, project: Option<&str>| {
        let config = json!({ "bindings": [{ "role": role, "subjects": [subject], "project": project }] });
        Access::new(&serde_json::from_value::<Config>(config).unwrap(), &ReadOnly::default()).map(drop)
    };
    for subject in ["anonymous", "authenticated"] {
        for (role, project) in
            [("administrator", None), ("project-admin", Some("team")), ("project-admin", None)]
        {
            let error = bound(role, subject, project).unwrap_err();
            assert!(matches!(&error, ConfigError::Everybody { .. }), "{role} to {subject}: {error}");
        }
        assert_eq!(bound("guest", subject, None), Ok(()));
        assert_eq!(bound("auditor", subject, None), Ok(()));
        assert_eq!(bound("developer", subject, Some("team")), Ok(()));
    }
    assert_eq!(bound("administrator", "group:admins", None), Ok(()));
}

#[test]
fn names_are_checked() {
    let refused = |users| Access::new(&config(Anonymous::None, users), &ReadOnly::default());
    let problem = |name: &str| match refused(vec![user(name, UserAccess::Read)]) {
        Err(ConfigError::Name { problem, .. }) => problem,
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(problem(""), "is empty");
    assert_eq!(problem("a:b"), "contains a colon");
    assert_eq!(problem("a\0b"), "contains a control character");
    assert_eq!(problem("anonymous"), "stands for callers without credentials");
    assert_eq!(problem(&"a".repeat(129)), "is longer than 128 bytes");
    let twice = vec![user("alice", UserAccess::Read), user("alice", UserAccess::Write)];
    assert!(matches!(refused(twice), Err(ConfigError::Duplicate(_))));
}

#[test]
fn only_loopback_is_open_by_default() {
    let mut none = Config::default();
    assert_eq!(effective_anonymous(&none, true), Ok(Anonymous::Write));
    let refusal = effective_anonymous(&none, false).unwrap_err().to_string();
    assert!(refusal.contains("berth passwd") && refusal.contains("--anonymous read"), "{refusal}");
    none.anonymous = Some(Anonymous::Read);
    assert_eq!(effective_anonymous(&none, false), Ok(Anonymous::Read));

    let mut users = config(Anonymous::Write, vec![user("alice", UserAccess::Read)]);
    assert_eq!(effective_anonymous(&users, false), Ok(Anonymous::Write));
    users.anonymous = None;
    assert_eq!(effective_anonymous(&users, true), Ok(Anonymous::None));
    assert_eq!(effective_anonymous(&users, false), Ok(Anonymous::None));
}

#[test]
fn a_fresh_hash_is_usable_and_salted() {
    let (first, second) = (hash_password("secret").unwrap(), hash_password("secret").unwrap());
    assert!(first.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert_ne!(first, second);
    assert_eq!(first.as_str().parse::<PasswordHash>().unwrap(), first);
    assert!(hash_password("").is_err());
}

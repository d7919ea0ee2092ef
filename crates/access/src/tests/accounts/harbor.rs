//! Credentials taken over from Harbor.

use super::{Fixture, On, by, eventually, on_both, wrong};
use crate::account::hash::Cost;
use crate::{
    AccountError, Caller, HarborEntry, Identity, Imported, LoginCause as Cause, OperatorGrants, Proof,
    RobotName,
};

on_both!(
    hashes_verify_and_are_written_anew_at_their_first_use,
    failures_cost_the_same_while_hashes_of_harbor_wait,
    what_can_not_be_taken_in_is_said,
);

/// As Harbor's database has them, for the password `Harbor12345`.
const USERS: [&str; 3] = [
    r#"{"name": "old", "password": "a4e08cdff8dd0568e41dbbd85a060c2e", "salt": "lAyzlqJcZ8xuFqQB", "password_version": "sha1"}"#,
    r#"{"name": "mid", "password": "985671341e0ae1c16da5dde0775c5536", "salt": "lAyzlqJcZ8xuFqQB", "password_version": "sha256", "realname": "", "email": "mid@example.org"}"#,
    r#"{"name": "new", "password": "698bed4ae80eec67cd8ae40da8fe17d9", "salt": "lAyzlqJcZ8xuFqQB", "password_version": "pbkdf2_sha256"}"#,
];
const ROBOT: &str = r#"{"name": "robot$team+ci", "secret": "985671341e0ae1c16da5dde0775c5536", "salt": "lAyzlqJcZ8xuFqQB", "description": "builds"}"#;
const PASSWORD: &str = "Harbor12345";

async fn import(f: &Fixture, line: &str) -> Result<Imported, AccountError> {
    let entry: HarborEntry = serde_json::from_str(line).unwrap();
    f.accounts.import_harbor(entry, &OperatorGrants, &by()).await
}

async fn hashes_verify_and_are_written_anew_at_their_first_use(on: On) {
    let f = Fixture::new(on).await;
    for line in USERS {
        assert_eq!(import(&f, line).await, Ok(Imported::User));
        assert_eq!(import(&f, line).await, Ok(Imported::Known), "a file can be read again");
    }
    for name in ["old", "mid", "new"] {
        assert_eq!(f.log_in(name, "harbor12345").await, wrong(name, Cause::WrongPassword));
        assert!(f.is_right(name, PASSWORD).await, "{name}");
        let text = async || f.accounts.user(name).await.unwrap().password.unwrap().into_inner();
        eventually("it is written anew", async || text().await.starts_with("$argon2id$")).await;
        let (other, _) = f.other_node().await;
        let again = other.authenticate(Some(&super::basic(name, PASSWORD))).await;
        assert!(again.is_ok(), "{again:?}");
        assert_eq!(f.log_in(name, "harbor12345").await, wrong(name, Cause::WrongPassword));
    }
    assert_eq!(f.accounts.user("mid").await.unwrap().email.as_deref(), Some("mid@example.org"));

    assert_eq!(import(&f, ROBOT).await, Ok(Imported::Robot));
    let expected = Caller::new(Identity::Robot("robot+team+ci".into()), Proof::RobotSecret);
    assert_eq!(f.log_in("robot$team+ci", PASSWORD).await, Ok(expected.clone()));
    let id = f.accounts.robot_named(&RobotName::parse("robot$team+ci").unwrap()).await.unwrap().id;
    eventually("it is written anew", async || {
        !f.accounts.robot_secrets(id).await.unwrap()[0].secret.starts_with('$')
    })
    .await;
    let (other, counted) = f.other_node().await;
    assert_eq!(other.authenticate(Some(&super::basic("robot+team+ci", PASSWORD))).await, Ok(expected));
    assert_eq!(counted.hasher().cost(), Cost::default(), "found by its hash from now on");
}

async fn failures_cost_the_same_while_hashes_of_harbor_wait(on: On) {
    let users = vec![crate::tests::user("conf", crate::UserAccess::Read)];
    let f = Fixture::with(on, crate::Config { users, ..crate::Config::default() }).await;
    for line in USERS {
        import(&f, line).await.unwrap();
    }
    f.add("alice").await;
    let mut costs = Vec::new();
    for name in ["conf", "alice", "nobody", "old", "mid", "new"] {
        let before = f.cost();
        assert!(!f.is_right(name, "wrong").await);
        costs.push((f.cost().argon2 - before.argon2, f.cost().rounds - before.rounds));
    }
    assert_eq!(costs, [(1, 600_000); 6]);
}

async fn what_can_not_be_taken_in_is_said(on: On) {
    let f = Fixture::new(on).await;
    let refused = async |line: &str| import(&f, line).await.unwrap_err();
    let line = |name: &str, hash: &str, version: &str| {
        format!(
            r#"{{"name": "{name}", "password": "{hash}", "salt": "lAyz", "password_version": "{version}"}}"#
        )
    };
    let hash = "985671341e0ae1c16da5dde0775c5536";
    for (hash, version) in [("abc", "sha256"), (hash, "md5"), ("", "sha256"), (&hash[2..], "sha256")] {
        assert!(
            matches!(refused(&line("x", hash, version)).await, AccountError::Foreign(_)),
            "{hash} {version}"
        );
    }
    assert!(matches!(refused(&line("robot$p+x", hash, "sha1")).await, AccountError::Foreign(_)));
    assert!(matches!(refused(&line("robot$x", hash, "sha256")).await, AccountError::Policies(_)));
    assert!(matches!(refused(&line("a:b", hash, "sha256")).await, AccountError::Name { .. }));
    assert!(
        serde_json::from_str::<HarborEntry>(
            r#"{"name": "x", "password": "", "salt": "", "sysadmin_flag": true}"#
        )
        .is_err()
    );
}

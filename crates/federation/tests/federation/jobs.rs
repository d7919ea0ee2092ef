//! Tokens of CI systems, in the shapes that these give them.

use std::collections::BTreeMap;

use berth_access::federation::{Grant, Issuers as _, Job, OneOrMany, Refused, Workload};
use berth_catalog::Clock;
use berth_engines::OidcProvider;
use berth_federation::Workloads;
use serde_json::{Value, json};

use crate::issuer::{Issuer, Key};

pub(crate) fn one(text: &str) -> OneOrMany {
    OneOrMany::One(text.to_owned())
}

fn many(texts: &[&str]) -> OneOrMany {
    OneOrMany::Many(texts.iter().map(|text| (*text).to_owned()).collect())
}

pub(crate) fn policy(issuer: &str, claims: &[(&str, OneOrMany)]) -> Workload {
    Workload {
        name: "test".to_owned(),
        issuer: issuer.to_owned(),
        audience: one("registry.test"),
        claims: claims.iter().map(|(claim, value)| ((*claim).to_owned(), value.clone())).collect(),
        grants: vec![Grant { role: "maintainer".to_owned(), project: Some("app".to_owned()) }],
        lifetime_seconds: 900,
        single_use: false,
        ca_file: None,
        keys_file: None,
    }
}

pub(crate) async fn exchange(workloads: &Workloads, token: &str) -> Result<Job, Refused> {
    workloads.exchange(token, Clock::system().now()).await
}

/// Checks that a token gets in, and that it doesn't with any of the changes.
async fn only(policy: impl Fn(&str) -> Workload, token: Value, name: &str, changes: &[Value]) {
    let key = Key::new("1");
    let issuer = Issuer::start(&[&key]).await;
    let workloads = Workloads::new(&[policy(&issuer.url)]).unwrap();
    let job = exchange(&workloads, &key.sign(&issuer.claims(token.clone()))).await.unwrap();
    assert_eq!((job.name.as_str(), job.lifetime_seconds, job.once), (name, 900, None));
    for change in changes {
        let mut other = token.clone();
        let Value::Object(change) = change else { panic!("a change is an object") };
        for (claim, value) in change {
            other[claim] = value.clone();
        }
        let refused = exchange(&workloads, &key.sign(&issuer.claims(other))).await;
        assert!(matches!(refused, Err(Refused::Claims(_))), "{change:?}: {refused:?}");
    }
}

#[tokio::test]
async fn a_job_of_github() {
    let policy = |issuer: &str| {
        policy(
            issuer,
            &[
                ("repository", one("octo-org/*")),
                ("repository_owner_id", one("65")),
                ("ref", many(&["refs/heads/main", "refs/tags/v*"])),
                ("job_workflow_ref", one("octo-org/*/.github/workflows/release.yml@refs/**")),
            ],
        )
    };
    let token = json!({
        "jti": "example-id", "sub": "repo:octo-org/octo-repo:ref:refs/heads/main", "environment": "prod",
        "ref": "refs/heads/main", "sha": "example-sha", "repository": "octo-org/octo-repo",
        "repository_owner": "octo-org", "actor_id": "12", "repository_visibility": "private", "repository_id": "74",
        "repository_owner_id": "65", "run_id": "example-run-id", "run_number": "10", "run_attempt": "2",
        "runner_environment": "github-hosted", "actor": "octocat", "workflow": "example-workflow", "head_ref": "",
        "base_ref": "", "event_name": "workflow_dispatch", "ref_type": "branch",
        "job_workflow_ref": "octo-org/octo-automation/.github/workflows/release.yml@refs/heads/main",
    });
    only(
        policy,
        token,
        "ci:test/repo:octo-org/octo-repo:ref:refs/heads/main",
        &[
            json!({"repository": "evil-org/octo-repo"}),
            json!({"repository": "octo-org-evil/octo-repo"}),
            json!({"repository_owner_id": "66"}),
            json!({"ref": "refs/heads/main2"}),
            json!({"ref": "refs/pull/7/merge"}),
            json!({"job_workflow_ref": "octo-org/x/.github/workflows/other.yml@refs/heads/main"}),
            json!({"job_workflow_ref": null}),
            json!({"aud": "https://github.com/octo-org"}),
            json!({"aud": null}),
            json!({"sub": null}),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_job_of_gitlab() {
    let policy = |issuer: &str| {
        policy(
            issuer,
            &[
                ("namespace_path", one("my-group")),
                ("project_path", one("my-group/*")),
                ("ref_protected", one("true")),
                ("ref_type", one("branch")),
            ],
        )
    };
    let token = json!({
        "namespace_id": "72", "namespace_path": "my-group", "project_id": "20", "project_path": "my-group/my-project",
        "user_id": "1", "user_login": "sample-user", "user_email": "sample-user@example.com", "pipeline_id": "574",
        "pipeline_source": "push", "job_id": "302", "ref": "feature-branch-1", "ref_type": "branch",
        "ref_path": "refs/heads/feature-branch-1", "ref_protected": "true", "groups_direct": ["mygroup/mysubgroup"],
        "environment": "test-environment2", "environment_protected": "false", "runner_id": 1,
        "runner_environment": "self-hosted", "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc",
        "project_visibility": "public", "jti": "235b3a54-b797-45c7-ae9a-f72d7bc6ef5b",
        "sub": "project_path:my-group/my-project:ref_type:branch:ref:feature-branch-1",
        // GitLab writes a list where a job asks for several.
        "aud": ["registry.test", "https://vault.example.com"],
    });
    let name = "ci:test/project_path:my-group/my-project:ref_type:branch:ref:feature-branch-1";
    only(
        policy,
        token,
        name,
        &[
            json!({"namespace_path": "my-group/sub"}),
            json!({"project_path": "my-group/sub/my-project"}),
            json!({"ref_protected": "false"}),
            json!({"ref_type": "tag"}),
            json!({"aud": ["https://vault.example.com"]}),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_job_of_kubernetes() {
    let policy = |issuer: &str| {
        policy(
            issuer,
            &[("sub", one("system:serviceaccount:ci:builder")), ("/kubernetes.io/namespace", one("ci"))],
        )
    };
    let token = json!({
        "kubernetes.io": {
            "namespace": "ci", "node": {"name": "node-1", "uid": "646e7c5e-32d6-4d42-9dbd-e504e6cbe6b1"},
            "pod": {"name": "build-7x2kq", "uid": "5e0bd49b-f040-43b0-99b7-22765a53f7f3"},
            "serviceaccount": {"name": "builder", "uid": "14ee3fa4-a7e2-420f-9f9a-dbc4507c3798"},
            "warnafter": 1_700_001_613,
        },
        "sub": "system:serviceaccount:ci:builder", "aud": ["registry.test"], "jti": "ea28ed49-2e11-4280-9ec5-bc3d1d84661a",
    });
    only(
        policy,
        token,
        "ci:test/system:serviceaccount:ci:builder",
        &[
            json!({"kubernetes.io": {"namespace": "default"}}),
            json!({"kubernetes.io": {"namespace": {"x": "ci"}}}),
            json!({"sub": "system:serviceaccount:default:builder"}),
            json!({"kubernetes.io": null}),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_job_of_a_real_issuer() {
    let provider = OidcProvider::start("http://127.0.0.1:1/unused");
    let workloads =
        Workloads::new(&[policy(&provider.issuer(), &[("repository", one("my-org/*"))])]).unwrap();
    let ci = Ci { issuer: provider.issuer() };
    let job =
        exchange(&workloads, &ci.token("registry.test", &json!({"repository": "my-org/app"}), 60).await)
            .await;
    assert_eq!(job.unwrap().name, "ci:test/ci");
    for (audience, claims) in [
        ("another.test", json!({"repository": "my-org/app"})),
        ("registry.test", json!({"repository": "evil/app"})),
        ("registry.test", json!({})),
    ] {
        let refused = exchange(&workloads, &ci.token(audience, &claims, 60).await).await;
        assert!(matches!(refused, Err(Refused::Claims(_))), "{audience} {claims}: {refused:?}");
    }
    let token = ci.token("registry.test", &json!({"repository": "my-org/app"}), 60).await;
    let later = Clock::system().now() + std::time::Duration::from_mins(2);
    let refused = workloads.exchange(&token, later).await.unwrap_err();
    assert_eq!(refused.to_string(), "this token proves nothing: it has expired");
    // Another issuer, even one that signs with the same key.
    let another =
        Workloads::new(&[policy("http://127.0.0.1:1", &[("repository", one("my-org/*"))])]).unwrap();
    assert_eq!(exchange(&another, &token).await, Err(Refused::Issuer));
}

/// A CI system that gets its tokens from `oidc-provider`.
struct Ci {
    issuer: String,
}

impl Ci {
    async fn token(&self, audience: &str, claims: &Value, seconds: u64) -> String {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let (claims, ttl) = (claims.to_string(), seconds.to_string());
        let form = BTreeMap::from([
            ("grant_type", "client_credentials"),
            ("audience", audience),
            ("claims", &claims),
            ("ttl", &ttl),
        ]);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(format!("{}/token", self.issuer)).basic_auth("ci", Some("ci-secret"));
        let answer: Value = request.form(&form).send().await.unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }
}

#[tokio::test]
async fn one_token_can_be_told_from_another() {
    let key = Key::new("1");
    let issuer = Issuer::start(&[&key]).await;
    let once = Workload { single_use: true, ..policy(&issuer.url, &[("sub", one("somebody"))]) };
    let workloads = Workloads::new(&[once]).unwrap();
    let mark = async |jti: &str| {
        exchange(&workloads, &key.sign(&issuer.claims(json!({"jti": jti})))).await.unwrap().once.unwrap()
    };
    assert_eq!(mark("a").await, mark("a").await);
    assert_ne!(mark("a").await, mark("b").await);
    let without = exchange(&workloads, &key.sign(&issuer.claims(json!({})))).await.unwrap_err();
    assert!(without.to_string().contains("(jti)"), "{without}");
}

#[tokio::test]
async fn the_policy_that_fits_decides() {
    let key = Key::new("1");
    let issuer = Issuer::start(&[&key]).await;
    let (main, tags) =
        (policy(&issuer.url, &[("ref", one("main"))]), policy(&issuer.url, &[("ref", one("v*"))]));
    let workloads = Workloads::new(&[main, Workload { name: "tags".to_owned(), ..tags }]).unwrap();
    let name = async |git_ref: &str| {
        exchange(&workloads, &key.sign(&issuer.claims(json!({"ref": git_ref})))).await.map(|job| job.name)
    };
    assert_eq!(name("main").await.unwrap(), "ci:test/somebody");
    assert_eq!(name("v1").await.unwrap(), "ci:tags/somebody");
    let refused = name("x").await.unwrap_err().to_string();
    assert!(refused.contains(r#"test wants ref to be "main"; tags wants ref to be "v*""#), "{refused}");
}

#[tokio::test]
async fn keys_may_lie_in_a_file() {
    let key = Key::new("1");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, json!({"keys": [key.public()]}).to_string()).unwrap();
    // Nobody is there to be asked.
    let issuer = "https://kubernetes.default.svc.cluster.local";
    let settings = Workload {
        keys_file: Some(file.path().to_owned()),
        ..policy(issuer, &[("sub", one("system:serviceaccount:ci:builder"))])
    };
    let workloads = Workloads::new(std::slice::from_ref(&settings)).unwrap();
    let now = Clock::system().now().as_second();
    let claims = json!({
        "iss": issuer, "aud": "registry.test", "sub": "system:serviceaccount:ci:builder", "exp": now + 60,
    });
    assert!(exchange(&workloads, &key.sign(&claims)).await.is_ok());
    let stranger = exchange(&workloads, &Key::new("1").sign(&claims)).await;
    assert_eq!(stranger, Err(Refused::Token("its signature is wrong".to_owned())));
    std::fs::write(&file, r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}"#).unwrap();
    assert!(Workloads::new(&[settings]).unwrap_err().to_string().contains("holds no JWK set"));
}

#[test]
fn a_policy_that_would_let_anybody_in_is_refused() {
    let good = policy("https://id.example.com", &[("sub", one("x"))]);
    for (wrong, expected) in [
        (policy("https://id.example.com", &[]), "everybody who can get a token"),
        (policy("https://id.example.com", &[("sub", one("**"))]), "nothing but stars"),
        (policy("https://id.example.com", &[("sub", many(&["x", "*"]))]), "nothing but stars"),
        (policy("https://id.example.com", &[("sub", many(&[]))]), "nothing but stars"),
        (policy("http://id.example.com", &[("sub", one("x"))]), "must begin with https://"),
        (Workload { audience: many(&[]), ..good.clone() }, "audience is empty"),
        (Workload { audience: one(""), ..good.clone() }, "audience is empty"),
        (Workload { grants: Vec::new(), ..good.clone() }, "grants is empty"),
        (Workload { lifetime_seconds: 10, ..good.clone() }, "60 to 3600"),
        (Workload { name: "a:b".to_owned(), ..good.clone() }, "lower-case letters"),
    ] {
        let said = Workloads::new(&[wrong]).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
    assert!(Workloads::new(&[good.clone(), good]).unwrap_err().to_string().contains("two of this name"));
}

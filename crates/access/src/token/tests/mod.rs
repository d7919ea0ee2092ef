mod ask;
mod ends;
mod forged;
mod keys;
mod narrow;
mod nodes;
mod refresh;
mod sealed;

use std::time::Duration;

use berth_catalog::{Catalog, Clock};
use berth_vault::{Key, Vault};
use jiff::Timestamp;
use tempfile::TempDir;

use super::{Ask, Issued, Tokens, TokensConfig};
use crate::evidence::Evidence;
use crate::tests::{config, user};
use crate::{Access, Accounts, Anonymous, Caller, Config, Proof, ReadOnly, UserAccess};

/// A node: its access, and its catalog under a clock that stands still.
pub(super) struct Node {
    pub(super) access: Access,
    pub(super) accounts: Accounts,
    pub(super) config: Config,
    pub(super) tokens: Tokens,
    pub(super) catalog: Catalog,
    pub(super) clock: Clock,
    pub(super) vault: Vault,
    pub(super) key: Key,
    _directory: TempDir,
}

impl Node {
    /// `ann` may write, `bob` read, and everybody what `anonymous` says.
    async fn new(anonymous: Anonymous) -> Self {
        Self::with(config(anonymous, vec![user("ann", UserAccess::Write), user("bob", UserAccess::Read)]))
            .await
    }

    async fn with(config: Config) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp::from_second(1_700_000_000).unwrap());
        let catalog = Catalog::open(&directory.path().join("catalog.db"), clock.clone()).unwrap();
        let key = Key::generate().unwrap();
        let vault = Vault::new(std::slice::from_ref(&key), &[]).unwrap();
        let tokens = Tokens::new(&config.tokens, catalog.clone(), vault.clone());
        let (access, accounts) = open(&config, &catalog, &tokens).await;
        Self { access, accounts, config, tokens, catalog, clock, vault, key, _directory: directory }
    }

    /// Another start, with another configuration.
    async fn restarted(&self, config: &Config) -> Access {
        open(config, &self.catalog, &self.tokens).await.0
    }

    /// A user who has given the right password.
    async fn caller(&self, name: &str) -> Caller {
        let found = self.catalog.read(async |r| berth_catalog::account::find(r, name).await).await.unwrap();
        if let Some(account) = found {
            return crate::account::caller(&account, Proof::Password);
        }
        let fingerprint = crate::tests::cheap_hash().fingerprint();
        Caller::user(name).by(Some(Evidence::Configured { fingerprint })).proved(Some(self.clock.now()))
    }

    async fn issue(&self, name: &str, scope: &str) -> Issued {
        self.issue_to(&self.caller(name).await, scope).await
    }

    async fn issue_to(&self, caller: &Caller, scope: &str) -> Issued {
        let asks: Vec<_> = Ask::parse_all(scope).collect();
        self.access.issue(caller, &asks, false).await.unwrap()
    }

    async fn show(&self, token: &str) -> Result<Caller, crate::Unauthenticated> {
        self.access.authenticate(Some(&format!("Bearer {token}"))).await
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

async fn open(config: &Config, catalog: &Catalog, tokens: &Tokens) -> (Access, Accounts) {
    let accounts = Accounts::new(catalog.clone(), config, None);
    let (read_only, known) = (ReadOnly::default(), Some(accounts.clone()));
    let access = Access::open_with_accounts(config, &read_only, catalog, known).await.unwrap();
    (access.with_tokens(tokens.clone()), accounts)
}

/// Writes a part of a token as it is sent.
pub(super) fn encoded(part: &serde_json::Value) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(part.to_string())
}

/// Reads a part of a token.
pub(super) fn decoded(token: &str, part: usize) -> serde_json::Value {
    use base64::Engine as _;
    let part = token.split('.').nth(part).unwrap();
    serde_json::from_slice(&base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_speaks_for_its_caller_for_a_while() {
    let node = Node::new(Anonymous::None).await;
    let issued = node.issue("ann", "repository:a/b:pull,push registry:catalog:*").await;
    assert_eq!(issued.scope, "repository:a/b:pull,push registry:catalog:*");
    let caller = node.show(&issued.token).await.unwrap();
    assert_eq!((caller.identity(), caller.proof()), (Caller::user("ann").identity(), Proof::Password));
    let claims = decoded(&issued.token, 1);
    assert_eq!((claims["sub"].as_str(), claims["aud"].as_str()), (Some("ann"), Some("berth")));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
    assert_eq!(
        claims["access"],
        serde_json::json!([
            {"type": "repository", "name": "a/b", "actions": ["pull", "push"]},
            {"type": "registry", "name": "catalog", "actions": ["*"]},
        ])
    );
    node.pass(304);
    assert!(node.show(&issued.token).await.is_ok(), "clocks may differ by a little");
    node.pass(1);
    let error = node.show(&issued.token).await.unwrap_err();
    assert_eq!(error.to_string(), "token has ended; get another, or log in again");
    assert!(error.is_token());
    let printed = format!("{issued:?} {:?} {error:?}", node.tokens);
    assert!(!printed.contains(&issued.token));
}

#[tokio::test]
async fn no_two_tokens_are_the_same_and_robots_and_jobs_keep_their_kind() {
    let node = Node::new(Anonymous::Read).await;
    let (one, two) = (node.issue("ann", "").await, node.issue("ann", "").await);
    assert_ne!(one.token, two.token);
    for identity in [crate::Identity::Anonymous, crate::Identity::Workload("ci:github/repo:org/app".into())] {
        let proof = if identity == crate::Identity::Anonymous { Proof::None } else { Proof::Federation };
        let caller = Caller::new(identity.clone(), proof).with_groups([std::sync::Arc::from("team")].into());
        let shown = node.show(&node.issue_to(&caller, "").await.token).await.unwrap();
        assert_eq!((shown.identity(), shown.proof(), shown.groups()), (&identity, proof, caller.groups()));
    }
}

#[tokio::test]
async fn where_tokens_are_off_nothing_is_signed_or_believed() {
    let node = Node::new(Anonymous::None).await;
    let issued = node.issue("ann", "").await;
    let config = config(Anonymous::None, vec![user("ann", UserAccess::Write)]);
    let access = Access::open(&config, &ReadOnly::default(), &node.catalog).await.unwrap();
    let refused = access.authenticate(Some(&format!("Bearer {}", issued.token))).await;
    assert_eq!(refused, Err(crate::Unauthenticated::UnsupportedScheme));
    assert!(access.issue(&Caller::user("ann"), &[], false).await.is_err());
}

#[test]
fn what_can_not_work_is_refused() {
    let fine =
        TokensConfig { realm: Some("https://a.example:8443/auth/token".into()), ..TokensConfig::default() };
    assert!(fine.validate().is_ok());
    let refused = |change: fn(&mut TokensConfig)| {
        let mut config = TokensConfig::default();
        change(&mut config);
        config.validate().unwrap_err().to_string()
    };
    assert!(refused(|config| config.service = String::new()).starts_with("access.tokens.service"));
    assert!(refused(|config| config.service = "a\"b".into()).starts_with("access.tokens.service"));
    assert!(refused(|config| config.lifetime_seconds = 59).starts_with("access.tokens.lifetime_seconds 59"));
    assert!(
        refused(|config| config.lifetime_seconds = 3601).starts_with("access.tokens.lifetime_seconds 3601")
    );
    for realm in [
        "registry.example.com",
        "ftp://a/token",
        "https:///token",
        "https://a/\"x",
        "https://a/\r\nx",
        "https://u@a/t",
    ] {
        let config = TokensConfig { realm: Some(realm.into()), ..TokensConfig::default() };
        assert!(config.validate().unwrap_err().to_string().starts_with("access.tokens.realm"), "{realm}");
    }
}

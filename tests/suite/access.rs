//! Who may do what, with real clients over TLS under a private CA: a user, a robot, a CI job with the token of its own system and a person
//! who logged in at a login service push to and pull from a private project, everybody pulls from a public one, and whoever is not who it
//! says, or may not, hears so.

mod containerd;
mod cosign;
mod crane;
mod docker;
mod ended;
mod helm;
mod libpod;
mod notation;
mod oras;
mod regctl;
mod revoked;
mod skopeo;
mod vouched;

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};

use crate::clients::ensure_tag;
use crate::harness::{Api, Authority, Home, Images, PASSWORD, Registry, Server, Setup, USER};

/// What clients say to a request that is refused for want of the right.
const DENIED: &[&str] = &["denied", "DENIED", "Denied", "403", "Forbidden", "forbidden", "may not push"];

/// A role that may pull and sign, and push nothing else.
const ROLES: &str =
    "roles:\n  - {name: signer, policies: [{resources: [\"project/*\"], actions: [pull, sign]}]}\n";

/// A server with a private project `team` and a public one `open`, and people.
struct Stage {
    home: Home,
    images: Images,
    authority: Arc<Authority>,
    server: Server,
    /// Who may push to `team`: a user, a robot, a job, and a person who logged in elsewhere.
    members: Vec<Who>,
    /// A user who may pull everything and push nothing.
    reader: Who,
    /// A user who may pull everything, and sign in `team`.
    signer: Who,
}

/// Somebody who logs in.
struct Who {
    /// A word for its repositories.
    word: &'static str,
    name: String,
    password: String,
}

impl Who {
    fn credentials(&self) -> String {
        format!("{}:{}", self.name, self.password)
    }
}

impl Stage {
    async fn new() -> Result<Self> {
        Self::on(None).await
    }

    /// Listens on another address than 127.0.0.1, if one is given.
    async fn on(address: Option<&str>) -> Result<Self> {
        let home = Home::new()?;
        let images = Images::build(home.path())?;
        let authority = Arc::new(Authority::new(address.as_slice())?);
        let hash = home.hash(PASSWORD).await?;
        let user = |name, access| format!("    - {{name: {name}, password: '{hash}', access: {access}}}\n");
        let users = user(USER, "write") + &user("reader", "read") + &user("signer", "read");
        let vouched = vouched::config(&home)?;
        let config = format!("{ROLES}access:\n  anonymous: none\n  users:\n{users}{vouched}");
        let mut setup = Setup::default().with_tls(&authority).with_config(&config);
        if let Some(address) = address {
            setup = setup.on_address(address);
        }
        let server = setup.start().await?;
        server.succeeds(&["project", "create", "team"]).await?;
        server.succeeds(&["project", "create", "open", "--public"]).await?;
        let secret =
            server.succeeds(&["robot", "create", "ci", "--project", "team", "--owner", USER]).await?;
        let who = |word, name: &str, password: &str| Who {
            word,
            name: name.to_owned(),
            password: password.to_owned(),
        };
        let (job, person) = (vouched::job().await?, vouched::password(&server, &authority).await?);
        let members = vec![
            who("user", USER, PASSWORD),
            who("robot", "robot+team+ci", secret.trim()),
            who("job", "oidc", &job),
            who("person", "alice", &person),
        ];
        let (reader, signer) = (who("reader", "reader", PASSWORD), who("signer", "signer", PASSWORD));
        let stage = Self { home, images, authority, server, members, reader, signer };
        stage.seed("open/image").await?;
        stage.seed("team/seed").await?;
        Ok(stage)
    }

    fn host(&self) -> &str {
        self.server.host()
    }

    /// Brings an image in by Basic credentials and tokens, whichever skopeo takes.
    async fn seed(&self, repository: &str) -> Result<()> {
        let there = format!("docker://{}/{repository}:1", self.host());
        let trust = format!("--dest-cert-dir={}", self.authority.ca_dir());
        let credentials = format!("--dest-creds={USER}:{PASSWORD}");
        let image = self.images.oci(&self.images.image);
        self.home.run("skopeo", &["copy", "-q", &trust, &credentials, &image, &there]).await?;
        Ok(())
    }

    /// A client of the server as the user who may push everywhere.
    fn api(&self) -> Result<Api> {
        Api::new(&format!("https://{}", self.host()), Some(&self.authority), Some((USER, PASSWORD)))
    }

    /// Fails unless the image lies under this tag.
    async fn ensure_pushed(&self, repository: &str) -> Result<()> {
        ensure_tag(self, repository, "1", &self.images.image.digest).await
    }
}

impl Registry for Stage {
    fn host(&self) -> &str {
        self.server.host()
    }

    fn api(&self) -> Result<Api> {
        self.api()
    }
}

impl Home {
    /// Hashes a password as `berth passwd` does.
    pub(crate) async fn hash(&self, password: &str) -> Result<String> {
        let file = self.write("password.txt", password)?.display().to_string();
        let berth = crate::harness::berth()?.display().to_string();
        let text = self.run("sh", &["-c", &format!("'{berth}' passwd < '{file}'")]).await?;
        let hash = text.trim().to_owned();
        ensure!(hash.starts_with("$argon2id$"), "no hash: {text}");
        Ok(hash)
    }
}

/// Reads a field of JSON text.
fn field(text: &str, name: &str) -> Result<String> {
    let value: serde_json::Value = serde_json::from_str(text)?;
    Ok(value[name].as_str().with_context(|| format!("no {name} in {text}"))?.to_owned())
}

/// Runs a program whose arguments were made up; it must fail and say one of `reasons`.
async fn fails(home: &Home, program: &str, arguments: &[String], reasons: &[&str]) -> Result<()> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    home.fails(program, &arguments, reasons).await
}

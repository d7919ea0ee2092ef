//! notation: signs by key what lies in a private project, and verifies it there. It keeps no password where the system has no store for
//! them, so it is told with each call.

use anyhow::Result;

use super::{DENIED, Stage, Who};
use crate::clients::REFUSED;

/// Trusts what the key signed that `notation cert generate-test` made.
const POLICY: &str = r#"{"version": "1.0", "trustPolicies": [{"name": "all", "registryScopes": ["*"],
    "signatureVerification": {"level": "strict"}, "trustStores": ["ca:berth.test"], "trustedIdentities": ["*"]}]}"#;

#[tokio::test]
async fn signs_and_verifies() -> Result<()> {
    let mut stage = Stage::new().await?;
    stage.home.set("SSL_CERT_FILE", stage.authority.ca_file());
    let (home, host) = (&stage.home, stage.host());
    home.write("policy.json", POLICY)?;
    home.run("notation", &["cert", "generate-test", "--default", "berth.test"]).await?;
    home.run("notation", &["policy", "import", "policy.json"]).await?;
    for who in &stage.members {
        let repository = format!("team/notation-{}", who.word);
        stage.seed(&repository).await?;
        let image = format!("{host}/{repository}@{}", stage.images.image.digest);
        home.fails("notation", &["verify", &image], REFUSED).await?;
        home.fails("notation", &["login", host, "-u", &who.name, "-p", "wrong"], REFUSED).await?;
        let verify = ["verify", "-u", &who.name, "-p", &who.password, &image];
        home.fails("notation", &verify, &["no signature is associated"]).await?;
        sign_and_verify(&stage, who, &image).await?;
    }
    // The right to sign is enough; without it one hears so.
    let image = format!("{host}/team/seed@{}", stage.images.image.digest);
    sign_and_verify(&stage, &stage.signer, &image).await?;
    let Who { name, password, .. } = &stage.reader;
    home.run("notation", &["verify", "-u", name, "-p", password, &image]).await?;
    let sign = ["sign", "--force-referrers-tag=false", "-u", name, "-p", password, &image];
    home.fails("notation", &sign, DENIED).await
}

/// Signs in both forms, found by the list of referrers and by the tag that stood in for it (as notation does if nothing is said), the
/// latter twice, so that the second changes what the first made.
async fn sign_and_verify(stage: &Stage, who: &Who, image: &str) -> Result<()> {
    for form in ["--force-referrers-tag=false", "--force-referrers-tag=true", "--force-referrers-tag=true"] {
        let credentials = ["-u", &who.name, "-p", &who.password, image];
        stage.home.run("notation", &[&["sign", form][..], &credentials].concat()).await?;
        stage.home.run("notation", &[&["verify"][..], &credentials].concat()).await?;
    }
    Ok(())
}

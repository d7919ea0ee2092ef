//! What comes, whatever stands in front of the other registry.

use std::sync::Arc;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::old::{Auth, Old, PASSWORD, USER};
use super::token::TokenService;
use super::{push_image, push_index, push_referrer, referrers};
use crate::harness::{Api, Authority, Home, Images, Served, Server, digest_of, expect, pull_all, pull_whole};

async fn fill(api: &Api) -> Result<Served> {
    let mut expected = Served::new();
    for seed in 0..4 {
        let digest = push_image(api, "team/app", &format!("v{seed}"), seed, 20_000).await?;
        expected.insert(("team/app".to_owned(), format!("v{seed}")), digest);
    }
    let digest = push_index(api, "a/b/c/deep", "multi", 50).await?;
    expected.insert(("a/b/c/deep".to_owned(), "multi".to_owned()), digest);
    for (part, seed) in [(0, 50), (1, 51)] {
        let tag = format!("multi-{part}");
        let digest = push_image(api, "a/b/c/deep", &tag, seed, 3000).await?;
        expected.insert(("a/b/c/deep".to_owned(), tag), digest);
    }
    Ok(expected)
}

/// Pushes a real image, and what refers to it by a tag, since this registry has no referrers API.
async fn push_by_clients(home: &Home, old: &Old, authority: &Authority, images: &Images) -> Result<()> {
    let (host, ca, certs) = (old.address().to_string(), authority.ca_file(), authority.ca_dir());
    let (creds, image) = (format!("{USER}:{PASSWORD}"), format!("docker://{host}/library/multi:1"));
    let oci = images.oci(&images.multi);
    let copy = ["copy", "-q", "--all", "--dest-creds", &creds, "--dest-cert-dir", &certs, &oci, &image];
    home.run("skopeo", &copy).await?;
    home.write("sbom.txt", "a bill of materials\n")?;
    let subject = format!("{host}/library/multi:1");
    let login = ["--username", USER, "--password", PASSWORD, "--ca-file", &ca];
    let attach =
        ["attach", "--artifact-type", "application/vnd.example.sbom", &subject, "sbom.txt:text/plain"];
    home.run("oras", &[&attach[..], &login[..]].concat()).await?;
    Ok(())
}

/// The bytes of every file that the catalog consists of.
fn catalog(server: &Server) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    for name in ["catalog.db", "catalog.db-wal"] {
        all.extend(std::fs::read(server.data_dir().join(name))?);
    }
    Ok(all)
}

#[tokio::test]
async fn all_comes_over_tls_with_a_password_and_again_at_no_cost() -> Result<()> {
    let home = Home::new()?;
    let authority = Arc::new(Authority::new(&[])?);
    let old = Old::start(&home, Some(&authority), Auth::Passwords).await?;
    let there = old.api()?;
    let mut expected = fill(&there).await?;
    let images = Images::build(home.path())?;
    expected.insert(("library/multi".to_owned(), "1".to_owned()), images.multi.digest.clone());
    push_by_clients(&home, &old, &authority, &images).await?;

    let server = Server::open().await?;
    let password = home.write("password", &format!("{PASSWORD}\n"))?.display().to_string();
    let wrong = home.write("wrong", "battery-staple\n")?.display().to_string();
    let (url, ca) = (old.url(), authority.ca_file());
    let with = |password| {
        ["import", "registry", &url, "--ca-file", &ca, "--username", USER, "--password-file", password]
    };
    let refused = server.berth(&[&with(&wrong)[..], &["--now"]].concat()).await?;
    ensure!(!refused.success && refused.text().contains("check the credentials"), "{}", refused.text());

    let dry = server.succeeds(&[&with(&password)[..], &["--dry-run"]].concat()).await?;
    ensure!(dry.contains("9 tags would move") && dry.contains("0 did not come in"), "{dry}");
    ensure!(server.api()?.resolve("library/multi", "1").await?.is_none(), "a dry run took something");

    let text = server.succeeds(&[&with(&password)[..], &["--now"]].concat()).await?;
    ensure!(text.contains("9 tags moved, 0 were here already, 0 did not come in"), "{text}");
    let here = server.api()?;
    pull_all(&here, &expected).await?;
    let signed = referrers(&here, "library/multi", &images.multi.digest).await?;
    ensure!(signed.len() == 1, "{signed:?}");
    pull_whole(&here, "library/multi", &signed[0]).await?;

    let again = server.succeeds(&[&with(&password)[..], &["--now"]].concat()).await?;
    ensure!(
        again.contains("0 tags moved, 9 were here already") && again.contains("0 blobs of 0 bytes"),
        "{again}"
    );
    // Only what has changed comes.
    let moved = push_image(&there, "team/app", "v0", 99, 20_000).await?;
    let last = server.succeeds(&[&with(&password)[..], &["--now"]].concat()).await?;
    ensure!(last.contains("1 tags moved, 8 were here already") && last.contains("1 manifests"), "{last}");
    ensure!(here.resolve("team/app", "v0").await?.as_deref() == Some(moved.as_str()));

    let told = catalog(&server)?;
    ensure!(
        told.windows(url.len()).any(|window| window == url.as_bytes()),
        "the job is not where it was looked for"
    );
    ensure!(
        !told.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes()),
        "the catalog holds the password"
    );
    let events = server.succeeds(&["events", "tail", "--after", "0"]).await?;
    let caller = r#""caller":"import:registry""#;
    ensure!(events.lines().count() > 20 && events.lines().all(|line| line.contains(caller)), "{events}");
    server.verify().await?;
    server.scrub().await?;
    Ok(())
}

#[tokio::test]
async fn tokens_are_fetched_where_the_registry_says() -> Result<()> {
    let home = Home::new()?;
    let tokens = TokenService::start(&home).await?;
    // Filled without tokens, then expected with them.
    let old = Old::start(&home, None, Auth::Nobody).await?;
    let expected = fill(&old.api()?).await?;
    drop(old);
    let certificate = tokens.certificate();
    let old =
        Old::start(&home, None, Auth::Tokens { realm: &tokens.realm, certificate: &certificate }).await?;
    expect(old.api()?.get("/v2/_catalog").await?, 401).await?;

    let server = Server::open().await?;
    let refused = server.berth(&["import", "registry", &old.url(), "--now"]).await?;
    ensure!(!refused.success && refused.text().contains("who are you"), "{}", refused.text());
    // base64 of robot:correct-horse
    let file = format!(r#"{{"auths":{{"{}":{{"auth":"cm9ib3Q6Y29ycmVjdC1ob3JzZQ=="}}}}}}"#, old.address());
    let file = home.write("docker-config.json", &file)?.display().to_string();
    let text = server.succeeds(&["import", "registry", &old.url(), "--authfile", &file, "--now"]).await?;
    ensure!(text.contains("7 tags moved, 0 were here already, 0 did not come in"), "{text}");
    pull_all(&server.api()?, &expected).await?;
    // One for the list, one for each repository.
    ensure!(tokens.issued() == 3, "{} tokens", tokens.issued());
    Ok(())
}

#[tokio::test]
async fn a_part_comes_from_another_berth_under_other_names_with_its_signatures() -> Result<()> {
    let old = Server::open().await?;
    let there = old.api()?;
    let app = push_image(&there, "library/app", "v1", 1, 300_000).await?;
    push_image(&there, "library/app", "main", 2, 3000).await?;
    push_image(&there, "library/tool", "v1", 3, 3000).await?;
    // The same layers as the first: linked, once it is certain that the other registry has them.
    let same = push_image(&there, "team/copy", "v2", 1, 300_000).await?;
    push_image(&there, "team/secret/x", "v1", 4, 3000).await?;
    let signature = push_referrer(&there, "library/app", &app, 70).await?;
    let countersignature = push_referrer(&there, "library/app", &signature, 71).await?;

    let server = Server::open().await?;
    let url = format!("http://{}", old.host());
    let text = server
        .succeeds(&[
            "import",
            "registry",
            &url,
            "--repository",
            "library/*",
            "--repository",
            "team/**",
            "--exclude",
            "team/secret/**",
            "--exclude",
            "library/tool",
            "--tag",
            "v*",
            "--prefix",
            "old",
            "--rename",
            "library=base",
            "--parallel",
            "1",
            "--now",
        ])
        .await?;
    ensure!(
        text.contains("2 repositories: 2 tags moved") && text.contains("(2 of them signatures"),
        "{text}"
    );
    ensure!(text.contains("1 blobs linked"), "{text}");
    let here = server.api()?;
    ensure!(pull_whole(&here, "old/base/app", "v1").await? == app);
    ensure!(pull_whole(&here, "old/team/copy", "v2").await? == same);
    ensure!(referrers(&here, "old/base/app", &app).await? == std::slice::from_ref(&signature));
    ensure!(referrers(&here, "old/base/app", &signature).await? == [countersignature]);
    let listed: Value = expect(here.get("/v2/_catalog").await?, 200).await?.json().await?;
    ensure!(listed["repositories"] == serde_json::json!(["old/base/app", "old/team/copy"]), "{listed}");
    ensure!(here.resolve("old/base/app", "main").await?.is_none());
    // A signature that comes later, of an image that did not change, is taken too.
    let late = push_referrer(&there, "library/app", &app, 72).await?;
    let list = Home::new()?;
    let names = list.write("names", "# what to look at\nlibrary/app\n")?.display().to_string();
    let rest = ["--repositories-from", &names, "--rename", "library=old/base", "--now"];
    let text = server.succeeds(&[&["import", "registry", &url][..], &rest[..]].concat()).await?;
    ensure!(text.contains("1 tags moved") && text.contains("(1 of them signatures"), "{text}");
    ensure!(referrers(&here, "old/base/app", &app).await?.contains(&late));
    ensure!(digest_of(&here.pull_manifest("old/base/app", "v1").await?) == app);
    server.verify().await?;
    Ok(())
}

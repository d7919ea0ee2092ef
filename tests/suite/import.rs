//! Import in place of what a docker-registry stored: pulled at once, taken in behind, and at last moved.

mod bucket;
mod large;
mod peer;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use berth_engines::{Link, Rgw};
use serde_json::{Value, json};

use crate::backup::bucket::Place;
use crate::harness::{
    Api, Home, Images, Served, Server, content, digest_of, expect, manifest_of, number_from_environment,
    pull_all, pull_whole,
};
use peer::{Peer, Store};

/// Pushes an image of one small and one large blob.
async fn push_image(api: &Api, repository: &str, tag: &str, seed: u64) -> Result<String> {
    let mut layers = Vec::new();
    for (part, size) in [(0, 500), (1, 20_000)] {
        let bytes = content(seed * 2 + part, size);
        let digest = api.push_blob(repository, &bytes).await?;
        layers.push(json!({"mediaType": "application/vnd.example.layer", "digest": digest, "size": size}));
    }
    let manifest = manifest_of(&layers[0], &layers[1..], &json!({"seed": seed.to_string()}));
    api.push_manifest(repository, tag, &manifest).await
}

/// Fills an old registry with what clients push to one.
async fn fill(home: &Home, images: &Images, peer: Peer) -> Result<(Store, Served)> {
    let api = peer.api()?;
    let mut expected = Served::new();
    let copy = ["copy", "-q", "--all", "--dest-tls-verify=false"];
    for (image, repository) in
        [(&images.image, "library/plain"), (&images.multi, "a/b/c/deep"), (&images.artifact, "art")]
    {
        let there = format!("docker://{}/{repository}:1", peer.host());
        home.run("skopeo", &[&copy[..], &[&images.oci(image), &there]].concat()).await?;
        expected.insert((repository.to_owned(), "1".to_owned()), image.digest.clone());
    }
    let docker = format!("docker://{}/library/docker:v2s2", peer.host());
    home.run(
        "skopeo",
        &[&copy[..3], &["--dest-tls-verify=false", "--format", "v2s2", &images.oci(&images.image), &docker]]
            .concat(),
    )
    .await?;
    let digest = api.resolve("library/docker", "v2s2").await?.context("no Docker image")?;
    expected.insert(("library/docker".to_owned(), "v2s2".to_owned()), digest);
    for seed in 0..6 {
        let tag = format!("v{seed}");
        let digest = push_image(&api, "a/b", &tag, seed).await?;
        expected.insert(("a/b".to_owned(), tag), digest);
    }
    // A tag and a manifest that went before: their directories stay, without links.
    let gone = push_image(&api, "a/b", "gone", 99).await?;
    expect(api.delete(&format!("/v2/a/b/manifests/{gone}")).await?, 202).await?;
    Ok((peer.stop().await?, expected))
}

/// Waits until the import has taken everything in.
async fn wait_for_the_end(server: &Server) -> Result<String> {
    let begin = Instant::now();
    loop {
        let text = server.succeeds(&["import", "--status"]).await?;
        if text.contains("everything is taken in") {
            return Ok(text);
        }
        if begin.elapsed() > Duration::from_mins(2) {
            bail!("the import does not end: {text}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn everything_that_was_served_is_served_before_and_after_the_bytes_move() -> Result<()> {
    let home = Home::new()?;
    let images = Images::build(home.path())?;
    let (old, expected) = fill(&home, &images, Peer::start(&home).await?).await?;
    let before = old.state()?;
    let mut server = Server::open().await?;
    let api = server.api()?;
    server.succeeds(&["import", &old.dir()]).await?;
    pull_all(&api, &expected).await?;
    wait_for_the_end(&server).await?;
    pull_all(&api, &expected).await?;
    ensure!(api.resolve("a/b", "gone").await?.is_none(), "what was deleted there is served here");
    let tags: Value = expect(api.get("/v2/a/b/tags/list").await?, 200).await?.json().await?;
    ensure!(tags["tags"].as_array().is_some_and(|tags| tags.len() == 6), "{tags}");
    server.verify().await?;
    server.scrub().await?;
    ensure!(old.state()? == before, "the import changed the old store");

    // Whatever comes and goes beside it, a restart included, the old store is left alone.
    push_image(&api, "a/b", "new", 200).await?;
    let digest = &expected[&("a/b".to_owned(), "v5".to_owned())];
    expect(api.delete(&format!("/v2/a/b/manifests/{digest}")).await?, 202).await?;
    server.collect().await?;
    server.verify().await?;
    server.stop().await?;
    server.start().await?;
    let api = server.api()?;
    ensure!(api.resolve("a/b", "v5").await?.is_none(), "a deleted image came back");
    ensure!(old.state()? == before, "collection changed the old store");

    // A backup that began before the bytes move knows them by the places that they had.
    let line = Link::to(Rgw::shared().address());
    let place = Place::behind(&home, line.address())?;
    server.succeeds(&place.line(&["backup"], &[])).await?;
    line.delay(Duration::from_millis(150));
    let other = Place::behind(&home, line.address())?;
    let arguments = other.line(&["backup"], &[]);
    let backup = server.succeeds(&arguments);
    let finish = async {
        while !other.names()?.iter().any(|name| name.starts_with("points/")) {}
        let text = server.succeeds(&["import", "--finish", "--now"]).await?;
        ensure!(text.contains("the old store is not needed any more"), "{text}");
        std::fs::remove_dir_all(old.dir())?;
        anyhow::Ok(())
    };
    let (backup, finish) = tokio::join!(backup, finish);
    finish?;
    let backup = backup?;
    ensure!(backup.contains(", 0 damaged"), "{backup}");
    let mut expected = expected;
    expected.remove(&("a/b".to_owned(), "v5".to_owned()));
    pull_all(&api, &expected).await?;
    pull_whole(&api, "a/b", "new").await?;
    server.verify().await?;
    server.scrub().await?;
    server.stop().await?;
    server.start().await?;
    pull_all(&server.api()?, &expected).await
}

#[tokio::test]
async fn what_can_not_be_taken_in_is_refused_and_listed() -> Result<()> {
    let home = Home::new()?;
    let peer = Peer::start(&home).await?;
    let api = peer.api()?;
    let whole = push_image(&api, "bad/app", "whole", 1).await?;
    let lacking = push_image(&api, "bad/app", "lacking", 2).await?;
    let changed = push_image(&api, "bad/app", "changed", 3).await?;
    let old = peer.stop().await?;
    let schema_1 = json!({
        "schemaVersion": 1, "name": "bad/app", "tag": "schema1", "architecture": "amd64",
        "fsLayers": [{"blobSum": digest_of(b"layer")}], "history": [{"v1Compatibility": "{}"}],
    });
    let schema_1 = schema_1.to_string().into_bytes();
    old.plant("bad/app", "schema1", &digest_of(&schema_1), &schema_1)?;
    let strange = br#"{"schemaVersion":2,"mediaType":"application/vnd.example.strange+json"}"#;
    old.plant("bad/app", "strange", &digest_of(strange), strange)?;
    let nothing = digest_of(b"nothing");
    old.plant("bad/app", "lost", &nothing, b"")?;
    std::fs::remove_file(old.blob(&nothing))?;
    old.plant("bad/Upper", "any", &digest_of(strange), strange)?;
    let layer = digest_of(&content(5, 20_000));
    std::fs::remove_file(old.blob(&layer))?;
    let late = digest_of(&content(7, 20_000));
    let mut bytes = content(7, 20_000);
    bytes[9] ^= 1;
    std::fs::write(old.blob(&late), bytes)?;

    // Without a server the command does the work itself.
    let data = home.file("data");
    let arguments = ["import", &old.dir(), "--now", "--data-dir", &data];
    let outcome = home.outcome(&crate::harness::berth()?.display().to_string(), &arguments).await?;
    ensure!(!outcome.success, "problems must show in the exit code: {}", outcome.text());
    for said in [
        format!("bad/app@{}: refused, docker schema 1 manifests are not supported", digest_of(&schema_1)),
        format!("bad/app@{}: refused, manifest media type", digest_of(strange)),
        format!("bad/app@{nothing}: refused, its bytes are missing"),
        format!("bad/app@{lacking}: its blob {layer} is missing"),
        "bad/app:schema1: refused, the manifest it points at did not come in".to_owned(),
        "bad/Upper: refused, ".to_owned(),
    ] {
        ensure!(outcome.stdout.contains(&said), "{said} is not in\n{}", outcome.text());
    }
    let server = crate::harness::Setup::default().in_dir(data.as_ref()).start().await?;
    let api = server.api()?;
    ensure!(pull_whole(&api, "bad/app", "whole").await? == whole);
    // The image without its layer is served as it was there, and heals when the layer is pushed.
    ensure!(api.resolve("bad/app", "lacking").await? == Some(lacking));
    expect(api.get(&format!("/v2/bad/app/blobs/{layer}")).await?, 404).await?;
    api.push_blob("bad/app", &content(5, 20_000)).await?;
    pull_whole(&api, "bad/app", "lacking").await?;

    // Bytes that changed are found when they are moved, and not served any more.
    let outcome = server.berth(&["import", "--finish", "--now"]).await?;
    ensure!(
        !outcome.success && outcome.stdout.contains(&format!("{late}: its bytes do not match")),
        "{}",
        outcome.text()
    );
    ensure!(api.resolve("bad/app", "changed").await? == Some(changed));
    expect(api.get(&format!("/v2/bad/app/blobs/{late}")).await?, 404).await?;
    api.push_blob("bad/app", &content(7, 20_000)).await?;
    pull_whole(&api, "bad/app", "changed").await?;
    ensure!(pull_whole(&api, "bad/app", "whole").await? == whole);
    server.collect().await?;
    server.verify().await?;
    Ok(())
}

/// Deletions and pushes that are acknowledged while the import runs are not undone by it.
#[tokio::test]
async fn changes_beside_the_import_stand() -> Result<()> {
    let home = Home::new()?;
    let peer = Peer::start(&home).await?;
    let api = peer.api()?;
    for repository in 0..40 {
        for tag in 0..3 {
            push_image(&api, &format!("many/app-{repository:02}"), &format!("v{tag}"), repository * 3 + tag)
                .await?;
        }
    }
    let old = peer.stop().await?;
    let mut server = Server::open().await?;
    server.succeeds(&["import", &old.dir()]).await?;
    // From the end, where the import comes last; half of it after a crash.
    for repository in (0..40).rev() {
        if repository == 19 {
            server.kill()?;
            server.start().await?;
        }
        let (api, name) = (server.api()?, format!("many/app-{repository:02}"));
        expect(api.delete(&format!("/v2/{name}/manifests/v0")).await?, 202).await?;
        push_image(&api, &name, "v1", 1000 + repository).await?;
    }
    wait_for_the_end(&server).await?;
    let api = server.api()?;
    for repository in 0..40 {
        let name = format!("many/app-{repository:02}");
        ensure!(api.resolve(&name, "v0").await?.is_none(), "{name}:v0 was deleted and came back");
        let moved = api.pull_manifest(&name, "v1").await?;
        let seed = serde_json::from_slice::<Value>(&moved)?["annotations"]["seed"].clone();
        ensure!(seed == json!((1000 + repository).to_string()), "{name}:v1 went back to what it was: {seed}");
        pull_whole(&api, &name, "v2").await?;
    }
    server.verify().await?;

    // The bytes move through crashes, too; what was moved stays moved.
    server.succeeds(&["import", "--finish"]).await?;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(600)).await;
        server.kill()?;
        server.start().await?;
    }
    let begin = Instant::now();
    while server.succeeds(&["import", "--status"]).await?.contains("everything is taken in") {
        ensure!(begin.elapsed() < Duration::from_mins(2), "the bytes do not come in");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    std::fs::remove_dir_all(old.dir())?;
    for repository in 0..40 {
        pull_whole(&server.api()?, &format!("many/app-{repository:02}"), "v2").await?;
    }
    server.verify().await?;
    server.scrub().await?;
    Ok(())
}

/// Fills an old registry with this many images; hands back what it served.
async fn fill_many(peer: &Peer, number: u64) -> Result<Served> {
    let mut expected = Served::new();
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..8 {
        let api = peer.api()?;
        workers.spawn(async move {
            let mut pushed = Vec::new();
            for seed in (0..number).filter(|seed| seed % 8 == worker) {
                let (repository, tag) = (format!("big/team-{}/app", seed % 50), format!("v{seed}"));
                let digest = push_image(&api, &repository, &tag, seed).await?;
                pushed.push(((repository, tag), digest));
            }
            anyhow::Ok(pushed)
        });
    }
    while let Some(pushed) = workers.join_next().await {
        expected.extend(pushed??);
    }
    Ok(expected)
}

/// Imports what an old registry served: the first pull comes at once, and every digest is the one it was.
async fn import_many(server: &Server, from: &[&str], expected: &Served) -> Result<()> {
    let api = server.api()?;
    let begin = Instant::now();
    server.succeeds(&[&["import"], from].concat()).await?;
    // The last one, which a walk would come to last.
    let ((repository, tag), digest) = expected.last_key_value().context("no images")?;
    ensure!(pull_whole(&api, repository, tag).await? == *digest);
    let first = begin.elapsed();
    wait_for_the_end(server).await?;
    let all = begin.elapsed();
    pull_all(&api, expected).await?;
    let begin = Instant::now();
    server.succeeds(&["import", "--finish", "--now"]).await?;
    let finished = begin.elapsed();
    pull_all(&api, expected).await?;
    server.verify().await?;
    let number = expected.len();
    println!(
        "{number} images: first pull after {first:?}, all taken in after {all:?}, bytes moved in {finished:?}"
    );
    ensure!(first < Duration::from_secs(5), "the first pull came after {first:?}");
    Ok(())
}

/// 1,000 images, or `BERTH_IMPORT_IMAGES`.
#[tokio::test]
async fn a_thousand_images_can_be_pulled_at_once() -> Result<()> {
    let home = Home::new()?;
    let peer = Peer::start(&home).await?;
    let expected = fill_many(&peer, number_from_environment("BERTH_IMPORT_IMAGES", 1000)?).await?;
    let old = peer.stop().await?;
    import_many(&Server::open().await?, &[&old.dir()], &expected).await
}

#[tokio::test]
async fn a_second_import_waits_for_the_first_to_finish() -> Result<()> {
    let home = Home::new()?;
    let peer = Peer::start(&home).await?;
    let api = peer.api()?;
    push_image(&api, "one/app", "v1", 1).await?;
    let old = peer.stop().await?;
    let server = Server::open().await?;
    let nowhere = home.file("nowhere");
    std::fs::create_dir_all(&nowhere)?;
    let refused = server.berth(&["import", &nowhere]).await?;
    ensure!(!refused.success && refused.stderr.contains("docker/registry/v2"), "{}", refused.text());
    let refused = server.berth(&["import", "--finish"]).await?;
    ensure!(!refused.success && refused.stderr.contains("no import was begun"), "{}", refused.text());
    server.succeeds(&["import", &old.dir(), "--now"]).await?;
    let other = home.path().join("other/docker/registry/v2");
    std::fs::create_dir_all(other.join("blobs"))?;
    std::fs::create_dir_all(other.join("repositories"))?;
    let refused = server.berth(&["import", &home.file("other")]).await?;
    ensure!(!refused.success && refused.stderr.contains("not finished"), "{}", refused.text());
    server.succeeds(&["import", "--finish", "--now"]).await?;
    server.succeeds(&["import", &home.file("other"), "--now"]).await?;
    pull_whole(&server.api()?, "one/app", "v1").await?;
    Ok(())
}

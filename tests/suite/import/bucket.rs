//! Import of a bucket: for every node at once, read where it lies, and left alone.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use berth_engines::Rgw;
use serde_json::Value;

use super::peer::Peer;
use super::{fill, fill_many, import_many, push_image, wait_for_the_end};
use crate::harness::{
    Cluster, Home, Images, Random, Server, Setup, content, expect, number_from_environment, pull_all,
    pull_whole,
};

/// What `berth import` is told about a bucket of the shared gateway.
fn flags(home: &Home, bucket: &str) -> Result<Vec<String>> {
    let gateway = Rgw::shared();
    let id = home.write("old-id", gateway.access_key())?;
    let secret = home.write("old-secret", gateway.secret_key())?;
    Ok([
        format!("s3://{bucket}/old"),
        "--endpoint".to_owned(),
        gateway.endpoint(),
        "--access-key-id-file".to_owned(),
        id.display().to_string(),
        "--secret-access-key-file".to_owned(),
        secret.display().to_string(),
    ]
    .to_vec())
}

fn borrowed(flags: &[String]) -> Vec<&str> {
    flags.iter().map(String::as_str).collect()
}

/// The old registry's objects, each with what tells its content.
fn stored(bucket: &str) -> Result<Vec<(String, [Value; 3])>> {
    let listed: Vec<Value> = serde_json::from_str(&Rgw::shared().list(bucket))?;
    let told = |object: &Value| ["etag", "mtime", "size"].map(|field| object["meta"][field].clone());
    let named = listed.iter().filter_map(|object| Some((object["name"].as_str()?.to_owned(), told(object))));
    Ok(named.filter(|(name, _)| name.starts_with("old/")).collect())
}

/// Removes them.
fn remove(bucket: &str) -> Result<()> {
    for (key, _) in stored(bucket)? {
        Rgw::shared().delete(bucket, &key);
    }
    Ok(())
}

#[tokio::test]
async fn everything_in_a_bucket_is_served_before_and_after_the_bytes_move() -> Result<()> {
    let (home, bucket) = (Home::new()?, Rgw::shared().bucket());
    let images = Images::build(home.path())?;
    let peer = Peer::start_in_bucket(&home, Rgw::shared(), &bucket).await?;
    let (_, mut expected) = fill(&home, &images, peer).await?;
    let before = stored(&bucket)?;
    ensure!(before.len() > 20, "the old registry stored {before:?}");

    let server = Server::open().await?;
    let api = server.api()?;
    let from = flags(&home, &bucket)?;
    let nowhere = format!("s3://{bucket}/none");
    let refused = server.berth(&[&["import", &nowhere], &borrowed(&from)[1..]].concat()).await?;
    ensure!(!refused.success && refused.stderr.contains("docker/registry/v2"), "{}", refused.text());
    server.succeeds(&[&["import"], &borrowed(&from)[..]].concat()).await?;
    pull_all(&api, &expected).await?;
    wait_for_the_end(&server).await?;
    pull_all(&api, &expected).await?;
    ensure!(api.resolve("a/b", "gone").await?.is_none(), "what was deleted there is served here");
    // A part of a blob that lies there.
    let layer = content(1, 20_000);
    let path = format!("/v2/a/b/blobs/{}", crate::harness::digest_of(&layer));
    let ranged = api.request(reqwest::Method::GET, &path)?.header("Range", "bytes=5000-5999").send().await?;
    ensure!(expect(ranged, 206).await?.bytes().await?[..] == layer[5000..6000], "a range has other bytes");

    // What comes and goes here changes nothing there.
    push_image(&api, "a/b", "new", 200).await?;
    let digest = expected.remove(&("a/b".to_owned(), "v5".to_owned())).context("no v5")?;
    expect(api.delete(&format!("/v2/a/b/manifests/{digest}")).await?, 202).await?;
    server.collect().await?;
    server.verify().await?;
    server.scrub().await?;
    ensure!(stored(&bucket)? == before, "the import changed the old store");

    server.succeeds(&["import", "--finish", "--now"]).await?;
    ensure!(stored(&bucket)? == before, "the end of the import changed the old store");
    remove(&bucket)?;
    pull_all(&api, &expected).await?;
    pull_whole(&api, "a/b", "new").await?;
    ensure!(api.resolve("a/b", "v5").await?.is_none(), "a deleted image came back");
    server.verify().await?;
    server.scrub().await.map(drop)
}

/// In Berth's own bucket, beside its objects; one node is told, all serve.
#[tokio::test]
async fn all_nodes_serve_what_one_was_told_of() -> Result<()> {
    let home = Home::new()?;
    let cluster = Cluster::start().await?;
    let bucket = cluster.bucket();
    let peer = Peer::start_in_bucket(&home, Rgw::shared(), bucket).await?;
    let mut expected = fill_many(&peer, 24).await?;
    peer.stop().await?;
    let from = format!("s3://{bucket}/old");
    cluster.node(0).succeeds(&["import", &from]).await?;
    // Each image through another node than its neighbour: what one took in, the next one serves.
    for (number, ((repository, tag), digest)) in expected.iter().enumerate() {
        let first = cluster.node(number % 3).api()?;
        ensure!(first.resolve(repository, tag).await?.as_ref() == Some(digest), "{repository}:{tag}");
        ensure!(pull_whole(&cluster.node((number + 1) % 3).api()?, repository, tag).await? == *digest);
    }
    wait_for_the_end(cluster.node(1)).await?;
    let last = expected.pop_last().context("no images")?;
    let deleted = format!("/v2/{}/manifests/{}", last.0.0, last.1);
    expect(cluster.node(1).api()?.delete(&deleted).await?, 202).await?;
    cluster.node(2).succeeds(&["import", "--finish", "--now"]).await?;
    remove(bucket)?;
    for node in cluster.nodes() {
        pull_all(&node.api()?, &expected).await?;
        ensure!(node.api()?.resolve(&last.0.0, &last.0.1).await?.is_none(), "a deleted image came back");
    }
    cluster.node(0).verify().await?;
    cluster.node(0).scrub().await?;
    Ok(())
}

/// Clients are sent to the old bucket as they are to our own.
#[tokio::test]
async fn clients_are_sent_to_the_old_bucket() -> Result<()> {
    let (home, bucket) = (Home::new()?, Rgw::shared().bucket());
    let peer = Peer::start_in_bucket(&home, Rgw::shared(), &bucket).await?;
    push_image(&peer.api()?, "one/app", "v1", 1).await?;
    peer.stop().await?;
    let from = flags(&home, &bucket)?;
    let own = format!(
        "storage:\n  bucket:\n    url: s3://{}\n    endpoint: {}\n    access_key_id_file: {}\n    \
         secret_access_key_file: {}\n  redirect:\n    from_bytes: 1\n",
        Rgw::shared().bucket(),
        from[2],
        from[4],
        from[6]
    );
    let server = Setup::default().with_config(&own).start().await?;
    server.succeeds(&["import", &from[0]]).await?;
    let api = server.api()?;
    api.resolve("one/app", "v1").await?.context("the image is not there")?;
    let layer = content(3, 20_000);
    let path = format!("http://{}/v2/one/app/blobs/{}", server.host(), crate::harness::digest_of(&layer));
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
    let sent = client.get(path).send().await?;
    ensure!(sent.status() == 307, "{}", sent.status());
    let to = sent.headers()["location"].to_str()?.to_owned();
    ensure!(to.contains(&format!("{bucket}/old/docker")), "{to}");
    ensure!(client.get(to).send().await?.bytes().await?[..] == layer, "other bytes lie there");
    Ok(())
}

/// The server is killed at any moment of the import and of its end, again and again.
#[tokio::test]
async fn an_import_outlives_its_server() -> Result<()> {
    let (home, bucket) = (Home::new()?, Rgw::shared().bucket());
    let peer = Peer::start_in_bucket(&home, Rgw::shared(), &bucket).await?;
    let expected = fill_many(&peer, number_from_environment("BERTH_IMPORT_KILL_IMAGES", 60)?).await?;
    peer.stop().await?;
    let before = stored(&bucket)?.len();
    let mut server = Server::open().await?;
    let mut random = Random::from_environment()?;
    let from = flags(&home, &bucket)?;
    server.succeeds(&[&["import"], &borrowed(&from)[..]].concat()).await?;
    for order in [None, Some(["import", "--finish"])] {
        if let Some(order) = order {
            server.succeeds(&order).await?;
        }
        for _ in 0..number_from_environment("BERTH_IMPORT_KILLS", 5)? {
            tokio::time::sleep(Duration::from_millis(random.between(0, 120))).await;
            server.kill()?;
            server.start().await?;
        }
        if order.is_none() {
            wait_for_the_end(&server).await?;
            pull_all(&server.api()?, &expected).await?;
        }
    }
    let begin = Instant::now();
    while server.succeeds(&["import", "--status"]).await?.contains("everything is taken in") {
        ensure!(begin.elapsed() < Duration::from_mins(2), "the bytes do not come in");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ensure!(stored(&bucket)?.len() == before, "the import changed the old store");
    remove(&bucket)?;
    pull_all(&server.api()?, &expected).await?;
    server.verify().await?;
    server.scrub().await.map(drop)
}

/// 50 images, or `BERTH_IMPORT_BUCKET_IMAGES`.
#[tokio::test]
async fn many_images_in_a_bucket_can_be_pulled_at_once() -> Result<()> {
    let (home, bucket) = (Home::new()?, Rgw::shared().bucket());
    let peer = Peer::start_in_bucket(&home, Rgw::shared(), &bucket).await?;
    let expected = fill_many(&peer, number_from_environment("BERTH_IMPORT_BUCKET_IMAGES", 50)?).await?;
    peer.stop().await?;
    import_many(&Server::open().await?, &borrowed(&flags(&home, &bucket)?), &expected).await
}

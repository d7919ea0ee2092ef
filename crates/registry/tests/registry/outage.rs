//! A node whose database goes: what it pulled before is served, labelled, and only for so long.

use std::time::Duration;

use berth_catalog::{Catalog, PostgresConfig};
use berth_engines::{Link, Postgres};
use berth_oci::Reference;
use berth_registry::{Error, Registry, Storage};

use crate::fixture::{Fixture, On, name};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_pulled_by_tag_is_recalled_by_tag_and_by_digest() {
    let fixture = Fixture::new(On::Postgres).await;
    let digest = fixture.push_image("app", "1", &[b"layer"]).await;

    // Another node, on a line that can be cut.
    let server = Postgres::shared().address();
    let link = Link::to(server);
    let url = fixture.url().replace(&server.to_string(), &link.address().to_string());
    let config = PostgresConfig { patience: Duration::from_secs(2), ..PostgresConfig::new(&url) };
    let catalog = Catalog::connect(&config, fixture.clock.clone()).await.unwrap();
    let storage = Storage { serve_stale_seconds: 60, ..Storage::default() };
    let node =
        Registry::new(catalog, fixture.blobs(), berth_registry::Config { storage, ..Default::default() });

    // What was pulled before it first heard from the others is not remembered.
    while node.catalog().generation(&name("app")).is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let tag = Reference::Tag("1".parse().unwrap());
    assert_eq!(node.pull_manifest(&fixture.may("app"), &tag).await.unwrap().digest, digest);
    // As clients do: by a tag, then by what it names.
    node.pull_manifest(&fixture.may("app"), &digest.into()).await.unwrap();

    link.cut();
    tokio::time::sleep(Duration::from_millis(600)).await;
    for reference in [tag, digest.into()] {
        let asked = node.pull_manifest(&fixture.may("app"), &reference).await;
        assert!(matches!(asked, Err(Error::Unavailable(_))), "{reference}: {asked:?}");
        let stale = node.recall_manifest(&fixture.may("app"), &reference);
        assert_eq!(stale.expect("it is remembered").content.digest, digest, "{reference}");
    }
    let unknown = Reference::Tag("2".parse().unwrap());
    assert!(node.recall_manifest(&fixture.may("app"), &unknown).is_none());
}

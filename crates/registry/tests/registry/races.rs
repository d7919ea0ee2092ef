//! Races: pushes, deletes, mounts, collections and scrubs of the same digests, and a checker that believes acknowledgements only.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use berth_registry::Error;

use crate::fixture::{Fixture, IMAGE, On, body, image, large, name, sha256};

/// Where a deletion waits for every node to forget, there is time for fewer.
fn rounds(on: On) -> usize {
    if on == On::Postgres { 10 } else { 60 }
}

/// Pushes an image as a client does, starting anew where a collection was faster than its manifest.
async fn push(fixture: &Fixture, repository: &str, layers: &[Vec<u8>]) {
    let mut digests = Vec::new();
    let config = sha256(b"{}");
    for _ in 0..1000 {
        digests.clear();
        fixture.push_blob(repository, b"{}").await;
        for layer in layers {
            digests.push((fixture.push_blob(repository, layer).await, layer.len()));
        }
        match fixture.push_manifest(repository, "1", IMAGE, &image(&config, &digests)).await {
            Ok(_) => return,
            Err(Error::ManifestBlobsUnknown { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("{repository} never got its manifest in");
}

/// After an acknowledged manifest, everything it names must be served until it is deleted.
async fn check(fixture: &Fixture, repository: &str, layers: &[Vec<u8>]) {
    for layer in layers {
        let pulled = fixture.pull_blob(repository, &sha256(layer)).await;
        assert_eq!(pulled.expect("acknowledged, not deleted, and missing"), *layer);
    }
}

async fn client(fixture: Arc<Fixture>, number: u8, rounds: usize) {
    let repository = format!("app{number}");
    for round in 0..rounds {
        // Two layers of three, shared by every client, and one of its own.
        let seeds =
            [(round as u8 + number) % 3, (round as u8 + number + 1) % 3, 3 + number * 60 + round as u8];
        let layers: Vec<Vec<u8>> = seeds.iter().map(|seed| large(*seed)).collect();
        push(&fixture, &repository, &layers).await;
        check(&fixture, &repository, &layers).await;
        let source = fixture.may(&format!("app{}", (number + 1) % 4));
        let _ = fixture
            .registry
            .mount_blob(&fixture.may(&repository), &source, &sha256(&layers[0]))
            .await
            .unwrap();
        let digest = fixture.pull_manifest(&repository, "1").await.unwrap();
        check(&fixture, &repository, &layers).await;
        fixture.registry.delete_manifest(&fixture.may(&repository), &digest).await.unwrap();
    }
    let layers = vec![large(number % 3)];
    push(&fixture, &repository, &layers).await;
}

async fn nothing_acknowledged_is_ever_missing(on: On) {
    let nodes = Fixture::nodes(on).await;
    let clients: Vec<_> = (0..4_u8)
        .map(|number| {
            let node = &nodes[usize::from(number) % nodes.len()];
            tokio::spawn(client(Arc::clone(node), number, rounds(on)))
        })
        .collect();
    let fixture = &nodes[0];
    let collected = Arc::new(AtomicU64::new(0));
    let janitor = tokio::spawn({
        let (fixture, collected) = (Arc::clone(fixture), Arc::clone(&collected));
        async move {
            loop {
                fixture.clock.advance(std::time::Duration::from_millis(1));
                let report = fixture.collect(Some(0), false).await;
                collected.fetch_add(report.blobs, Ordering::Relaxed);
                let scrubbed = fixture.scrub().await;
                assert_eq!((scrubbed.damaged, scrubbed.orphans), (0, 0), "a race is not damage");
                tokio::task::yield_now().await;
            }
        }
    });
    for client in clients {
        client.await.unwrap();
    }
    assert!(!janitor.is_finished(), "the janitor met an error");
    janitor.abort();
    let _ = janitor.await;
    assert!(collected.load(Ordering::Relaxed) > 0, "the collector had nothing to race with");

    fixture.clock.advance(std::time::Duration::from_secs(1));
    fixture.collect(Some(0), false).await;
    for number in 0..4_u8 {
        check(fixture, &format!("app{number}"), &[large(number % 3)]).await;
    }
    let verified = fixture.registry.verify(|_| ()).await.unwrap();
    assert!(verified.is_clean(), "{verified:?}");
    assert_eq!(fixture.files().len(), 3, "one file per live blob: {:?}", fixture.files());
}

async fn pushes_by_many_while_the_blob_is_deleted_by_many(on: On) {
    let nodes = Fixture::nodes(on).await;
    let (fixture, content) = (&nodes[0], large(1));
    let tasks = (0..8_u8).map(|number| {
        let node = &nodes[usize::from(number) % nodes.len()];
        let (fixture, content) = (Arc::clone(node), content.clone());
        tokio::spawn(async move {
            let (repository, digest) = (format!("r{}", number % 2), sha256(&content));
            for _ in 0..rounds(on) {
                fixture.registry.push_blob(&fixture.may(&repository), body(&content), &digest).await.unwrap();
                match fixture.registry.delete_blob(&fixture.may(&repository), &digest).await {
                    Ok(()) | Err(Error::BlobUnknown { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
                fixture.clock.advance(std::time::Duration::from_micros(7));
                if number == 0 {
                    fixture.collect(Some(0), false).await;
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let last = fixture.push_blob(name("r9").as_str(), &content).await;
    assert_eq!(fixture.pull_blob("r9", &last).await.unwrap(), content);
    assert_eq!(fixture.files().len(), 1, "{:?}", fixture.files());
}

on_both! {
    on 4 threads:
    nothing_acknowledged_is_ever_missing,
    pushes_by_many_while_the_blob_is_deleted_by_many,
}

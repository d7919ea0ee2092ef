//! Damage: never served, found by the scrub, healed by a push.

use berth_registry::Error;

use crate::fixture::{Fixture, large, sha256};

#[tokio::test]
async fn a_missing_or_truncated_file_is_not_served_and_a_push_heals_it() {
    for destroy in [(|path| std::fs::remove_file(path).unwrap()) as fn(&std::path::Path), |path| {
        std::fs::write(path, b"short").unwrap();
    }] {
        let fixture = Fixture::new().await;
        fixture.push_image("app", "1", &[&large(1)]).await;
        let layer = sha256(&large(1));
        destroy(&fixture.files()[0]);
        let fixture = fixture.restart().await;
        assert!(matches!(fixture.pull_blob("app", &layer).await, Err(Error::BlobUnknown { .. })));
        let verified = fixture.registry.verify(|_| ()).await.unwrap();
        assert_eq!(verified.problems.len(), 1);
        // A client that asks is told to push it, and does.
        assert!(fixture.registry.stat_blob(&fixture.may("app"), &layer).await.is_err());
        fixture.push_blob("app", &large(1)).await;
        assert_eq!(fixture.pull_blob("app", &layer).await.unwrap(), large(1));
        assert!(fixture.registry.verify(|_| ()).await.unwrap().problems.is_empty());
        assert!(fixture.events().await.iter().any(|event| event.starts_with("blob_damaged")));
    }
}

#[tokio::test]
async fn the_scrub_finds_a_flipped_bit_and_a_repaired_disk() {
    let fixture = Fixture::new().await;
    fixture.push_image("app", "1", &[&large(1), &large(2), b"inline"]).await;
    assert_eq!(fixture.scrub().await.damaged, 0);
    let file = &fixture.files()[0];
    let whole = std::fs::read(file).unwrap();
    let mut flipped = whole.clone();
    flipped[99_999] ^= 0x80;
    std::fs::write(file, flipped).unwrap();

    let report = fixture.scrub().await;
    assert_eq!((report.checked, report.damaged), (4, 1));
    let damaged = sha256(&whole);
    assert!(fixture.pull_blob("app", &damaged).await.is_err(), "quarantined");
    std::fs::write(file, &whole).unwrap();
    let report = fixture.scrub().await;
    assert_eq!((report.damaged, report.recovered), (0, 1));
    assert_eq!(fixture.pull_blob("app", &damaged).await.unwrap(), whole);
}

#[tokio::test]
async fn the_scrub_removes_files_that_nothing_knows() {
    let fixture = Fixture::new().await;
    fixture.push_image("app", "1", &[&large(1)]).await;
    let known = fixture.files()[0].clone();
    let name = known.file_name().unwrap().to_str().unwrap();
    let (hex, _) = name.split_once('.').unwrap();
    let orphan = known.with_file_name(format!("{hex}.{}", "0".repeat(32)));
    std::fs::write(&orphan, large(1)).unwrap();
    let report = fixture.scrub().await;
    assert_eq!((report.orphans, report.orphan_bytes), (1, 100_000));
    assert_eq!(fixture.files(), [known]);
}

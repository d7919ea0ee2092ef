//! What `gc --verify` finds, and what it must not take for a finding beside a running server.

use berth_blobs::testing::{Failure, Operation};

use crate::fixture::{Fixture, IMAGE, On, begin, image, large, on_one_pool_thread, sha256};

async fn store_and_catalog_are_compared_file_by_file(on: On) {
    let fixture = Fixture::new(on).await;
    for n in 1..6 {
        fixture.push_blob("app", &large(n)).await;
    }
    let verified = fixture.registry.verify(|_| ()).await.unwrap();
    assert!(verified.is_clean(), "{verified:?}");
    assert_eq!((verified.files, verified.file_bytes), (5, 500_000));

    // No manifest names any of them: only the comparison can tell.
    let mut files = fixture.files();
    files.sort();
    std::fs::remove_file(&files[0]).unwrap();
    std::fs::write(&files[2], b"short").unwrap();
    let name = files[4].file_name().unwrap().to_str().unwrap();
    let (hex, _) = name.split_once('.').unwrap();
    std::fs::write(files[4].with_file_name(format!("{hex}.{}", "0".repeat(32))), b"litter").unwrap();
    let verified = fixture.registry.verify(|_| ()).await.unwrap();
    let mut reasons: Vec<_> = verified.disagreements.iter().map(|found| found.reason.as_str()).collect();
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        ["5 bytes lie where 100000 should", "its file is gone", "nothing knows this file of 6 bytes"]
    );
    assert!(verified.problems.is_empty() && !verified.is_clean());
}

async fn what_is_on_its_way_in_or_out_is_no_disagreement(on: On) {
    let fixture = Fixture::new(on).await;
    fixture.publish_without_commit(&large(1)).await;
    fixture.faults.fail(Operation::Discard, Failure::Broken);
    let _ = fixture.push_blob("app", &large(2)).await;
    fixture.wait_out_the_delay();
    fixture.faults.fail(Operation::Delete, Failure::Broken);
    assert!(fixture.try_collect(None, false).await.is_err());
    let verified = fixture.registry.verify(|_| ()).await.unwrap();
    assert!(verified.is_clean(), "{verified:?}");
    assert_eq!((verified.files, verified.trash_bytes), (2, 100_000));
}

async fn the_books_hold_what_the_store_freed(on: On) {
    let fixture = Fixture::new(on).await;
    fixture.push_blob("app", &large(1)).await;
    fixture.wait_out_the_delay();
    fixture.faults.fail(Operation::Delete, Failure::Broken);
    assert!(fixture.try_collect(None, false).await.is_err());
    std::fs::write(&fixture.files()[0], b"short").unwrap();
    assert_eq!(fixture.collect(None, false).await.bytes_freed, 5);
    let verified = fixture.registry.verify(|_| ()).await.unwrap();
    assert_eq!((verified.collected_bytes, verified.freed_bytes), (100_000, 5));
    assert_eq!((verified.difference_bytes, verified.trash_bytes), (99_995, 0));
    assert!(verified.ledger_adds_up());
}

#[test]
fn an_image_deleted_and_collected_meanwhile_is_no_problem() {
    on_one_pool_thread(async {
        let fixture = Fixture::new(On::Sqlite).await;
        let image = fixture.push_image("app", "1", &[&large(1), &large(2)]).await;
        let mut verify = Box::pin(fixture.registry.verify(|_| ()));
        // It has read the manifest, and is about to look for the layers.
        begin(&mut verify).await;
        fixture.registry.delete_manifest(&fixture.may("app"), &image).await.unwrap();
        fixture.wait_out_the_delay();
        fixture.collect(None, false).await;
        assert!(fixture.files().is_empty());
        let verified = verify.await.unwrap();
        assert!(verified.is_clean(), "{verified:?}");
    });
}

async fn a_sparse_image_does_not_hide_what_another_has_lost(on: On) {
    let fixture = Fixture::with(on, |config| config.limits.sparse_images = true).await;
    let config = fixture.push_blob("app", b"{}").await;
    let layer = sha256(&large(1));
    let sparse = image(&config, &[(layer, 100_000)]);
    fixture.push_manifest("app", "sparse", IMAGE, &sparse).await.unwrap();
    assert!(fixture.registry.verify(|_| ()).await.unwrap().is_clean());
    fixture.push_image("app", "whole", &[&large(1), &large(2)]).await;
    let lost = fixture
        .files()
        .into_iter()
        .find(|file| file.file_name().is_some_and(|name| name.to_str().unwrap().starts_with(&layer.hex())));
    std::fs::remove_file(lost.unwrap()).unwrap();
    let verified = fixture.registry.verify(|_| ()).await.unwrap();
    assert_eq!(verified.problems.len(), 1, "{verified:?}");
    assert_eq!(verified.problems[0].blob, Some(layer));
}

/// On SQLite alone: every entry is looked up in the one unit of work, and a network makes that long.
#[tokio::test]
async fn an_image_that_a_setting_allowed_can_be_read() {
    let fixture = Fixture::with(On::Sqlite, |config| config.limits.manifest_entries = 20_000).await;
    let config = fixture.push_blob("app", b"{}").await;
    let layer = fixture.push_blob("app", b"layer").await;
    let many = image(&config, &vec![(layer, 5); 10_001]);
    fixture.push_manifest("app", "1", IMAGE, &many).await.unwrap();
    let verified = fixture.registry.verify(|_| ()).await.unwrap();
    assert!(verified.is_clean(), "{verified:?}");
}

on_both! {
    store_and_catalog_are_compared_file_by_file,
    what_is_on_its_way_in_or_out_is_no_disagreement,
    the_books_hold_what_the_store_freed,
    a_sparse_image_does_not_hide_what_another_has_lost,
}

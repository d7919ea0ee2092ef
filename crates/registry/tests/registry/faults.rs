//! Faults of the store at every step of a push: an error to the client, no litter, and nothing acknowledged is lost.

use berth_blobs::testing::{Failure, Fault, Operation};
use berth_registry::Error;

use crate::fixture::{Fixture, On, body, large, sha256};

const STEPS: [Operation; 4] = [Operation::Writer, Operation::Write, Operation::Finish, Operation::Publish];

async fn a_full_disk_is_told_as_such_and_leaves_nothing(on: On) {
    for step in STEPS {
        let fixture = Fixture::new(on).await;
        fixture.push_image("app", "1", &[&large(1)]).await;
        fixture.faults.fail(step, Failure::Full);
        let content = large(2);
        let refused =
            fixture.registry.push_blob(&fixture.may("app"), body(&content), &sha256(&content)).await;
        assert!(matches!(refused, Err(Error::StorageFull)), "{step:?}: {refused:?}");
        fixture.faults.clear();
        assert_eq!(fixture.files().len(), 1, "at once, {step:?}: {:?}", fixture.files());
        assert_eq!(fixture.pull_blob("app", &sha256(&large(1))).await.unwrap(), large(1), "still readable");
        let fixture = fixture.restart().await;
        assert_eq!(fixture.files().len(), 1, "{step:?}: {:?}", fixture.files());
        fixture.push_blob("app", &content).await;
        assert_eq!(fixture.pull_blob("app", &sha256(&content)).await.unwrap(), content);
    }
}

async fn a_session_survives_a_failing_disk_at_what_it_acknowledged(on: On) {
    for step in STEPS {
        let fixture = Fixture::new(on).await;
        let (content, permit) = (large(3), fixture.may("app"));
        let digest = sha256(&content);
        let upload = fixture.registry.start_upload(&permit, None).await.unwrap();
        fixture.registry.append_upload(&permit, &upload.id, None, body(&content[..60_000])).await.unwrap();
        fixture.faults.fail(step, Failure::Broken);
        let rest = body(&content[60_000..]);
        let failed = fixture.registry.finish_upload(&permit, &upload.id, None, rest, &digest).await;
        assert!(matches!(failed, Err(Error::Internal(_))), "{step:?}: {failed:?}");
        fixture.faults.clear();

        let fixture = fixture.restart().await;
        let permit = fixture.may("app");
        let status = fixture.registry.upload_status(&permit, &upload.id).await.unwrap();
        assert_eq!(status.offset, 60_000, "{step:?}");
        let rest = body(&content[60_000..]);
        fixture.registry.finish_upload(&permit, &upload.id, None, rest, &digest).await.unwrap();
        assert_eq!(fixture.pull_blob("app", &digest).await.unwrap(), content);
        assert_eq!(fixture.files().len(), 1, "{step:?}: {:?}", fixture.files());
    }
}

/// The client's next try is a second later, not after a restart.
async fn a_publication_that_failed_can_be_tried_again_at_once(on: On) {
    for late in [false, true] {
        let fixture = Fixture::new(on).await;
        let (content, permit) = (large(5), fixture.may("app"));
        let digest = sha256(&content);
        let upload = fixture.registry.start_upload(&permit, None).await.unwrap();
        fixture.registry.append_upload(&permit, &upload.id, None, body(&content)).await.unwrap();
        let fault = Fault::new(Operation::Publish, Failure::Broken).times(1);
        fixture.faults.plan(if late { fault.late() } else { fault });
        let failed = fixture.registry.finish_upload(&permit, &upload.id, None, body(b""), &digest).await;
        assert!(matches!(failed, Err(Error::Internal(_))), "late {late}: {failed:?}");

        let status = fixture.registry.upload_status(&permit, &upload.id).await.unwrap();
        assert_eq!(status.offset, content.len() as u64);
        fixture.registry.finish_upload(&permit, &upload.id, None, body(b""), &digest).await.unwrap();
        assert_eq!(fixture.pull_blob("app", &digest).await.unwrap(), content);
        assert_eq!(fixture.files().len(), 1, "late {late}: {:?}", fixture.files());

        // A push without a session has nobody who would come back for its bytes.
        let other = large(6);
        let fault = Fault::new(Operation::Publish, Failure::Broken).times(1);
        fixture.faults.plan(if late { fault.late() } else { fault });
        assert!(fixture.registry.push_blob(&permit, body(&other), &sha256(&other)).await.is_err());
        assert_eq!(fixture.files().len(), 1, "late {late}: {:?}", fixture.files());
    }
}

async fn a_failed_unlink_stops_no_other_and_is_made_up_for_by_the_next_collection(on: On) {
    for operation in [Operation::Delete, Operation::SyncDeletions] {
        let fixture = Fixture::new(on).await;
        fixture.push_blob("app", &large(4)).await;
        fixture.push_blob("app", &large(5)).await;
        fixture.wait_out_the_delay();
        fixture.faults.fail(operation, Failure::Broken);
        assert!(fixture.try_collect(None, false).await.is_err(), "{operation:?}");
        let verified = fixture.registry.verify(|_| ()).await.unwrap();
        assert!(verified.is_clean(), "{verified:?}");
        // Removed, but not durably: the trash must not forget them.
        let (files, waiting) = if operation == Operation::Delete { (1, 100_000) } else { (0, 200_000) };
        assert_eq!((fixture.files().len(), verified.trash_bytes), (files, waiting), "{operation:?}");

        let foreseen = fixture.collect(None, true).await;
        assert_eq!(foreseen.bytes_freed, waiting);
        fixture.collect(None, false).await;
        assert!(fixture.files().is_empty());
        let verified = fixture.registry.verify(|_| ()).await.unwrap();
        assert!(verified.is_clean(), "{verified:?}");
        assert_eq!((verified.freed_bytes, verified.trash_bytes), (200_000, 0));
    }
}

async fn a_leftover_that_cannot_be_removed_keeps_no_server_from_starting(on: On) {
    let fixture = Fixture::new(on).await;
    fixture.publish_without_commit(&large(1)).await;
    fixture.publish_without_commit(&large(2)).await;
    fixture.faults.fail(Operation::Delete, Failure::Broken);
    let repaired = fixture.registry.repair().await.unwrap();
    assert_eq!((repaired.removed, repaired.failed), (1, 1));
    let repaired = fixture.registry.repair().await.unwrap();
    assert_eq!((repaired.removed, repaired.failed), (1, 0));
    assert!(fixture.files().is_empty());
}

on_both! {
    a_full_disk_is_told_as_such_and_leaves_nothing,
    a_session_survives_a_failing_disk_at_what_it_acknowledged,
    a_publication_that_failed_can_be_tried_again_at_once,
    a_failed_unlink_stops_no_other_and_is_made_up_for_by_the_next_collection,
    a_leftover_that_cannot_be_removed_keeps_no_server_from_starting,
}

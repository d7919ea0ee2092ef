//! Faults of the store at every step of a push: an error to the client, no litter, and nothing acknowledged is lost.

use berth_blobs::testing::{Failure, Operation};
use berth_registry::Error;

use crate::fixture::{Fixture, body, large, sha256};

const STEPS: [Operation; 4] = [Operation::Writer, Operation::Write, Operation::Finish, Operation::Publish];

#[tokio::test]
async fn a_full_disk_is_told_as_such_and_leaves_nothing() {
    for step in STEPS {
        let fixture = Fixture::new().await;
        fixture.push_image("app", "1", &[&large(1)]).await;
        fixture.faults.fail(step, Failure::Full);
        let content = large(2);
        let refused =
            fixture.registry.push_blob(&fixture.may("app"), body(&content), &sha256(&content)).await;
        assert!(matches!(refused, Err(Error::StorageFull)), "{step:?}: {refused:?}");
        fixture.faults.clear();
        assert_eq!(fixture.pull_blob("app", &sha256(&large(1))).await.unwrap(), large(1), "still readable");
        let fixture = fixture.restart().await;
        assert_eq!(fixture.files().len(), 1, "{step:?}: {:?}", fixture.files());
        fixture.push_blob("app", &content).await;
        assert_eq!(fixture.pull_blob("app", &sha256(&content)).await.unwrap(), content);
    }
}

#[tokio::test]
async fn a_session_survives_a_failing_disk_at_what_it_acknowledged() {
    for step in STEPS {
        let fixture = Fixture::new().await;
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

#[tokio::test]
async fn a_failed_unlink_is_made_up_for_by_the_next_collection() {
    let fixture = Fixture::new().await;
    fixture.push_blob("app", &large(4)).await;
    fixture.wait_out_the_delay();
    fixture.faults.fail(Operation::Delete, Failure::Broken);
    let job = berth_registry::CollectJob::new(fixture.registry.clone());
    let (work, _seen) = berth_jobs::Work::detached();
    let order = berth_catalog::job::Job {
        id: berth_catalog::job::JobId(1),
        kind: berth_registry::CollectJob::KIND.into(),
        slot: None,
        payload: berth_registry::CollectJob::payload(None, false),
        state: berth_catalog::job::State::Running,
        attempts: 1,
        run_at: fixture.clock.now(),
        progress: None,
        error: None,
    };
    assert!(berth_jobs::Handler::run(&job, &order, &work).await.is_err());
    let verified = fixture.registry.verify(|_| ()).await.unwrap();
    assert!(verified.ledger_adds_up() && verified.trash_bytes == 100_000, "{verified:?}");
    fixture.faults.clear();
    assert_eq!(fixture.collect(None, false).await.bytes_freed, 100_000);
    assert!(fixture.files().is_empty());
}

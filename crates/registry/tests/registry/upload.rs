//! Upload sessions: resumable to the byte, bound to who started them, and never half a blob.

use berth_access::{Access, Anonymous, Caller, Permit, Push};
use berth_oci::{Algorithm, ContentRange, Digest};
use berth_registry::{Error, Upload};
use proptest::prelude::*;

use crate::fixture::{Fixture, On, body, broken, large, name, sha256};

fn range(first: usize, bytes: usize) -> ContentRange {
    ContentRange::parse(&format!("{first}-{}", first + bytes - 1)).unwrap()
}

async fn chunks_add_up_across_restarts(on: On) {
    let mut fixture = Fixture::new(on).await;
    let content = large(3);
    let upload = fixture.registry.start_upload(&fixture.may("app"), None).await.unwrap();
    for (n, chunk) in content.chunks(7_000).enumerate() {
        let at = range(n * 7_000, chunk.len());
        let done = fixture
            .registry
            .append_upload(&fixture.may("app"), &upload.id, Some(at), body(chunk))
            .await
            .unwrap();
        assert_eq!(done.offset, (n * 7_000 + chunk.len()) as u64);
        if n % 4 == 1 {
            fixture = fixture.restart().await;
        }
    }
    let digest = sha256(&content);
    fixture.registry.finish_upload(&fixture.may("app"), &upload.id, None, body(b""), &digest).await.unwrap();
    assert_eq!(fixture.pull_blob("app", &digest).await.unwrap(), content);
    assert_eq!(fixture.files().len(), 1, "one file for one blob: {:?}", fixture.files());
}

async fn a_broken_body_is_kept_as_far_as_it_came(on: On) {
    let fixture = Fixture::new(on).await;
    let content = large(4);
    let permit = fixture.may("app");
    let upload = fixture.registry.start_upload(&permit, None).await.unwrap();
    let cut = fixture.registry.append_upload(&permit, &upload.id, None, broken(&content[..40_000])).await;
    assert!(matches!(cut, Err(Error::Body(_))));
    let status = fixture.registry.upload_status(&permit, &upload.id).await.unwrap();
    assert_eq!(status.offset, 40_000);
    let rest = body(&content[40_000..]);
    fixture.registry.finish_upload(&permit, &upload.id, None, rest, &sha256(&content)).await.unwrap();
    assert_eq!(fixture.pull_blob("app", &sha256(&content)).await.unwrap(), content);
}

async fn a_chunk_out_of_order_is_refused_and_changes_nothing(on: On) {
    let fixture = Fixture::new(on).await;
    let permit = fixture.may("app");
    let upload = fixture.registry.start_upload(&permit, None).await.unwrap();
    fixture.registry.append_upload(&permit, &upload.id, Some(range(0, 100)), body(&[1; 100])).await.unwrap();
    for wrong in [range(0, 100), range(99, 1), range(101, 1)] {
        let refused = fixture.registry.append_upload(&permit, &upload.id, Some(wrong), body(&[2; 100])).await;
        assert!(matches!(refused, Err(Error::RangeMismatch { expected: 100 })), "{refused:?}");
    }
    let short =
        fixture.registry.append_upload(&permit, &upload.id, Some(range(100, 50)), body(&[3; 20])).await;
    assert!(matches!(short, Err(Error::SizeMismatch { announced: 50, received: 20 })));
}

async fn a_wrong_digest_ends_the_session_and_leaves_no_byte(on: On) {
    let fixture = Fixture::new(on).await;
    let permit = fixture.may("app");
    for content in [large(5), b"small".to_vec()] {
        let upload = fixture.registry.start_upload(&permit, None).await.unwrap();
        let wrong = sha256(b"something else");
        let refused = fixture
            .registry
            .finish_upload(&permit, &upload.id, None, body(&content), &wrong)
            .await
            .unwrap_err();
        assert!(matches!(refused, Error::DigestMismatch { given, .. } if given == wrong));
        assert!(matches!(
            fixture.registry.upload_status(&permit, &upload.id).await,
            Err(Error::UploadUnknown(_))
        ));
    }
    assert!(fixture.files().is_empty(), "{:?}", fixture.files());
}

async fn a_session_belongs_to_one_repository_and_one_caller(on: On) {
    let fixture = Fixture::new(on).await;
    let upload = fixture.registry.start_upload(&fixture.may("app"), None).await.unwrap();
    let config = berth_access::Config {
        anonymous: Some(Anonymous::Write),
        users: vec![
            serde_json::from_value(serde_json::json!({
                "name": "mallory", "password": berth_access::hash_password("correct horse").unwrap(),
            }))
            .unwrap(),
        ],
        ..Default::default()
    };
    let access = Access::new(&config, fixture.registry.read_only()).unwrap();
    let mallory: Permit<Push> = access.permit(&Caller::user("mallory"), &name("app")).unwrap();
    for permit in [mallory, fixture.may("other")] {
        let Upload { id, .. } = upload.clone();
        assert!(matches!(fixture.registry.upload_status(&permit, &id).await, Err(Error::UploadUnknown(_))));
        let refused = fixture.registry.append_upload(&permit, &id, None, body(b"x")).await;
        assert!(matches!(refused, Err(Error::UploadUnknown(_))));
        assert!(matches!(fixture.registry.cancel_upload(&permit, &id).await, Err(Error::UploadUnknown(_))));
    }
    assert_eq!(fixture.registry.upload_status(&fixture.may("app"), &upload.id).await.unwrap().offset, 0);
}

async fn sha512_needs_no_announcement(on: On) {
    let fixture = Fixture::new(on).await;
    let permit = fixture.may("app");
    for content in [large(6), b"small".to_vec()] {
        let digest = Digest::of(Algorithm::Sha512, &content);
        let upload = fixture.registry.start_upload(&permit, None).await.unwrap();
        fixture.registry.append_upload(&permit, &upload.id, None, body(&content)).await.unwrap();
        fixture.registry.finish_upload(&permit, &upload.id, None, body(b""), &digest).await.unwrap();
        assert_eq!(fixture.pull_blob("app", &digest).await.unwrap(), content);
    }
    let wrong = Digest::of(Algorithm::Sha512, b"other");
    let upload = fixture.registry.start_upload(&permit, None).await.unwrap();
    fixture.registry.append_upload(&permit, &upload.id, None, body(&large(7))).await.unwrap();
    let refused = fixture.registry.finish_upload(&permit, &upload.id, None, body(b""), &wrong).await;
    assert!(matches!(refused, Err(Error::DigestMismatch { .. })));
    assert_eq!(fixture.files().len(), 1, "only the good one: {:?}", fixture.files());
}

async fn the_same_bytes_at_the_same_time_are_stored_once(on: On) {
    let fixture = Fixture::new(on).await;
    let (content, permit) = (large(8), fixture.may("app"));
    let digest = sha256(&content);
    let pushes = (0..16).map(|_| fixture.registry.push_blob(&permit, body(&content), &digest));
    assert!(futures_util::future::join_all(pushes).await.iter().all(Result::is_ok));
    assert_eq!(fixture.files().len(), 1, "{:?}", fixture.files());
}

async fn a_blob_over_the_limit_is_refused_and_frees_its_space(on: On) {
    let fixture = Fixture::with(on, |config| config.limits.blob_bytes = 50_000).await;
    let content = large(9);
    let refused = fixture.registry.push_blob(&fixture.may("app"), body(&content), &sha256(&content)).await;
    assert!(matches!(refused, Err(Error::BlobTooLarge { limit: 50_000 })), "{refused:?}");
    assert!(fixture.files().is_empty(), "{:?}", fixture.files());
}

async fn a_mount_needs_a_source_that_links_the_blob(on: On) {
    let fixture = Fixture::new(on).await;
    let content = large(10);
    let digest = fixture.push_blob("source", &content).await;
    let registry = &fixture.registry;
    assert!(!registry.mount_blob(&fixture.may("target"), &fixture.may("empty"), &digest).await.unwrap());
    assert!(registry.mount_blob(&fixture.may("target"), &fixture.may("source"), &digest).await.unwrap());
    assert_eq!(fixture.pull_blob("target", &digest).await.unwrap(), content);

    let none = registry.mount_blob_from_any(&fixture.may("third"), |_| None, &digest).await.unwrap();
    assert!(!none, "no readable source, no mount");
    let any = registry
        .mount_blob_from_any(&fixture.may("third"), |source| Some(fixture.may(source.as_str())), &digest)
        .await
        .unwrap();
    assert!(any);
}

fn check_cuts(on: On, cuts: &[usize], restart: u8) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut fixture = Fixture::new(on).await;
        let content = large(11);
        let upload = fixture.registry.start_upload(&fixture.may("app"), None).await.unwrap();
        let mut at = 0;
        for (n, size) in cuts.iter().enumerate() {
            let end = (at + size).min(content.len());
            if end > at {
                let sent = body(&content[at..end]);
                fixture.registry.append_upload(&fixture.may("app"), &upload.id, None, sent).await.unwrap();
            }
            at = end;
            if restart >> (n % 8) & 1 == 1 {
                fixture = fixture.restart().await;
            }
        }
        let (rest, digest) = (body(&content[at..]), sha256(&content));
        fixture.registry.finish_upload(&fixture.may("app"), &upload.id, None, rest, &digest).await.unwrap();
        assert_eq!(fixture.pull_blob("app", &digest).await.unwrap(), content);
    });
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1_usize..40_000, 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// However a blob is cut into chunks, with or without restarts between, the same blob comes out.
    #[test]
    fn any_cut_makes_the_same_blob(cuts in cuts(), restart in any::<u8>()) {
        check_cuts(On::Sqlite, &cuts, restart);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn any_cut_makes_the_same_blob_on_postgres(cuts in cuts(), restart in any::<u8>()) {
        check_cuts(On::Postgres, &cuts, restart);
    }
}

on_both! {
    chunks_add_up_across_restarts,
    a_broken_body_is_kept_as_far_as_it_came,
    a_chunk_out_of_order_is_refused_and_changes_nothing,
    a_wrong_digest_ends_the_session_and_leaves_no_byte,
    a_session_belongs_to_one_repository_and_one_caller,
    sha512_needs_no_announcement,
    the_same_bytes_at_the_same_time_are_stored_once,
    a_blob_over_the_limit_is_refused_and_frees_its_space,
    a_mount_needs_a_source_that_links_the_blob,
}

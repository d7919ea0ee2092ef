//! Units of work: all or nothing, together in one commit, whoever goes away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use berth_catalog::{Error, Reader, blob, identity, repository};
use berth_oci::RepositoryName;

use crate::{Fixture, On, eventually, name, on_both};

async fn an_error_undoes_its_own_unit_only(on: On) {
    let fixture = Fixture::new(on).await;
    let now = fixture.now();
    let units = (0..64).map(|n| {
        fixture.catalog.write(async move |tx| {
            repository::ensure(tx, &name(&format!("r{n}")), now).await?;
            if n % 2 == 0 { Ok(()) } else { Err(Error::Closed) }
        })
    });
    let outcomes = futures_util::future::join_all(units).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 32);
    for n in 0..64 {
        let found =
            fixture.catalog.read(async |r| repository::find(r, &name(&format!("r{n}"))).await).await.unwrap();
        assert_eq!(found.is_some(), n % 2 == 0, "r{n}");
    }
}

async fn units_of_one_moment_share_commits(on: On) {
    let fixture = Fixture::new(on).await;
    let now = fixture.now();
    let units = (0..500).map(|n| {
        fixture.catalog.write(async move |tx| repository::ensure(tx, &name(&format!("r{n}")), now).await)
    });
    let outcomes = futures_util::future::join_all(units).await;
    assert!(outcomes.iter().all(Result::is_ok));
    let stats = fixture.catalog.writer_stats();
    assert_eq!(stats.units, 500);
    assert!(stats.commits <= 250, "{} commits for 500 units", stats.commits);
}

/// A refusal that leans on a change of its own group must not be heard before that change can be seen.
async fn a_refusal_is_heard_only_after_what_it_refused_on(on: On) {
    let fixture = Fixture::new(on).await;
    let now = fixture.now();
    for n in 0..200 {
        let known = name(&format!("r{n}"));
        let (first, second, asked) = (known.clone(), known.clone(), known);
        let make = fixture.catalog.write(async move |tx| repository::ensure(tx, &first, now).await);
        let refuse = fixture
            .catalog
            .write(async move |tx| repository::find(tx, &second).await?.map_or(Ok(()), |_| Err(Error::Busy)));
        let look = async {
            if refuse.await.is_err() {
                let seen = fixture.catalog.read(async |r| repository::find(r, &asked).await).await.unwrap();
                assert!(seen.is_some(), "refused because of a change that nobody can see");
            }
        };
        let (outcome, ()) = tokio::join!(make, look);
        outcome.unwrap();
    }
}

async fn a_panic_undoes_its_unit_and_the_writer_lives(on: On) {
    let fixture = Fixture::new(on).await;
    let now = fixture.now();
    let outcome = fixture
        .catalog
        .write(async move |tx| {
            repository::ensure(tx, &name("gone"), now).await?;
            assert!(now.as_second() < 0, "on purpose");
            Ok::<_, Error>(())
        })
        .await;
    assert!(matches!(outcome, Err(Error::Panicked(text)) if text == "on purpose"));
    fixture.catalog.write(async move |tx| repository::ensure(tx, &name("kept"), now).await).await.unwrap();
    let gone = fixture.catalog.read(async |r| repository::find(r, &name("gone")).await).await.unwrap();
    assert!(gone.is_none());
}

async fn a_caller_that_goes_away_cancels_nothing(on: On) {
    let fixture = Fixture::new(on).await;
    let now = fixture.now();
    let ran = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&ran);
    let unit = fixture.catalog.write(async move |tx| {
        let found = repository::ensure(tx, &name("kept"), now).await;
        seen.store(true, Ordering::SeqCst);
        found
    });
    // Polled once, so that the unit is handed over, then dropped.
    let _ = futures_util::poll!(Box::pin(unit));
    eventually("the unit ran", async || {
        let kept = fixture.catalog.read(async |r| repository::find(r, &name("kept")).await).await.unwrap();
        kept.is_some() && ran.load(Ordering::SeqCst)
    })
    .await;
}

async fn the_generation_moves_with_the_acknowledgement(on: On) {
    let fixture = Fixture::new(on).await;
    let name = name("library/app");
    let before = generation(&fixture, &name).await;
    let blob = fixture.push_blob(&name, "layer").await;
    let pushed = generation(&fixture, &name).await;
    assert!(pushed > before);
    fixture.push_manifest(&name, "manifest", &[blob], &["1"]).await;
    assert!(generation(&fixture, &name).await > pushed);
}

/// A node that has not heard from the database for a moment has none.
async fn generation(fixture: &Fixture, name: &RepositoryName) -> u64 {
    eventually("a generation", async || fixture.catalog.generation(name).is_some()).await;
    fixture.catalog.generation(name).unwrap_or_default()
}

async fn what_was_written_is_there_after_a_restart(on: On) {
    let fixture = Fixture::new(on).await;
    let name = name("library/app");
    let blob = fixture.push_blob(&name, "layer").await;
    let fixture = fixture.restart().await;
    let found = fixture.catalog.read(async |r| blob::find(r, &name, &blob).await).await.unwrap();
    assert!(found.is_some());
}

async fn a_newer_schema_is_refused(on: On) {
    let fixture = Fixture::new(on).await;
    fixture.alter("INSERT INTO migration (version, applied_at) VALUES (999, 0)");
    let again = fixture.place.open(fixture.clock.clone()).await;
    assert!(matches!(again, Err(Error::Newer { found: 999, .. })), "{again:?}");
}

async fn a_catalog_has_one_store(on: On) {
    let fixture = Fixture::new(on).await;
    let find = async |r: &Reader| identity::find(r).await;
    assert_eq!(fixture.catalog.read(find).await.unwrap(), None);
    assert!(fixture.catalog.write(async |tx| identity::insert(tx, "one").await).await.unwrap());
    assert!(!fixture.catalog.write(async |tx| identity::insert(tx, "two").await).await.unwrap());
    assert_eq!(fixture.catalog.read(find).await.unwrap().as_deref(), Some("one"));
}

on_both! {
    an_error_undoes_its_own_unit_only,
    units_of_one_moment_share_commits,
    a_refusal_is_heard_only_after_what_it_refused_on,
    a_panic_undoes_its_unit_and_the_writer_lives,
    a_caller_that_goes_away_cancels_nothing,
    the_generation_moves_with_the_acknowledgement,
    what_was_written_is_there_after_a_restart,
    a_newer_schema_is_refused,
    a_catalog_has_one_store,
}

//! Units of work: all or nothing, together in one commit, whoever goes away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use berth_catalog::{Error, repository};

use crate::{Fixture, name};

#[tokio::test]
async fn an_error_undoes_its_own_unit_only() {
    let fixture = Fixture::new();
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

#[tokio::test]
async fn units_of_one_moment_share_commits() {
    let fixture = Fixture::new();
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
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refusal_is_heard_only_after_what_it_refused_on() {
    let fixture = Fixture::new();
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

#[tokio::test]
async fn a_panic_undoes_its_unit_and_the_writer_lives() {
    let fixture = Fixture::new();
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

#[tokio::test]
async fn a_caller_that_goes_away_cancels_nothing() {
    let fixture = Fixture::new();
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
    fixture.catalog.write(async move |tx| repository::ensure(tx, &name("next"), now).await).await.unwrap();
    assert!(ran.load(Ordering::SeqCst));
    assert!(
        fixture.catalog.read(async |r| repository::find(r, &name("kept")).await).await.unwrap().is_some()
    );
}

#[tokio::test]
async fn the_generation_moves_with_the_acknowledgement() {
    let fixture = Fixture::new();
    let name = name("library/app");
    let before = fixture.catalog.generation(&name);
    let blob = fixture.push_blob(&name, "layer").await;
    let pushed = fixture.catalog.generation(&name);
    assert!(pushed > before);
    fixture.push_manifest(&name, "manifest", &[blob], &["1"]).await;
    assert!(fixture.catalog.generation(&name) > pushed);
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let fixture = Fixture::new();
    let name = name("library/app");
    let blob = fixture.push_blob(&name, "layer").await;
    let Fixture { catalog, clock, dir } = fixture;
    drop(catalog);
    let catalog = berth_catalog::Catalog::open(&dir.path().join("catalog.db"), clock).unwrap();
    assert!(
        catalog.read(async |r| berth_catalog::blob::find(r, &name, &blob).await).await.unwrap().is_some()
    );
}

#[test]
fn a_newer_schema_is_refused() {
    let fixture = Fixture::new();
    fixture.raw().execute("INSERT INTO migration (version, applied_at) VALUES (999, 0)", []).unwrap();
    let again = berth_catalog::Catalog::open(&fixture.dir.path().join("catalog.db"), fixture.clock.clone());
    assert!(matches!(again, Err(Error::Newer { found: 999, .. })));
}

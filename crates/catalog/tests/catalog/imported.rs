//! What was taken in from another registry's store.

use berth_catalog::imported::{self, Imported, Totals};
use berth_catalog::{Error, blob, repository};

use crate::{Fixture, On, digest, name, on_both};

async fn totals_add_up_and_bytes_elsewhere_are_counted(on: On) {
    let fixture = Fixture::new(on).await;
    let now = fixture.now();
    // More than 32 bits hold.
    let size = 3 << 30;
    let write = async move |tx: &mut berth_catalog::Tx| {
        for (repository, tags) in [("a", 2), ("b", 3)] {
            let problems = vec!["b:x: refused".to_owned()];
            let taken = Imported { repository: repository.to_owned(), manifests: 1, tags, problems };
            imported::insert(tx, &taken, now).await?;
        }
        let repository = repository::ensure(tx, &name("a"), now).await?;
        for (content, location) in [("x", "foreign/one"), ("y", "foreign/two"), ("z", "sha256/ab/z")] {
            let placement = blob::Placement::Stored(location.to_owned());
            blob::insert(tx, &repository, &digest(content), size, Some(&placement), now).await?;
        }
        Ok::<_, Error>(())
    };
    fixture.catalog.write(write).await.unwrap();
    let totals = async || fixture.catalog.read(async |r| imported::totals(r).await).await.unwrap();
    assert_eq!(totals().await, Totals { repositories: 2, manifests: 2, tags: 5, complete: false });
    fixture.catalog.write(async move |tx| imported::complete(tx, now).await).await.unwrap();
    assert!(totals().await.complete);
    let foreign = fixture.catalog.read(async |r| imported::count_foreign(r).await).await.unwrap();
    assert_eq!(foreign, (2, 2 * size));
    let listed =
        fixture.catalog.read(async |r| imported::list_foreign(r, "foreign/one", 9).await).await.unwrap();
    assert_eq!(listed.len(), 1);
}

on_both!(totals_add_up_and_bytes_elsewhere_are_counted);

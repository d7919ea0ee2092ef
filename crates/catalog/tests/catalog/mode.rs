//! What all nodes have been told to do.

use std::time::Duration;

use berth_catalog::{Catalog, mode};

use crate::{Fixture, On, on_both};

async fn tell(catalog: &Catalog, read_only: bool) -> bool {
    let now = catalog.clock().now();
    catalog.write(async move |tx| mode::set_read_only(tx, read_only, now).await).await.unwrap()
}

async fn one_word_reaches_every_process_and_its_time_is_that_of_the_change(on: On) {
    let fixture = Fixture::new(on).await;
    let other = fixture.visit().await;
    let heard = async || other.read(async |r| mode::find(r).await).await.unwrap();
    assert_eq!(heard().await, mode::Mode::default());
    assert!(!tell(&fixture.catalog, false).await, "it was so already");
    assert!(tell(&fixture.catalog, true).await);
    let since = Some(fixture.now());
    assert_eq!(heard().await, mode::Mode { read_only: true, changed_at: since });
    fixture.clock.advance(Duration::from_mins(1));
    assert!(!tell(&fixture.catalog, true).await);
    assert_eq!(heard().await.changed_at, since);
    assert!(tell(&fixture.catalog, false).await);
    assert_eq!(heard().await, mode::Mode { read_only: false, changed_at: Some(fixture.now()) });
}

on_both!(one_word_reaches_every_process_and_its_time_is_that_of_the_change);

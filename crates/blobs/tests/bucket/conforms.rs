//! The rules of every store.

use std::sync::Arc;

use berth_blobs::{
    Blobs, Bucket, Metered,
    testing::{Faults, Faulty, conformance},
};
use prometheus_client::registry::Registry;

use super::config;

#[tokio::test]
async fn conforms() {
    let config = config();
    conformance(async || Bucket::open(&config).unwrap()).await;
}

#[tokio::test]
async fn conforms_when_decorated() {
    let config = config();
    conformance(async || {
        let bucket: Arc<dyn Blobs> = Arc::new(Bucket::open(&config).unwrap());
        let metered = Metered::new(bucket, &mut Registry::default());
        Faulty::new(Arc::new(metered), Faults::default())
    })
    .await;
}

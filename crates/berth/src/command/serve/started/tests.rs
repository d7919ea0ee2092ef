use berth_catalog::Clock;
use berth_catalog::trail;

use super::*;

async fn configured(trail: &Trail) -> Vec<(String, Value)> {
    let records = trail.read(async |r| trail::list(r, 0, 100).await).await.unwrap();
    let said = |text: &str| serde_json::from_str::<Value>(text).unwrap()["changed"].clone();
    records.iter().map(|record| (record.entry.action.clone(), said(&record.entry.detail))).collect()
}

#[tokio::test]
async fn another_configuration_is_recorded_by_its_parts_and_without_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let trail = Trail::open(&directory.path().join("audit.db"), Clock::system()).unwrap();
    let mut config = Config::default();
    for _ in 0..2 {
        record(&trail, &config).await.unwrap();
    }
    config.gc.every_seconds += 1;
    let url = |password: &str| {
        serde_json::from_value(json!(format!("postgres://berth:{password}@db.example/berth"))).unwrap()
    };
    (config.database.url, config.database.replica_url) = (Some(url("hush")), Some(url("hush")));
    for _ in 0..2 {
        record(&trail, &config).await.unwrap();
    }
    let expected = [
        ("start", Value::Null),
        ("configure", Value::Null),
        ("start", Value::Null),
        ("start", Value::Null),
        ("configure", json!(["database", "gc"])),
        ("start", Value::Null),
    ];
    assert_eq!(configured(&trail).await, expected.map(|(action, changed)| (action.to_owned(), changed)));
    assert!(!config.to_yaml().unwrap().contains("hush"), "{config:?}");
    // Nothing tells one password from another, not even a hash.
    let before = fingerprints(&config).unwrap();
    (config.database.url, config.database.replica_url) = (Some(url("hushhush")), Some(url("hushhush")));
    assert_eq!(fingerprints(&config).unwrap(), before);
}

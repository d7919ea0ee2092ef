use std::time::Duration;

use anyhow::bail;
use tokio::sync::watch;

use super::*;

fn parts(stopped: &watch::Receiver<bool>) -> Parts {
    let mut parts = Parts::default();
    let mut stop = stopped.clone();
    parts.spawn("one that runs", async move { drop(stop.wait_for(|stop| *stop).await.unwrap()) });
    parts.spawn("one with nothing to do", async {});
    parts
}

#[tokio::test]
async fn what_panics_or_fails_is_noticed_by_name() {
    let (stop, stopped) = watch::channel(false);
    let mut one = parts(&stopped);
    let early = tokio::time::timeout(Duration::from_millis(50), one.failed()).await;
    assert!(early.is_err(), "all is well");
    one.spawn("audit trail", async { panic!("a record that nobody foresaw") });
    let error = format!("{:#}", one.failed().await);
    assert!(error.starts_with("the audit trail ended early"), "{error}");
    assert!(error.contains("a record that nobody foresaw"), "{error}");
    let mut other = parts(&stopped);
    other.try_spawn("job runner", async { bail!("no room") });
    assert_eq!(format!("{:#}", other.failed().await), "the job runner ended early: no room");
    // The others end as they should.
    stop.send_replace(true);
    one.end().await;
    other.end().await;
}

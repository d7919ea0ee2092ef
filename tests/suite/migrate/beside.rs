//! Pushes beside a move, and what each side holds after it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::backup::push_image;
use crate::harness::{Api, Server, is_outage};

/// What somebody pushed and was told to be safe: image by tag.
pub(super) type Acknowledged = Vec<(String, String)>;

/// Pushes, moves and deletes tags until it is refused or told to stop. Outages are waited out.
pub(super) async fn churn(server: &Api, prefix: u64, stop: &AtomicBool) -> Result<Acknowledged> {
    let mut taken: Acknowledged = Vec::new();
    for seed in prefix.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let tag = format!("v{seed}");
        match push_image(server, "moving/app", &tag, seed).await {
            Ok(digest) => taken.push((tag, digest)),
            Err(error) if is_outage(&error) || says(&error, "read-only for now") => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            Err(error) if says(&error, "has moved") => break,
            Err(error) => return Err(error),
        }
        // One that goes again, and one that moves: both must be known on the other side.
        if seed % 5 == 0
            && let Some((_, digest)) = taken.pop()
        {
            // Maybe gone, maybe not, if nobody says so: nothing is expected of it then.
            let path = format!("/v2/moving/app/manifests/{digest}");
            drop(server.delete(&path).await);
        }
    }
    Ok(taken)
}

/// Every push is refused, and soon it is said why.
pub(super) async fn refused_for_good(api: &Api) -> Result<()> {
    let begin = Instant::now();
    loop {
        match push_image(api, "moving/app", "late", 900_000).await {
            Ok(_) => bail!("a push was taken behind the switch"),
            Err(error) if says(&error, "has moved") => return Ok(()),
            Err(error) => ensure!(begin.elapsed() < Duration::from_secs(2), "badly refused: {error:#}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn says(error: &anyhow::Error, text: &str) -> bool {
    format!("{error:#}").contains(text)
}

/// Every table as a backup of each side has it: rows as text, in order.
pub(super) async fn tables(server: &Server, archive: &str) -> Result<Vec<(String, Vec<String>)>> {
    server.succeeds(&["backup", archive]).await?;
    let mut points = std::fs::read_dir(Path::new(archive).join("points"))?;
    let point = points.find_map(Result::ok).context("no point")?.path();
    let mut tables = Vec::new();
    for entry in std::fs::read_dir(point)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            let text = std::fs::read_to_string(&path)?;
            let mut rows: Vec<String> = text.lines().map(sorted).collect::<Result<_>>()?;
            rows.sort();
            tables.push((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), rows));
        }
    }
    tables.sort();
    Ok(tables)
}

/// A row whose lists, which have no order, are in one.
fn sorted(line: &str) -> Result<String> {
    let mut row: Value = serde_json::from_str(line)?;
    for list in ["blobs", "missing", "children"] {
        if let Some(items) = row.get_mut(list).and_then(Value::as_array_mut) {
            items.sort_by_key(ToString::to_string);
        }
    }
    Ok(row.to_string())
}

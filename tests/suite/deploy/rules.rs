//! The chart's alerts: on metrics that the server has, and heard when they should be.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::chart::{one, render};
use super::shipped;
use crate::harness::{Home, Server};

/// The groups of both modes, as a file for promtool.
async fn groups(home: &Home) -> Result<(Value, String)> {
    let everything = render(home, "everything").await?;
    let values = shipped("helm/berth/ci/embedded.yaml");
    let set = ["--set", "prometheusRule.enabled=true,fullnameOverride=disk"];
    let template = ["template", "x", &shipped("helm/berth"), "-n", "registry", "-f", &values];
    let text = home.run("helm", &[&template[..], &set].concat()).await?;
    let file = home.write("disk.yaml", &text)?.display().to_string();
    let embedded = super::read_by_checker(home, &["kubernetes", &file]).await?;
    let embedded = embedded.as_array().context("no list of objects")?;
    let mut spec = one(&everything, "PrometheusRule")?["spec"].clone();
    let mut group = one(embedded, "PrometheusRule")?["spec"]["groups"][0].clone();
    group["name"] = json!("disk");
    spec["groups"].as_array_mut().context("no groups")?.push(group);
    // What is JSON is YAML.
    let file = home.write("rules.yaml", &spec.to_string())?.display().to_string();
    Ok((spec, file))
}

#[tokio::test]
async fn promtool_takes_them() -> Result<()> {
    let home = Home::new()?;
    let (_, file) = groups(&home).await?;
    home.run("promtool", &["check", "rules", &file]).await?;
    Ok(())
}

#[tokio::test]
async fn they_ask_for_metrics_that_there_are() -> Result<()> {
    let home = Home::new()?;
    let (spec, _) = groups(&home).await?;
    let server = Server::open().await?;
    let metrics = server.api()?.get("/metrics").await?.text().await?;
    let known: BTreeSet<&str> = metrics
        .lines()
        .filter_map(|line| line.split([' ', '{']).next())
        .filter(|word| *word != "#")
        .collect();
    let mut asked = BTreeSet::new();
    let rules = spec["groups"].as_array().into_iter().flatten();
    for rule in rules.flat_map(|group| group["rules"].as_array().into_iter().flatten()) {
        let expression = rule["expr"].as_str().context("no expression")?;
        let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
        asked.extend(words.filter(|word| word.starts_with("berth_")).map(str::to_owned));
    }
    ensure!(asked.len() >= 6, "too few: {asked:?}");
    for name in asked {
        ensure!(known.contains(name.as_str()), "the server has no {name}");
    }
    Ok(())
}

/// Series as promtool writes them: values every minute.
#[tokio::test]
async fn they_are_heard_when_pulls_fail_and_disks_fill() -> Result<()> {
    let home = Home::new()?;
    let (_, file) = groups(&home).await?;
    let pulls = |outcome: &str| {
        format!(
            "berth_pulls_total{{namespace=\"registry\",job=\"images\",endpoint=\"blob\",outcome=\"{outcome}\"}}"
        )
    };
    let disk = |name: &str| format!("berth_storage_{name}_bytes{{namespace=\"registry\",job=\"disk\"}}");
    let bucket = "berth_storage_blob_bytes{namespace=\"registry\",job=\"images\"}";
    let series = |name: String, values: &str| json!({"series": name, "values": values});
    let names =
        ["BerthPullsFail", "BerthDiskFull", "BerthBucketFull", "BerthDatabaseAway", "BerthStorageAway"];
    let up = |part: &str| format!("berth_{part}_up{{namespace=\"registry\",job=\"images\"}}");
    let case = |failed: &str, available: &str, stored: &str, heard: bool| {
        let input = [
            series(pulls("success"), "0+10000x90"),
            series(pulls("failed"), failed),
            series(pulls("aborted"), "0+9000x90"),
            series(pulls("refused"), "0+9000x90"),
            series(disk("capacity"), "1000+0x90"),
            series(disk("available"), available),
            series(bucket.to_owned(), stored),
            series(up("database"), if heard { "0+0x90" } else { "1+0x90" }),
            series(up("storage"), if heard { "0+0x90" } else { "1+0x90" }),
        ];
        let tests: Vec<Value> = names
            .iter()
            .map(|name| {
                let alerts = json!({"eval_time": "80m", "alertname": name});
                let mut alerts = alerts;
                alerts["exp_alerts"] = if heard { expected(name) } else { json!([]) };
                alerts
            })
            .collect();
        json!({"interval": "1m", "input_series": input, "alert_rule_test": tests})
    };
    let test = json!({
        "rule_files": [file],
        "evaluation_interval": "1m",
        "tests": [
            // 99.95 % of the pulls succeed, 84 % of disk and quota are used: silence.
            case("0+5x90", "160+0x90", "9.2e12+0x90", false),
            // 99.8 %, 86 %: heard.
            case("0+20x90", "140+0x90", "9.46e12+0x90", true),
        ],
    });
    let file = home.write("test.yaml", &test.to_string())?.display().to_string();
    home.run("promtool", &["test", "rules", &file]).await?;
    Ok(())
}

/// The alert as it is heard.
fn expected(name: &str) -> Value {
    let (job, severity, annotations) = match name {
        "BerthPullsFail" => (
            "images",
            "critical",
            json!({
                "summary": "fewer than 0.999 of the pulls of the last hour succeeded",
                "description": "99.8% did, and it goes on. The log names each failed request.",
            }),
        ),
        "BerthDiskFull" => (
            "disk",
            "warning",
            json!({
                "summary": "86% of the disk is used",
                "description": "Raise persistence.size, delete tags, or set gc.untagged: delete.",
            }),
        ),
        "BerthDatabaseAway" => {
            ("images", "critical", json!({"summary": "a pod has not reached the database for a minute"}))
        }
        "BerthStorageAway" => {
            let summary =
                "a pod has not reached the blob store for a minute: manifests and small blobs are served";
            ("images", "critical", json!({ "summary": summary }))
        }
        _ => ("images", "warning", json!({"summary": "86.04% of the bucket's quota is used"})),
    };
    let labels = json!({"namespace": "registry", "job": job, "severity": severity});
    json!([{"exp_labels": labels, "exp_annotations": annotations}])
}

//! The chart's backups: a job that is as restricted as the pods that serve, and says what `berth` understands.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::chart::{names, one, policy, render, workload};
use crate::harness::{Home, berth};

/// Containers of a pod, the first to run first.
fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let lists = ["initContainers", "containers"].map(|list| pod[list].as_array());
    lists.into_iter().flatten().flatten()
}

#[tokio::test]
async fn backups_run_beside_the_pods_with_no_more_rights() -> Result<()> {
    let home = Home::new()?;
    for (mode, steps) in [("embedded", 2), ("everything", 2)] {
        let objects = render(&home, mode).await?;
        let job = &one(&objects, "CronJob")?["spec"];
        ensure!(job["concurrencyPolicy"] == "Forbid", "{mode}: {job}");
        let template = &job["jobTemplate"]["spec"]["template"];
        let (pod, serving) = (&template["spec"], &workload(&objects)?["spec"]["template"]["spec"]);
        for same in ["serviceAccountName", "securityContext", "automountServiceAccountToken"] {
            ensure!(pod[same] == serving[same], "{mode}: {same} is {}", pod[same]);
        }
        // No service sends requests to it, and it has a policy of its own.
        let selector = &one(&objects, "Service")?["spec"]["selector"];
        ensure!(
            selector["app.kubernetes.io/name"] != template["metadata"]["labels"]["app.kubernetes.io/name"]
        );
        let allowed = policy(&objects, "berth-backup")?;
        ensure!(allowed["policyTypes"] == json!(["Ingress", "Egress"]), "{allowed}");
        ensure!(allowed["ingress"].is_null(), "{mode}: somebody may connect to it: {allowed}");

        ensure!(containers(pod).count() == steps, "{mode}: {pod}");
        for container in containers(pod) {
            ensure!(container["securityContext"] == serving["containers"][0]["securityContext"]);
            ensure!(container["image"] == serving["containers"][0]["image"], "{mode}: another image");
            ensure!(names(&pod["volumes"]) == names(&container["volumeMounts"]), "{mode}: {container}");
            let said = container["args"].as_array().context("no arguments")?;
            let said: Option<Vec<&str>> = said.iter().map(Value::as_str).collect();
            // What it doesn't know it refuses before it helps.
            let arguments = [&said.context("an argument that is no text")?[..], &["--help"]].concat();
            let help = home.run(&berth()?.display().to_string(), &arguments).await?;
            ensure!(help.contains("--secret-access-key-file"), "{mode}: {help}");
            let wrong = [&arguments[..arguments.len() - 1], &["--unknown", "--help"]].concat();
            home.fails(&berth()?.display().to_string(), &wrong, &["--unknown"]).await?;
        }
    }
    let objects = render(&home, "scaled").await?;
    ensure!(one(&objects, "CronJob").is_err(), "backups run unasked");
    Ok(())
}

/// The volume of one pod is read by another on the same node; what lies in Postgres and a bucket is read from anywhere.
#[tokio::test]
async fn a_backup_of_a_volume_runs_where_the_volume_is() -> Result<()> {
    let home = Home::new()?;
    for (mode, bound) in [("embedded", true), ("everything", false)] {
        let objects = render(&home, mode).await?;
        let pod = &one(&objects, "CronJob")?["spec"]["jobTemplate"]["spec"]["template"]["spec"];
        let near = &pod["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0];
        ensure!(near.is_null() != bound, "{mode}: {near}");
        if bound {
            let labels = &workload(&objects)?["spec"]["template"]["metadata"]["labels"];
            let wanted = near["labelSelector"]["matchLabels"].as_object().context("no labels")?;
            ensure!(wanted.iter().all(|(key, value)| labels[key] == *value), "{near}");
        }
        let claims = pod["volumes"].as_array().into_iter().flatten();
        ensure!(
            claims.filter(|volume| !volume["persistentVolumeClaim"].is_null()).count() == usize::from(bound)
        );
    }
    Ok(())
}

//! The chart's pods can do little: what a cluster's restricted profile asks for, and a root that is read only.

use anyhow::{Result, ensure};
use serde_json::json;

use super::chart::{MODES, one, policy, render, workload};
use crate::harness::Home;

#[tokio::test]
async fn pods_are_restricted() -> Result<()> {
    let home = Home::new()?;
    for mode in MODES {
        let objects = render(&home, mode).await?;
        let pod = &workload(&objects)?["spec"]["template"]["spec"];
        let of_pod = &pod["securityContext"];
        ensure!(of_pod["runAsNonRoot"] == true && of_pod["runAsUser"] == 65532, "{mode}: {of_pod}");
        ensure!(of_pod["seccompProfile"]["type"] == "RuntimeDefault", "{mode}: {of_pod}");
        let container = &pod["containers"][0];
        let of_container = &container["securityContext"];
        ensure!(of_container["readOnlyRootFilesystem"] == true, "{mode}: {of_container}");
        ensure!(of_container["allowPrivilegeEscalation"] == false, "{mode}: {of_container}");
        ensure!(of_container["capabilities"] == json!({"drop": ["ALL"]}), "{mode}: {of_container}");
        ensure!(pod["automountServiceAccountToken"] == false, "{mode}: the pod gets a token");
        ensure!(pod["enableServiceLinks"] == false, "{mode}: BERTH_PORT would look like configuration");
        ensure!(pod["hostNetwork"].is_null() && pod["hostPID"].is_null(), "{mode}: the node's own");
        ensure!(container["resources"]["limits"]["memory"].is_string(), "{mode}: memory has no limit");
    }
    Ok(())
}

#[tokio::test]
async fn secrets_stay_in_secrets() -> Result<()> {
    let home = Home::new()?;
    for mode in MODES {
        let objects = render(&home, mode).await?;
        ensure!(one(&objects, "Secret").is_err(), "{mode}: the chart makes a secret");
        let pod = &workload(&objects)?["spec"]["template"]["spec"];
        for volume in pod["volumes"].as_array().into_iter().flatten() {
            let Some(mode_bits) = volume["secret"]["defaultMode"].as_i64() else { continue };
            ensure!(mode_bits % 0o10 == 0, "{mode}: others can read {volume}");
        }
        let variables = &pod["containers"][0]["env"];
        let users =
            variables.as_array().into_iter().flatten().find(|one| one["name"] == "BERTH_ACCESS__USERS");
        ensure!(
            users.is_some_and(|users| users["valueFrom"]["secretKeyRef"]["name"] == "berth-users"),
            "{variables}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn pods_reach_only_what_they_need() -> Result<()> {
    let home = Home::new()?;
    let ports = |rules: &serde_json::Value| -> Vec<i64> {
        let rules = rules.as_array().into_iter().flatten();
        rules
            .flat_map(|rule| rule["ports"].as_array().cloned().unwrap_or_default())
            .filter_map(|port| port["port"].as_i64())
            .collect()
    };
    for (mode, expected) in [("embedded", vec![53, 53]), ("scaled", vec![53, 53, 5432, 443])] {
        let objects = render(&home, mode).await?;
        let policy = policy(&objects, "berth")?;
        ensure!(policy["policyTypes"] == json!(["Ingress", "Egress"]), "{policy}");
        ensure!(ports(&policy["egress"]) == expected, "{mode}: {}", policy["egress"]);
    }
    Ok(())
}

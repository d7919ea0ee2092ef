//! The chart: linted, rendered in each mode, and read by Kubernetes' own types.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{ensure_configuration, files_in, read_by_checker, shipped};
use crate::harness::{Home, workspace};

/// Values with which the chart is rendered: files below its `ci/`.
pub(super) const MODES: [&str; 4] = ["embedded", "scaled", "everything", "web-identity"];

/// Renders the chart with one of its `ci/` files; fails at an unknown field or kind.
pub(super) async fn render(home: &Home, mode: &str) -> Result<Vec<Value>> {
    let values = shipped(&format!("helm/berth/ci/{mode}.yaml"));
    let text =
        home.run("helm", &["template", "x", &shipped("helm/berth"), "-n", "registry", "-f", &values]).await?;
    let file = home.write(&format!("{mode}.yaml"), &text)?.display().to_string();
    let objects = read_by_checker(home, &["kubernetes", &file]).await?;
    objects.as_array().cloned().context("no list of objects")
}

/// The one object of a kind.
pub(super) fn one<'a>(objects: &'a [Value], kind: &str) -> Result<&'a Value> {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let object = found.next().with_context(|| format!("no {kind}"))?;
    ensure!(found.next().is_none(), "more than one {kind}");
    Ok(object)
}

/// What the pods of a name may reach, and who may reach them.
pub(super) fn policy<'a>(objects: &'a [Value], name: &str) -> Result<&'a Value> {
    let selects =
        |object: &Value| object["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == name;
    let mut found = objects.iter().filter(|object| object["kind"] == "NetworkPolicy" && selects(object));
    let policy = found.next().with_context(|| format!("no policy for {name}"))?;
    ensure!(found.next().is_none(), "more than one policy for {name}");
    Ok(&policy["spec"])
}

/// What runs the pods.
pub(super) fn workload(objects: &[Value]) -> Result<&Value> {
    one(objects, "Deployment").or_else(|_| one(objects, "StatefulSet"))
}

/// Names in a list, in order.
pub(super) fn names(list: &Value) -> Vec<String> {
    let entries = list.as_array().into_iter().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry["name"].as_str().map(str::to_owned)).collect();
    names.sort();
    names
}

#[tokio::test]
async fn is_linted_and_known_to_kubernetes_in_every_mode() -> Result<()> {
    let home = Home::new()?;
    for file in files_in(&workspace().join("deploy/helm/berth/ci"))? {
        let file = file.display().to_string();
        home.run("helm", &["lint", "--strict", &shipped("helm/berth"), "-f", &file]).await?;
    }
    let base = ["ConfigMap", "NetworkPolicy", "Service", "ServiceAccount"];
    let scaled = ["Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget"];
    let backup = ["CronJob", "NetworkPolicy"];
    let all = ["HTTPRoute", "Ingress", "PrometheusRule", "ServiceMonitor"];
    for (mode, more) in [
        ("embedded", [&["PersistentVolumeClaim", "StatefulSet"][..], &backup].concat()),
        ("scaled", scaled.to_vec()),
        ("everything", [&scaled[..], &all, &backup].concat()),
    ] {
        let objects = render(&home, mode).await?;
        let mut expected = [&base[..], &more[..]].concat();
        expected.sort_unstable();
        let mut kinds: Vec<&str> = objects.iter().filter_map(|object| object["kind"].as_str()).collect();
        kinds.sort_unstable();
        ensure!(kinds == expected, "{mode}: {kinds:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_checker_refuses_what_kubernetes_does_not_know() -> Result<()> {
    let home = Home::new()?;
    for (text, reason) in [
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {prots: []}\n",
            "unknown field \"prots\"",
        ),
        ("apiVersion: v1\nkind: Service\nspec: {type: A, type: B}\n", "already set"),
        ("apiVersion: v1\nkind: Servise\n", "unknown kind v1/Servise"),
        ("apiVersion: v1\nkind: Service\nspec: {ports: 5000}\n", "cannot unmarshal"),
    ] {
        let file = home.write("wrong.yaml", text)?.display().to_string();
        home.fails("manifests", &["kubernetes", &file], &[reason]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn selectors_ports_and_volumes_fit_together() -> Result<()> {
    let home = Home::new()?;
    for mode in MODES {
        let objects = render(&home, mode).await?;
        let workload = workload(&objects)?;
        let name = &workload["metadata"]["name"];
        let pod = &workload["spec"]["template"];
        for (what, selector) in [
            ("workload", &workload["spec"]["selector"]["matchLabels"]),
            ("service", &one(&objects, "Service")?["spec"]["selector"]),
            ("network policy", &policy(&objects, "berth")?["podSelector"]["matchLabels"]),
        ] {
            let selector = selector.as_object().with_context(|| format!("{mode}: {what} selects nothing"))?;
            let chosen = selector.iter().all(|(key, value)| &pod["metadata"]["labels"][key] == value);
            ensure!(chosen && !selector.is_empty(), "{mode}: {what} selects other pods: {selector:?}");
        }
        let container = &pod["spec"]["containers"][0];
        let port = &one(&objects, "Service")?["spec"]["ports"][0]["targetPort"];
        ensure!(*port == container["ports"][0]["name"], "{mode}: the service leads to {port}");
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let get = &container[probe]["httpGet"];
            ensure!(get["port"] == *port, "{mode}: {probe} asks {get}");
            let tls = if mode == "everything" { "HTTPS" } else { "HTTP" };
            ensure!(get["scheme"] == tls, "{mode}: {probe} asks {get}");
        }
        let (volumes, mounts) = (names(&pod["spec"]["volumes"]), names(&container["volumeMounts"]));
        ensure!(volumes == mounts, "{mode}: volumes {volumes:?}, mounted {mounts:?}");
        for volume in pod["spec"]["volumes"].as_array().into_iter().flatten() {
            let sources = volume.as_object().map_or(0, serde_json::Map::len) - 1;
            ensure!(sources == 1, "{mode}: a volume has {sources} sources: {volume}");
        }
        if let Ok(scaler) = one(&objects, "HorizontalPodAutoscaler") {
            ensure!(scaler["spec"]["scaleTargetRef"]["name"] == *name, "{scaler}");
            ensure!(workload["spec"]["replicas"].is_null(), "two masters of the number of pods");
        }
    }
    Ok(())
}

#[tokio::test]
async fn scales_at_70_percent_of_the_cpu_and_back_slowly() -> Result<()> {
    let objects = render(&Home::new()?, "scaled").await?;
    let scaler = &one(&objects, "HorizontalPodAutoscaler")?["spec"];
    let target = &scaler["metrics"][0]["resource"];
    ensure!(target["name"] == "cpu" && target["target"]["averageUtilization"] == 70, "{target}");
    let down = &scaler["behavior"]["scaleDown"];
    ensure!(down["stabilizationWindowSeconds"].as_i64() >= Some(300), "{down}");
    ensure!(down["policies"][0]["value"] == 1, "{down}");
    let requests = &workload(&objects)?["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"];
    ensure!(requests["cpu"].is_string(), "no CPU is requested: there is nothing to be 70 % of");
    let budget = &one(&objects, "PodDisruptionBudget")?["spec"];
    ensure!(budget["maxUnavailable"] == 1, "{budget}");
    Ok(())
}

#[tokio::test]
async fn outside_leads_to_the_registry_alone() -> Result<()> {
    let objects = render(&Home::new()?, "everything").await?;
    let path = &one(&objects, "Ingress")?["spec"]["rules"][0]["http"]["paths"];
    ensure!(
        path[0]["path"] == "/v2" && path[1]["path"] == "/token" && !path.to_string().contains("metrics"),
        "{path}"
    );
    let route = &one(&objects, "HTTPRoute")?["spec"]["rules"];
    ensure!(
        route[0]["matches"][0]["path"]["value"] == "/v2" && !route.to_string().contains("metrics"),
        "{route}"
    );
    let service = one(&objects, "Service")?;
    let backend = &route[0]["backendRefs"][0];
    ensure!(backend["port"] == service["spec"]["ports"][0]["port"], "{backend}");
    ensure!(backend["name"] == service["metadata"]["name"], "{backend}");
    Ok(())
}

#[tokio::test]
async fn the_configuration_is_one_that_berth_takes() -> Result<()> {
    let mut home = Home::new()?;
    for mode in MODES {
        let objects = render(&home, mode).await?;
        let map = one(&objects, "ConfigMap")?;
        let yaml = map["data"]["berth.yaml"].as_str().context("no berth.yaml")?;
        ensure_configuration(&mut home, yaml).await.with_context(|| mode)?;
    }
    Ok(())
}

#[tokio::test]
async fn pods_have_time_to_end() -> Result<()> {
    let objects = render(&Home::new()?, "embedded").await?;
    let pod = &workload(&objects)?["spec"]["template"]["spec"];
    let yaml = one(&objects, "ConfigMap")?["data"]["berth.yaml"].as_str().context("no berth.yaml")?;
    let seconds = |key: &str| -> Result<i64> {
        let (_, rest) = yaml.split_once(key).with_context(|| format!("no {key}"))?;
        Ok(rest.trim_start_matches(':').lines().next().unwrap_or_default().trim().parse()?)
    };
    let needed = seconds("shutdown_delay_seconds")? + seconds("shutdown_grace_seconds")?;
    let granted = pod["terminationGracePeriodSeconds"].as_i64().context("no grace period")?;
    ensure!(granted > needed, "{granted} s for a shutdown of {needed} s");
    Ok(())
}

//! Values that could not work are refused before anything reaches a cluster, with words about it.

use anyhow::{Context as _, Result, ensure};

use super::{shipped, text_of};
use crate::harness::Home;

#[tokio::test]
async fn the_schema_refuses_wrong_values() -> Result<()> {
    let home = Home::new()?;
    for (value, reason) in [
        ("mode=scalled", "/mode"),
        ("replicaCount=3", "additional properties 'replicaCount'"),
        ("autoscaling.targetCPUUtilizationPercentage=0", "/autoscaling/targetCPUUtilizationPercentage"),
        ("access.anonymous=admin", "/access/anonymous"),
        ("database.url=postgres://berth:secret@db/berth", "/database/url"),
        ("bucket.url=https://bucket.example.com", "/bucket/url"),
        ("trustedProxies={10.0.0.1}", "/trustedProxies/0"),
        ("persistence.size=lots", "/persistence/size"),
        ("service.type=ExternalName", "/service/type"),
        ("ingress.hosts={https://registry.example.com}", "/ingress/hosts/0"),
        ("image.digest=sha256:abc", "/image/digest"),
        ("prometheusRule.pullSuccess=99.9", "/prometheusRule/pullSuccess"),
        ("config.storag.cache_bytes=1", "additional properties 'storag'"),
        ("topologySpread.whenUnsatisfiable=Sometimes", "/topologySpread/whenUnsatisfiable"),
        ("httpRoute.requestTimeout=forever", "/httpRoute/requestTimeout"),
        ("backup.url=/mnt/backup", "/backup/url"),
        ("backup.keep=-1", "/backup/keep"),
    ] {
        let template =
            ["template", "x", &shipped("helm/berth"), "--set", "access.anonymous=read", "--set", value];
        home.fails("helm", &template, &[reason]).await.context(value)?;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_missing_is_named() -> Result<()> {
    let home = Home::new()?;
    let chart = shipped("helm/berth");
    let scaled = ["mode=scaled", "access.existingSecret=u"];
    for (settings, reason) in [
        (vec![], "access.anonymous"),
        (scaled.to_vec(), "mode scaled needs database.url"),
        ([&scaled[..], &["database.url=postgres://b@d/b"]].concat(), "needs database.existingSecret"),
        (vec!["access.anonymous=read", "ingress.enabled=true"], "ingress.hosts"),
        (vec!["access.anonymous=read", "httpRoute.enabled=true"], "httpRoute.parentRefs"),
        (vec!["access.anonymous=read", "backup.enabled=true"], "backup.enabled needs backup.url"),
        (
            vec!["access.anonymous=read", "backup.enabled=true", "backup.url=s3://a", "bucket.url=s3://a"],
            "name another bucket",
        ),
        (vec!["access.anonymous=read", "autoscaling.minReplicas=11"], "above autoscaling.maxReplicas"),
    ] {
        let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        let template = [&["template", "x", &chart], &settings[..]].concat();
        home.fails("helm", &template, &[reason]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn notes_say_how_to_push() -> Result<()> {
    let home = Home::new()?;
    for (mode, expected) in [
        ("embedded", "port-forward service/x-berth 5000:5000"),
        ("everything", "docker push registry.example.com/NAME:TAG"),
    ] {
        let values = shipped(&format!("helm/berth/ci/{mode}.yaml"));
        let install = ["install", "x", &shipped("helm/berth"), "--dry-run=client", "-f", &values];
        let said = home.run("helm", &install).await?;
        ensure!(said.contains(expected), "{said}");
    }
    Ok(())
}

#[test]
fn the_chart_is_of_this_version() -> Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    ensure!(
        text_of("helm/berth/Chart.yaml")?.contains(&format!("appVersion: \"{version}\"")),
        "not {version}"
    );
    ensure!(text_of("compose/.env.example")?.contains(&format!("berth:{version}")), "compose: not {version}");
    Ok(())
}

/// Each key of values.yaml has words, in a comment above it or above its section.
#[test]
fn values_are_explained_and_in_the_schema() -> Result<()> {
    let values = text_of("helm/berth/values.yaml")?;
    let schema: serde_json::Value = serde_json::from_str(&text_of("helm/berth/values.schema.json")?)?;
    let known = schema["properties"].as_object().context("no properties")?;
    let sections = values.lines().filter(|line| !line.starts_with([' ', '#']) && line.contains(':'));
    let sections: Vec<&str> = sections.filter_map(|line| line.split(':').next()).collect();
    for section in &sections {
        ensure!(known.contains_key(*section), "{section} is not in values.schema.json");
    }
    for key in known.keys().filter(|key| *key != "global") {
        ensure!(sections.contains(&key.as_str()), "{key} is not in values.yaml");
    }
    Ok(())
}

//! Values that could not work are refused before anything reaches a cluster, with words about it.

use anyhow::{Context as _, Result};

use super::shipped;
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

//! What the chart says of itself.

use anyhow::{Context as _, Result, ensure};

use super::{shipped, text_of};
use crate::harness::Home;

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

//! The compose project: loaded as docker compose loads it, its secrets made by its own script, its configurations read by
//! the programs that they are for.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{ensure_configuration, files_in, read_by_checker, shipped, text_of};
use crate::harness::{Home, berth, workspace};

/// A copy of what compose needs, as somebody who follows the file's head has it.
async fn project(home: &mut Home) -> Result<Value> {
    for folder in ["compose", "haproxy"] {
        for file in files_in(&workspace().join("deploy").join(folder))?.iter().filter(|file| file.is_file()) {
            let name = file.file_name().context("no name")?.to_string_lossy().into_owned();
            home.write(&format!("{folder}/{name}"), "")?;
            std::fs::copy(file, home.path().join(folder).join(name))?;
        }
    }
    home.set("BERTH", berth()?.display().to_string());
    let made = home.outcome(&home.file("compose/secrets.sh"), &["registry.example.com", "ci"]).await?;
    ensure!(made.success && made.stderr.contains("password of ci: "), "{}", made.text());
    let environment = format!("{}\n{}", text_of("compose/.env.example")?, made.stdout);
    let environment = home.write("compose/.env", &environment)?.display().to_string();
    read_by_checker(home, &["compose", &home.file("compose/compose.yaml"), &environment]).await
}

#[tokio::test]
async fn loads_and_names_what_there_is() -> Result<()> {
    let mut home = Home::new()?;
    let project = project(&mut home).await?;
    let services = project["services"].as_object().context("no services")?;
    let mut names: Vec<&str> = services.keys().map(String::as_str).collect();
    names.sort_unstable();
    ensure!(names == ["berth-1", "berth-2", "bucket", "haproxy", "minio", "postgres"], "{names:?}");
    for (name, service) in services {
        let image = service["image"].as_str().unwrap_or_default();
        ensure!(image.contains(':') && !image.ends_with("latest"), "{name}: no exact version: {image}");
        ensure!(name == "bucket" || service["healthcheck"]["test"].is_array(), "{name} has no health check");
    }
    for kind in ["secrets", "configs"] {
        for (name, entry) in project[kind].as_object().context("none")? {
            let file = entry["file"].as_str().with_context(|| format!("{name} is no file"))?;
            ensure!(std::path::Path::new(file).is_file(), "{name}: no {file}");
        }
    }
    let parts_stay = services["minio"]["environment"]["MINIO_API_STALE_UPLOADS_EXPIRY"].as_str();
    ensure!(parts_stay == Some("192h"), "MinIO drops parts of uploads that go on: {parts_stay:?}");
    for node in ["berth-1", "berth-2"] {
        let node = &services[node];
        ensure!(node["read_only"] == true && node["cap_drop"][0] == "ALL", "{node}");
        ensure!(node["healthcheck"]["test"][2] == "ready", "{node}");
        let target = |volume: &Value| volume["target"].as_str().unwrap_or_default().to_owned();
        let mounted: Vec<String> = node["volumes"].as_array().into_iter().flatten().map(target).collect();
        ensure!(mounted == ["/var/lib/berth", "/var/cache/berth"], "{mounted:?}");
        let users = node["environment"]["BERTH_ACCESS__USERS"].as_str().context("no users")?;
        ensure!(users.contains("$argon2id$v=19$m="), "the hash was changed on the way: {users}");
    }
    Ok(())
}

#[tokio::test]
async fn its_haproxy_takes_the_configuration_and_the_certificate() -> Result<()> {
    let mut home = Home::new()?;
    let project = project(&mut home).await?;
    for (key, value) in project["services"]["haproxy"]["environment"].as_object().context("none")? {
        let value = value.as_str().context("no text")?;
        let value = value.replace("/run/secrets/certificate", &home.file("compose/secrets/certificate.pem"));
        home.set(key, value);
    }
    home.run("haproxy", &["-c", "-f", &home.file("haproxy/haproxy.cfg")]).await?;
    home.run("sh", &["-n", &home.file("compose/bucket.sh")]).await?;
    Ok(())
}

#[tokio::test]
async fn its_nodes_take_their_configuration() -> Result<()> {
    ensure_configuration(&mut Home::new()?, &text_of("compose/berth.yaml")?).await
}

#[tokio::test]
async fn says_what_is_missing() -> Result<()> {
    let home = Home::new()?;
    let (project, environment) = (shipped("compose/compose.yaml"), shipped("compose/.env.example"));
    home.fails("manifests", &["compose", &project, &environment], &["secrets.sh prints"]).await
}

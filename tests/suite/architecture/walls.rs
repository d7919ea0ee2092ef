//! Each outside crate that deny.toml names is used by its wrappers only, or by nobody.

use anyhow::{Context as _, Result, ensure};
use cargo_metadata::{DependencyKind, Node, NodeDep, Package};

use super::quoted;

#[test]
fn outside_crates_stay_in_their_rooms() -> Result<()> {
    let deny = super::deny()?;
    let walls: Vec<Vec<&str>> = deny.lines().filter(|line| line.contains("{ crate =")).map(quoted).collect();
    ensure!(!walls.is_empty(), "deny.toml draws no walls");
    let metadata = super::metadata()?;
    let graph = metadata.resolve.as_ref().context("cargo metadata resolved nothing")?;
    let mut wrong = Vec::new();
    for node in &graph.nodes {
        let user = &metadata[&node.id].name;
        // As for cargo-deny with `exclude-dev`: tests may use what they like.
        let ships = |dependency: &&NodeDep| {
            dependency.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development)
        };
        let all = node.deps.iter().filter(ships).map(|dependency| &metadata[&dependency.pkg].name);
        for used in all.filter(|used| is_on(&metadata[&node.id], node, used.as_str())) {
            let wall = walls.iter().find(|wall| wall[0] == used.as_str());
            if wall.is_some_and(|wall| !wall[1..].contains(&user.as_str())) {
                wrong.push(format!("{user} → {used}"));
            }
        }
    }
    ensure!(wrong.is_empty(), "arrows through the walls of deny.toml: {}", wrong.join(", "));
    Ok(())
}

/// Whether a dependency is built. Cargo's graph also has optional ones that a feature speaks of only in case they are on
/// (`ring?/alloc`).
fn is_on(by: &Package, node: &Node, used: &str) -> bool {
    let mut declared = by.dependencies.iter().filter(|dependency| dependency.name == used);
    let names = [used.to_owned(), format!("dep:{used}")];
    let enables = |what: &String| names.contains(what) || what.starts_with(&format!("{used}/"));
    declared.any(|dependency| !dependency.optional || dependency.rename.is_some())
        || node.features.iter().any(|feature| {
            let feature = feature.to_string();
            feature == used || by.features.get(&feature).is_some_and(|all| all.iter().any(enables))
        })
}

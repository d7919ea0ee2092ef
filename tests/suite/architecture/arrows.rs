//! A room may use rooms on lower floors only. The floors are the table of ARCHITECTURE.md.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use cargo_metadata::{DependencyKind, Package};

use crate::harness::workspace;

/// Rooms for tests alone: every room may use them in its tests.
const TESTS_ONLY: [&str; 2] = [TESTKIT, "berth-engines"];
/// The one of them that may use every room; the others use none.
const TESTKIT: &str = "berth-testkit";

#[test]
fn arrows_point_downwards() -> Result<()> {
    let floors = floors()?;
    let metadata = super::metadata()?;
    let rooms: BTreeMap<&str, &Package> =
        metadata.workspace_packages().into_iter().map(|package| (package.name.as_str(), package)).collect();
    let mut wrong = Vec::new();
    for (&name, &package) in &rooms {
        let in_house =
            package.manifest_path.starts_with(workspace().join("crates").to_string_lossy().as_ref());
        if name == TESTKIT || !in_house {
            continue;
        }
        let tests_only = TESTS_ONLY.contains(&name);
        let floor = floors.get(name);
        ensure!(
            floor.is_some() != tests_only,
            "{name} is not in the table of ARCHITECTURE.md, or has a wrong floor"
        );
        let others = |other: &&cargo_metadata::Dependency| {
            // A room that tests itself with a feature of its own depends on itself.
            rooms.contains_key(other.name.as_str()) && other.name != name
        };
        for dependency in package.dependencies.iter().filter(others) {
            let in_tests = dependency.kind == DependencyKind::Development;
            let fine = match floors.get(&dependency.name) {
                Some(below) => floor.is_some_and(|floor| below < floor),
                None => TESTS_ONLY.contains(&dependency.name.as_str()) && in_tests,
            };
            if !fine {
                wrong.push(format!("{name} → {}", dependency.name));
            }
        }
    }
    ensure!(wrong.is_empty(), "arrows that point up, sideways or out of the house: {}", wrong.join(", "));
    for name in floors.keys() {
        ensure!(rooms.contains_key(name.as_str()), "ARCHITECTURE.md names {name}, which does not exist");
    }
    Ok(())
}

#[test]
fn the_vocabulary_does_no_io() -> Result<()> {
    let metadata = super::metadata()?;
    let package =
        metadata.packages.iter().find(|package| package.name == "berth-oci").context("no berth-oci")?;
    for dependency in package.dependencies.iter().filter(|other| other.kind == DependencyKind::Normal) {
        let outside = ["tokio", "rustix", "libc", "mio", "futures-util", "reqwest", "hyper"];
        ensure!(!outside.contains(&dependency.name.as_str()), "berth-oci depends on {}", dependency.name);
    }
    for file in super::files::sources(&workspace().join("crates/oci/src"))? {
        let text = std::fs::read_to_string(&file)?;
        for outside in ["std::fs", "std::net", "std::process", "std::env", "std::thread", "tokio::"] {
            ensure!(!text.contains(outside), "{} uses {outside}", file.display());
        }
    }
    Ok(())
}

/// Package to floor, from the lines of the form "| 3 | `registry` | …".
fn floors() -> Result<BTreeMap<String, u8>> {
    let text = std::fs::read_to_string(workspace().join("ARCHITECTURE.md")).context("no ARCHITECTURE.md")?;
    let mut floors = BTreeMap::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, floor, room, ..] = cells[..] else { continue };
        let Ok(floor) = floor.parse() else { continue };
        for room in room.split('`').skip(1).step_by(2) {
            let package = if room == "berth" { room.to_owned() } else { format!("berth-{room}") };
            floors.insert(package, floor);
        }
    }
    if floors.is_empty() {
        bail!("ARCHITECTURE.md has no table of floors");
    }
    Ok(floors)
}

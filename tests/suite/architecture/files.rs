//! Files stay small: half of them below 100 lines, 95 % below 450, none above 1,000, each without its tests. And each says what it is
//! for.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::harness::workspace;

#[test]
fn files_stay_small() -> Result<()> {
    let mut sizes = Vec::new();
    for folder in ["crates", "tests", "bench", "fuzz"] {
        let folder = workspace().join(folder);
        if !folder.exists() {
            continue;
        }
        for file in sources(&folder)? {
            sizes.push((lines_without_tests(&std::fs::read_to_string(&file)?), file));
        }
    }
    sizes.sort();
    let at = |percent: usize| sizes[(sizes.len() - 1) * percent / 100].0;
    let largest: Vec<String> =
        sizes.iter().rev().take(5).map(|(lines, file)| format!("{lines} {}", shown(file))).collect();
    let largest = largest.join(", ");
    ensure!(at(50) < 100, "half of the files have {} lines or more, not 100; largest: {largest}", at(50));
    ensure!(at(95) < 450, "5 % of the files have {} lines or more, not 450: {largest}", at(95));
    ensure!(at(100) <= 1000, "a file has more than 1,000 lines: {largest}");
    Ok(())
}

#[test]
fn files_say_what_they_are_for() -> Result<()> {
    let is_test = |file: &Path| file.iter().any(|part| part == "tests" || part == "tests.rs");
    for room in std::fs::read_dir(workspace().join("crates"))? {
        for file in sources(&room?.path().join("src"))? {
            let says = std::fs::read_to_string(&file)?.starts_with("//! ");
            ensure!(says || is_test(&file), "{} begins with no line that says what it is for", shown(&file));
        }
    }
    Ok(())
}

/// Lines before the tests of the file itself.
fn lines_without_tests(text: &str) -> usize {
    let tests = |line: &&str| line.trim_end() == "#[cfg(test)]";
    text.lines().position(|line| tests(&line)).unwrap_or_else(|| text.lines().count())
}

fn shown(file: &Path) -> std::path::Display<'_> {
    file.strip_prefix(workspace()).unwrap_or(file).display()
}

/// Rust files below a folder, but for what builds leave.
pub(super) fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("target") {
            found.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(found)
}

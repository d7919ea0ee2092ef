//! What it takes to have the binary.

use std::fs;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::bench::{Bench, say};
use crate::figure::{Line, Table};
use crate::roster::{BERTH, DISTRIBUTION, DOCKER_REGISTRY};

/// Measures the binaries' sizes and, in a full run, a release build from nothing.
pub(crate) fn run(bench: &Bench) -> Result<Table> {
    let mut table = bench.table("Binary", "", &[]);
    let mut size = Line::cost("size of the program", "MiB");
    let roster = &bench.roster;
    for (name, program) in [
        (BERTH, &roster.berth),
        (DOCKER_REGISTRY, &roster.docker_registry),
        (DISTRIBUTION, &roster.distribution),
    ] {
        if let Some(program) = program {
            size.add(name, fs::metadata(program)?.len() as f64 / 1_048_576.0);
        }
    }
    table.lines.push(size);
    if !bench.quick {
        say("release build from nothing");
        let mut seconds = Line::cost("release build, nothing compiled before", "s");
        seconds.add(BERTH, build(bench)?);
        table.lines.push(seconds);
    }
    Ok(table)
}

fn build(bench: &Bench) -> Result<f64> {
    let target = bench.roster.fresh_directory("build")?;
    let start = Instant::now();
    let output = Command::new("cargo")
        .args(["build", "--release", "--quiet", "--package", "berth", "--target-dir"])
        .arg(&target)
        .current_dir(&bench.source)
        .output()
        .context("running cargo")?;
    let seconds = start.elapsed().as_secs_f64();
    ensure!(output.status.success(), "cargo build: {}", String::from_utf8_lossy(&output.stderr));
    fs::remove_dir_all(target)?;
    Ok(seconds)
}

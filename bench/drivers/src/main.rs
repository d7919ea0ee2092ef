//! Measures rusqlite beside sqlx with the schema and the statements of Berth's catalog, and prints one Markdown table.
//!
//! The files lie in `target/bench` (`BERTH_BENCH_DIR` names another disk) and are deleted at the end.

mod arm;
mod catalog;
mod driver;
mod event;
mod load;
mod made_up;
mod pull;
mod push;
mod with_rusqlite;
mod with_sqlx;

use std::path::{Path, PathBuf};

use arm::{ARMS, Arm};
use driver::Result;
use load::Figures;

/// How often each arm is measured, the arms in turn; the table shows medians.
const RUNS: usize = 3;
/// Threads that the tasks share.
const THREADS: usize = 2;

fn main() -> Result<()> {
    let directory = std::env::var_os("BERTH_BENCH_DIR").map_or_else(|| "target/bench".into(), PathBuf::from);
    std::fs::create_dir_all(&directory)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
    let mut measured = ARMS.map(|arm| (arm, Vec::with_capacity(RUNS)));
    for run in 1..=RUNS {
        for (arm, figures) in &mut measured {
            let (unit, way) = arm.name();
            eprintln!("… run {run}: {unit}, {way}");
            figures.push(runtime.block_on(measure(*arm, &directory))?);
        }
    }
    print(&measured);
    Ok(())
}

/// Measures an arm once, on a catalog of its own.
async fn measure(arm: Arm, directory: &Path) -> Result<Figures> {
    let directory = tempfile::tempdir_in(directory)?;
    let file = directory.path().join("catalog.db");
    catalog::create(&file)?;
    arm.measure(&file).await
}

fn print(measured: &[(Arm, Vec<Figures>)]) {
    println!("| unit | driver | units/s | CPU µs/unit | p99 µs |");
    println!("|---|---|---:|---:|---:|");
    for (arm, figures) in measured {
        let (unit, way) = arm.name();
        let rate = median(figures, |run| run.units_per_second);
        let cpu = median(figures, |run| run.cpu_micros);
        let p99 = median(figures, |run| run.p99_micros);
        println!("| {unit} | {way} | {rate:.0} | {cpu:.1} | {p99:.0} |");
    }
}

/// The middle of an odd number of runs.
fn median(runs: &[Figures], figure: fn(&Figures) -> f64) -> f64 {
    let mut values: Vec<f64> = runs.iter().map(figure).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

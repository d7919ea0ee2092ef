//! Checks the machine and the configuration, and says what to fix.

mod clock;
mod directory;
mod disk;
mod limits;
mod listen;
mod report;
mod secrets;
mod shared;
mod tls;

use std::process::ExitCode;

use crate::cli::Doctor;
use crate::config::{self, Config};
use crate::data;
use report::{Finding, Report};

/// Runs all checks; fails when something must be fixed.
pub(super) fn run(arguments: Doctor) -> ExitCode {
    let mut report = Report::default();
    match config::load_for_serving(arguments.flags.into()) {
        Ok(loaded) => {
            let source = loaded.file.map_or("defaults".to_owned(), |file| file.display().to_string());
            report.add(Finding::good("configuration", source));
            examine(&loaded.config, &mut report);
        }
        Err(error) => report.add(Finding::bad("configuration", format!("{error:#}"), "correct it")),
    }
    report.end()
}

/// Tells whether a server works on the data directory now, which then also listens.
fn is_running(config: &Config) -> bool {
    config.data_dir.join("lock").exists() && matches!(data::lock(config), Ok(None))
}

fn examine(config: &Config, report: &mut Report) {
    let start = clock::Reading::now();
    if !config.is_stateless()
        && let Some(ground) = directory::check(&config.data_dir, report)
    {
        disk::check(&ground, report);
    }
    shared::check(config, report);
    secrets::check(config, report);
    limits::check(&config.http, report);
    if let Some(files) = &config.http.tls {
        tls::check(&files.certificate, &files.key, start.time(), report);
    }
    let running = is_running(config);
    for address in &config.http.listen {
        report.add(listen::check(*address, running));
    }
    clock::check(&start, &config.data_dir, report);
}

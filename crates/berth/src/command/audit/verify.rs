//! Whether the trail is whole.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use berth_audit::SignedCheckpoint;
use berth_audit::verify::{Report, Request, verify};
use berth_blobs::Shelf;

use super::{on, print};
use crate::cli::VerifyAudit;

pub(super) fn run(arguments: VerifyAudit) -> Result<ExitCode> {
    let exported = arguments.checkpoint.iter().map(|file| read(file)).collect::<Result<Vec<_>>>()?;
    on(arguments.place, async |opened| {
        let keys = if arguments.key.is_empty() { opened.keys().await?.public() } else { arguments.key };
        let persons = opened.persons().await?;
        // Where the server puts them, unless they were carried elsewhere.
        let archives = arguments.archive.or_else(|| opened.config.audit_place().archive);
        let archives = archives.filter(|_| !arguments.no_archive).map(|place| Shelf::directory(&place));
        let request = Request {
            keys,
            exported,
            persons: Some(&persons),
            catalog: Some(&opened.catalog),
            archives: archives.as_ref(),
        };
        let report = verify(&opened.trail, &request).await?;
        print(text(&report))?;
        Ok(if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

fn read(file: &Path) -> Result<SignedCheckpoint> {
    let text = std::fs::read(file).with_context(|| format!("{} can't be read", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is no checkpoint", file.display()))
}

fn text(report: &Report) -> String {
    let mut text = format!("{} records, {} to {}", report.records, report.first, report.last);
    if report.archived > 0 {
        let _ = write!(text, ", and {} in archives", report.archived);
    }
    text.push('\n');
    if let Some(hash) = report.hash {
        let _ = writeln!(text, "the last one has the hash {hash}");
    }
    match report.signed_until {
        Some(position) => {
            let _ =
                writeln!(text, "{} checkpoints agree, the last signs record {position}", report.checkpoints);
        }
        None => text.push_str("no checkpoint signs any of them\n"),
    }
    let _ = writeln!(
        text,
        "{} agree with the event log, {} with what is sealed in them; {} are of persons who were erased",
        report.events, report.compared, report.erased
    );
    for unchecked in &report.unchecked {
        let _ = writeln!(text, "not checked: {unchecked}");
    }
    for damage in &report.damage {
        let _ = writeln!(text, "{damage}");
    }
    text.push_str(if report.is_whole() { "whole\n" } else { "NOT whole\n" });
    text
}

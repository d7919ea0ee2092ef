//! From the start of the process to the answer of its first request.

use std::time::Instant;

use anyhow::Result;

use crate::bench::{Bench, say};
use crate::figure::{Against, Line, Table, at_most};
use crate::roster::BERTH;

/// Measures starts on an empty store; `full_store_seconds` are Berth's on a full one, if that was filled.
pub(crate) fn run(bench: &Bench, full_store_seconds: &[f64]) -> Result<Table> {
    let mut table =
        bench.table("Start", "Seconds until `GET /v2/` is answered, from the start of the process.", &[]);
    let mut empty = Line::cost("empty store", "s").goal(at_most(0.2, Against::Nothing));
    for name in bench.roster.names() {
        if bench.roster.given.iter().any(|(given, _)| *given == name) {
            continue;
        }
        say(&format!("start, {name}"));
        for _ in 0..bench.runs() {
            let start = Instant::now();
            let server = bench.roster.start_one(&name)?;
            empty.add(&name, start.elapsed().as_secs_f64());
            server.stop();
        }
    }
    table.lines.push(empty);
    if !full_store_seconds.is_empty() {
        let mut full = Line::cost("full store (the last column of the growth table)", "s")
            .goal(at_most(0.2, Against::Nothing));
        for seconds in full_store_seconds {
            full.add(BERTH, *seconds);
        }
        table.lines.push(full);
    }
    Ok(table)
}

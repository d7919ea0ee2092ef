//! From the start of the process to the answer of its first request.

use std::time::Instant;

use anyhow::Result;

use crate::bench::{Bench, say};
use crate::figure::{Against, Goal, Line, Table, at_most};
use crate::roster::BERTH;

const GOAL: Goal = at_most(0.2, Against::Nothing);

/// Measures starts on an empty store; `full_store_seconds` are Berth's on a full one, if that was filled.
pub(crate) fn run(bench: &Bench, full_store_seconds: &[f64]) -> Result<Table> {
    let mut table =
        bench.table("Start", "Seconds until `GET /v2/` is answered, from the start of the process.", &[]);
    let mut empty = Line::cost("empty store", "s").goal(GOAL);
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
    if let [first, later @ ..] = full_store_seconds {
        let mut full =
            Line::cost("full store (last column of the growth table), after the load", "s").goal(GOAL);
        full.add(BERTH, *first);
        let mut again = Line::cost("… once more", "s").goal(GOAL);
        for seconds in later {
            again.add(BERTH, *seconds);
        }
        table.lines.extend([full, again]);
    }
    Ok(table)
}

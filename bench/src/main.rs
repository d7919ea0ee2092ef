//! Measures Berth beside other registries and beside the limits of the machine, and prints Markdown tables.
//!
//! `bench/run` installs and builds what this needs, then starts it; `bench/README.md` says what the rows mean.

mod arguments;
mod bench;
mod content;
mod engine;
mod figure;
mod flood;
mod http;
mod limit;
mod load;
mod machine;
mod made_up;
mod registry;
mod roster;
mod row;
mod server;
mod shared;
mod statement;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

use crate::arguments::Arguments;
use crate::bench::{Bench, say};
use crate::figure::Table;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["hyper", address, bytes] => serve_hyper(address, bytes),
        ["check", ..] => Arguments::parse(&arguments[1..]).map(drop),
        _ => Arguments::parse(&arguments).and_then(|arguments| measure(&arguments)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve_hyper(address: &str, bytes: &str) -> Result<()> {
    limit::serve_hyper(address.parse()?, bytes.parse()?)
}

fn measure(arguments: &Arguments) -> Result<()> {
    let start = Instant::now();
    let bench = &arguments.bench;
    std::fs::create_dir_all(&bench.roster.directory)?;
    println!("# Berth beside its peers\n\n{}.\n", machine::describe());
    let runs = if bench.runs() == 1 { "single runs" } else { "medians of three runs, the servers in turn" };
    println!("Loopback, load generator on the same cores; {runs}. MB = 10^6 bytes, GB = 10^9, MiB = 2^20.\n");
    let mut full_store_seconds = Vec::new();
    let groups: [(&str, Group); 18] = [
        ("manifest", row::manifest::run),
        ("blob", row::blob::run),
        ("cold", row::cold::run),
        ("tls", row::tls::run),
        ("token", row::token::run),
        ("push", row::push::run),
        ("image", row::image::run),
        ("listing", row::listing::run),
        ("scale", |_| anyhow::bail!("measured apart")),
        ("collect", row::collect::run),
        ("memory", row::memory::run),
        ("start", |_| anyhow::bail!("measured apart")),
        ("build", row::build::run),
        ("bucket", row::bucket::run),
        ("nodes", row::nodes::run),
        ("queries", row::queries::run),
        ("tags", row::tags::run),
        ("audit", row::audit::run),
    ];
    for (name, group) in groups {
        if !arguments.wants(name) {
            continue;
        }
        let table = match name {
            "scale" => row::scale::run(bench).map(|(table, seconds)| {
                full_store_seconds = seconds;
                table
            }),
            "start" => row::start::run(bench, &full_store_seconds),
            _ => group(bench),
        };
        match table {
            Ok(table) => println!("{}", table.render()),
            // One group that can't be measured must not cost the others their hour.
            Err(error) => println!("## {name}\n\nNot measured: {error:#}\n"),
        }
    }
    std::fs::remove_dir_all(&bench.roster.directory)?;
    say(&format!("done in {:.0} s", start.elapsed().as_secs_f64()));
    Ok(())
}

/// Measures one group of rows.
type Group = fn(&Bench) -> Result<Table>;

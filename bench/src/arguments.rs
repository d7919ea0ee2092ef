//! The command line, filled in by `bench/run`.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::bench::Bench;
use crate::roster::Roster;

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// The run.
    pub(crate) bench: Bench,
    only: Vec<String>,
}

/// Groups of rows that are measured unless others are named, in the order of the report.
const GROUPS: [&str; 13] = [
    "manifest", "blob", "cold", "tls", "token", "push", "image", "listing", "scale", "collect", "memory", "start",
    "build",
];

/// Groups of rows that are measured when they are named: they start databases and object stores.
const SHARED: [&str; 5] = ["bucket", "nodes", "queries", "tags", "audit"];

const USAGE: &str = "usage: bench/run [--quick] [--only GROUP[,GROUP…]] [--tags NUMBER] [NAME=URL…]
groups: manifest blob cold tls token push image listing scale collect memory start build
named only: bucket nodes queries tags audit";

impl Arguments {
    /// Reads the arguments, and refuses what would only fail after an hour.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self> {
        let mut roster = Roster { directory: PathBuf::from("target/bench"), ..Roster::default() };
        let (mut quick, mut only, mut source, mut tags) = (false, Vec::new(), PathBuf::from("."), None);
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut value =
                || rest.next().map(PathBuf::from).with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--quick" => quick = true,
                "--only" => {
                    let names = value()?;
                    only.extend(names.to_string_lossy().split(',').map(str::to_owned));
                }
                "--tags" => tags = Some(value()?.to_string_lossy().parse().context("--tags needs a number")?),
                "--berth" => roster.berth = Some(value()?),
                "--docker-registry" => roster.docker_registry = Some(value()?),
                "--distribution" => roster.distribution = Some(value()?),
                "--nginx" => roster.nginx = Some(value()?),
                "--directory" => roster.directory = value()?,
                "--source" => source = value()?,
                "--help" | "-h" => bail!("{USAGE}"),
                other => match other.split_once('=') {
                    Some((name, url)) if !name.starts_with('-') => {
                        roster.given.push((name.to_owned(), url.to_owned()));
                    }
                    _ => bail!("unknown argument {other}\n{USAGE}"),
                },
            }
        }
        roster.directory = std::path::absolute(&roster.directory)?;
        if let Some(unknown) = only.iter().find(|name| !is_group(name)) {
            bail!("unknown group {unknown}\n{USAGE}");
        }
        let tags = tags.unwrap_or(if quick { 100_000 } else { 10_000_000 });
        Ok(Self { bench: Bench { roster, quick, source, tags }, only })
    }

    /// Tells whether a group of rows is asked for.
    pub(crate) fn wants(&self, group: &str) -> bool {
        let by_default = self.only.is_empty() && GROUPS.contains(&group);
        by_default || self.only.iter().any(|name| name == group)
    }
}

fn is_group(name: &str) -> bool {
    GROUPS.contains(&name) || SHARED.contains(&name)
}

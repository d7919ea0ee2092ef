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

/// Groups of rows, in the order of the report.
const GROUPS: [&str; 12] = [
    "manifest", "blob", "cold", "tls", "push", "image", "listing", "scale", "collect", "memory", "start",
    "build",
];

const USAGE: &str = "usage: bench/run [--quick] [--only GROUP[,GROUP…]] [NAME=URL…]
groups: manifest blob cold tls push image listing scale collect memory start build";

impl Arguments {
    /// Reads the arguments, and refuses what would only fail after an hour.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self> {
        let mut roster = Roster { directory: PathBuf::from("target/bench"), ..Roster::default() };
        let (mut quick, mut only, mut source) = (false, Vec::new(), PathBuf::from("."));
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
        if let Some(unknown) = only.iter().find(|name| !GROUPS.contains(&name.as_str())) {
            bail!("unknown group {unknown}\n{USAGE}");
        }
        Ok(Self { bench: Bench { roster, quick, source }, only })
    }

    /// Tells whether a group of rows is asked for.
    pub(crate) fn wants(&self, group: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == group)
    }
}

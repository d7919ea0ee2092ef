//! What the kernel knows: processor time and memory of a server, the page cache, who listens on a port.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Processor seconds (user and system) that a process and its children have used so far.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let ticks: u64 = family(pid)?.values().map(|stat| stat.ticks).sum();
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// Resident memory of a process and its children, in MiB.
pub(crate) fn resident_mib(pid: u32) -> Result<f64> {
    let page_bytes = rustix::param::page_size() as f64;
    let pages: u64 = family(pid)?.values().map(|stat| stat.resident_pages).sum();
    Ok(pages as f64 * page_bytes / 1_048_576.0)
}

struct Stat {
    parent: u32,
    ticks: u64,
    resident_pages: u64,
}

/// A process and everything below it, by process id.
fn family(root: u32) -> Result<BTreeMap<u32, Stat>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process may end while the directory is read.
        let Ok(text) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        if let Some(stat) = parse_stat(&text) {
            all.insert(pid, stat);
        }
    }
    anyhow::ensure!(all.contains_key(&root), "process {root} is gone");
    let mut members = BTreeSet::from([root]);
    loop {
        let more: Vec<u32> = all
            .iter()
            .filter(|(pid, stat)| members.contains(&stat.parent) && !members.contains(*pid))
            .map(|(pid, _)| *pid)
            .collect();
        if more.is_empty() {
            break;
        }
        members.extend(more);
    }
    all.retain(|pid, _| members.contains(pid));
    Ok(all)
}

/// Reads the fields after the command name, which may itself hold blanks and brackets (proc(5)).
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    // Its own, and those of its children that have ended: a database has a process for each connection.
    let ticks = (11..=14).map(number).sum::<Option<u64>>()?;
    Some(Stat { parent: number(1)? as u32, ticks, resident_pages: number(21)? })
}

/// Empties the page cache: the whole one where the kernel lets us, else the files below `store`.
pub(crate) fn drop_page_cache(store: &Path) -> Result<&'static str> {
    rustix::fs::sync();
    if fs::write("/proc/sys/vm/drop_caches", "3").is_ok() {
        return Ok("drop_caches");
    }
    evict(store)?;
    Ok("posix_fadvise")
}

fn evict(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            evict(&entry.path())?;
        } else if let Ok(file) = fs::File::open(entry.path()) {
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
        }
    }
    Ok(())
}

/// The process that listens on a TCP port of this machine, found through the inode of its socket.
pub(crate) fn listener(port: u16) -> Result<u32> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let suffix = format!(":{port:04X}");
    let inode = tables
        .iter()
        .flat_map(|table| table.lines().skip(1))
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|fields| fields.len() > 9 && fields[1].ends_with(&suffix) && fields[3] == "0A")
        .map(|fields| format!("socket:[{}]", fields[9]))
        .with_context(|| format!("nothing listens on port {port}"))?;
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(files) = fs::read_dir(entry.path().join("fd")) else { continue };
        for file in files.flatten() {
            if fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == inode.as_str()) {
                return Ok(pid);
            }
        }
    }
    anyhow::bail!("no process found that listens on port {port}")
}

/// Processor and memory of the machine, for the head of the report.
pub(crate) fn describe() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory
        .lines()
        .next()
        .and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        .unwrap_or(0);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    format!(
        "{model}, {cores} cores, {} GiB, Linux {}, load average at the start {load}",
        kib / 1_048_576,
        kernel.trim()
    )
}

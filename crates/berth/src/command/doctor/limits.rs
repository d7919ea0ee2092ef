//! Whether the process may open as many files as its connections need.

use rustix::process::{Resource, getrlimit};

use super::report::{Finding, Report};

const SUBJECT: &str = "open files";
/// Berth's own: database connections, blobs being read and written, logs.
const OWN: u64 = 1_024;
const LEAST: u64 = 512;

/// Checks how many files the process may have open. `berth serve` raises its own limit up to the hard one.
pub(super) fn check(http: &berth_server::Config, report: &mut Report) {
    let wanted = http.limits.connections as u64 + OWN;
    let hard = getrlimit(Resource::Nofile).maximum;
    let fix = format!(
        "LimitNOFILE={wanted} in the systemd unit, --ulimit nofile={wanted} for docker, or fewer http.limits.connections"
    );
    report.add(match hard {
        None => Finding::good(SUBJECT, "no limit"),
        Some(limit) if limit < LEAST => Finding::bad(SUBJECT, format!("at most {limit}"), fix),
        Some(limit) if limit < wanted => Finding::doubtful(
            SUBJECT,
            format!("at most {limit}, too few for {} connections at once", http.limits.connections),
            fix,
        ),
        Some(limit) => Finding::good(SUBJECT, format!("at most {limit}")),
    });
}

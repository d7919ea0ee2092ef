//! Whether the key that secrets are sealed under can be had, lies apart from them, and is ours alone.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::super::block_on;
use super::report::{Finding, Report};
use crate::config::Config;
use crate::vault;

const SUBJECT: &str = "secrets";
const OF_OTHERS: u32 = 0o077;
const MAKE: &str = "openssl rand -base64 32 > KEYFILE && chmod 600 KEYFILE, set secrets.key_file, restart, then run berth secrets rotate";

/// Checks that the key to the secrets in the catalog can be had, and does not lie beside them.
pub(super) fn check(config: &Config, report: &mut Report) {
    report.add(match block_on(vault::configured(config)) {
        Err(error) => {
            Finding::bad(SUBJECT, format!("{error:#}"), "give the key that secrets are sealed under, or make one")
        }
        Ok(keys) if keys.is_empty() => Finding::doubtful(
            SUBJECT,
            "the key lies in the catalog, beside what is sealed under it: a copy of the catalog opens every secret",
            MAKE,
        ),
        Ok(keys) => match config.secrets.key_file.as_deref().and_then(|file| exposed(file, &config.data_dir)) {
            Some(finding) => finding,
            None => Finding::good(SUBJECT, format!("sealed under key {} of {}", keys[0].id(), keys.len())),
        },
    });
}

/// Finds what others could do with a file that holds keys.
fn exposed(file: &Path, data_dir: &Path) -> Option<Finding> {
    let shown = file.display();
    let within = fs::canonicalize(file).ok()?.starts_with(fs::canonicalize(data_dir).unwrap_or_default());
    if within && data_dir.is_dir() {
        return Some(Finding::bad(
            SUBJECT,
            format!(
                "{shown} lies in the data directory, beside what is sealed under it: a copy of it opens every secret"
            ),
            "move the file to a place that is not copied along",
        ));
    }
    let mode = fs::metadata(file).ok()?.mode();
    (mode & OF_OTHERS != 0).then(|| {
        Finding::doubtful(
            SUBJECT,
            format!("{shown} can be read by other users of this machine"),
            format!("chmod 600 {shown}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::command::doctor::report::Grade;

    #[test]
    fn a_key_beside_what_it_protects_is_flagged() {
        let (data, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let grade = |file: &Path, mode| {
            fs::write(file, "key").unwrap();
            fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
            exposed(file, data.path()).map(|finding| finding.grade)
        };
        assert_eq!(grade(&data.path().join("key"), 0o600), Some(Grade::Bad));
        assert_eq!(grade(&elsewhere.path().join("key"), 0o644), Some(Grade::Doubtful));
        assert_eq!(grade(&elsewhere.path().join("key"), 0o600), None);
        assert_eq!(exposed(&elsewhere.path().join("none"), data.path()).map(|finding| finding.grade), None);
    }
}

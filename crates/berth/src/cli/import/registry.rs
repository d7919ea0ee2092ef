//! The command line of an import from a running registry.

use std::path::PathBuf;

use clap::Args;

use super::Place;

#[derive(Debug, Args)]
#[command(after_help = "\
Repositories are pulled from the other registry and pushed here: manifests byte for byte,
indexes with all their platforms, signatures and bills of materials with what they refer to. A
tag moves when everything below it is in. What is here already is not fetched again, so another
run takes only what has changed: run it once days before the switch, and once more when the
other registry is read-only. Nothing is deleted here, and tags here that differ from those there
are set as there. The times at which tags were set can't be kept.

A running server does the work, and reads the files named here; without one, --now does it at
once. Credentials are never written to the catalog. In patterns, * stays within one part of a
name and ** does not.

Examples:
      berth import registry https://old.example.com --dry-run
      berth import registry https://old.example.com \\
          --username robot --password-file /etc/berth/old.password --now
      berth import registry https://harbor.example.com --authfile /etc/berth/auth.json \\
          --repository 'team/**' --exclude '**:*-debug'
      berth import registry old.example.com:5000 --ca-file /etc/berth/old-ca.pem \\
          --tag 'v*' --prefix mirror --rename library=base
      berth import registry --status")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct ImportRegistry {
    /// Address of the other registry, such as `https://old.example.com`
    #[arg(required_unless_present_any = ["status", "cancel"])]
    pub(crate) registry: Option<String>,
    /// Take the repositories that match; may be given several times [default: all]
    #[arg(long, value_name = "GLOB")]
    pub(crate) repository: Vec<String>,
    /// Take the tags that match; may be given several times [default: all]
    #[arg(long, value_name = "GLOB")]
    pub(crate) tag: Vec<String>,
    /// Leave out the repositories that match, or the tags when written REPOSITORY:TAG; may be given several times
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// Look at the repositories named in this file, one a line, instead of asking the registry for its list
    #[arg(long, value_name = "FILE")]
    pub(crate) repositories_from: Option<PathBuf>,
    /// Put this before every name here
    #[arg(long, value_name = "NAME")]
    pub(crate) prefix: Option<String>,
    /// Call here NEW what begins with OLD there; may be given several times, the first that fits counts
    #[arg(long, value_name = "OLD=NEW", value_parser = rename)]
    pub(crate) rename: Vec<(String, String)>,
    /// User there, with --password-file
    #[arg(long, value_name = "NAME", requires = "password_file", conflicts_with = "authfile")]
    pub(crate) username: Option<String>,
    /// File whose first line is the password
    #[arg(long, value_name = "FILE", requires = "username")]
    pub(crate) password_file: Option<PathBuf>,
    /// File of credentials as docker login and podman login write it; helper programs are not run
    #[arg(long, value_name = "FILE")]
    pub(crate) authfile: Option<PathBuf>,
    /// Certificates (PEM) of authorities to trust beside the system's
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Speak to the registry without TLS; on this machine, an http:// address says so by itself
    #[arg(long)]
    pub(crate) plain_http: bool,
    /// Tags and blobs at a time [default: 4]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) parallel: Option<u16>,
    /// Bytes of blobs per second at most [default: no limit]
    #[arg(long, value_name = "BYTES", default_value_t = 0, hide_default_value = true)]
    pub(crate) bytes_per_second: u64,
    /// Only tell what would come
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Wait for the end and show progress
    #[arg(long)]
    pub(crate) now: bool,
    /// Only tell how the last import of this kind stands
    #[arg(long, conflicts_with_all = ["registry", "now", "dry_run", "cancel"])]
    pub(crate) status: bool,
    /// End the import that is under way; what it took stays
    #[arg(long, conflicts_with_all = ["registry", "now", "dry_run"])]
    pub(crate) cancel: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

fn rename(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((old, new)) if !old.is_empty() => Ok((old.to_owned(), new.to_owned())),
        _ => Err("write OLD=NEW, for example library=base".to_owned()),
    }
}

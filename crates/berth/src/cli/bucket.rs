//! The command line of buckets that are not the registry's own: where a backup is kept, or where another registry stored.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use berth_blobs::{BucketConfig, Credentials, Shelf};
use clap::Args;

use crate::config::secret;

/// A directory, or a bucket and a prefix in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A directory.
    Directory(PathBuf),
    /// `s3://bucket/prefix`.
    Bucket(String),
}

impl From<OsString> for Address {
    fn from(text: OsString) -> Self {
        match text.to_str() {
            Some(url) if url.starts_with("s3://") => Self::Bucket(url.to_owned()),
            _ => Self::Directory(text.into()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => path.display().fmt(f),
            Self::Bucket(url) => f.write_str(url),
        }
    }
}

/// How to reach a bucket that is named on the command line.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "How to reach a bucket (s3://BUCKET/PREFIX)")]
pub(crate) struct BucketFlags {
    /// Address of the service, such as `https://minio.example.org:9000` [default: AWS in the region]
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL")]
    pub(crate) endpoint: Option<String>,
    /// Region that requests are signed for [default: us-east-1, which other services than AWS take]
    #[arg(long, value_name = "NAME", env = "AWS_REGION")]
    pub(crate) region: Option<String>,
    /// File of PEM certificates to trust beside those of the system
    #[arg(long, value_name = "FILE", env = "AWS_CA_BUNDLE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Put the bucket's name in front of the host, as OSS and OBS ask for, not into the path
    #[arg(long)]
    pub(crate) virtual_hosted_style: bool,
    /// File that holds the access key's id [default: `AWS_ACCESS_KEY_ID`, a web identity, or the instance's role]
    #[arg(long, value_name = "FILE", requires = "secret_access_key_file")]
    pub(crate) access_key_id_file: Option<PathBuf>,
    /// File that holds the secret access key [default: `AWS_SECRET_ACCESS_KEY`, a web identity, or the instance's role]
    #[arg(long, value_name = "FILE", requires = "access_key_id_file")]
    pub(crate) secret_access_key_file: Option<PathBuf>,
}

impl BucketFlags {
    /// Returns how to reach the bucket of an `s3://` address; reads the credentials.
    pub(crate) fn config(&self, url: &str) -> Result<BucketConfig> {
        let mut config = BucketConfig::new(url)?;
        config.endpoint.clone_from(&self.endpoint);
        config.region.clone_from(&self.region);
        config.ca_file.clone_from(&self.ca_file);
        config.virtual_hosted_style = self.virtual_hosted_style;
        if let (Some(id), Some(secret)) = (&self.access_key_id_file, &self.secret_access_key_file) {
            config.credentials = Some(Credentials {
                access_key_id: secret::read(id).context("--access-key-id-file")?,
                secret_access_key: secret::read(secret).context("--secret-access-key-file")?,
            });
        }
        config.check()?;
        Ok(config)
    }

    /// Names the place at an address; sends nothing.
    pub(crate) fn shelf(&self, address: &Address) -> Result<Shelf> {
        match address {
            Address::Bucket(url) => {
                let opened = self.config(url).and_then(|config| Ok(Shelf::bucket(&config)?));
                opened.with_context(|| format!("bucket {url} can't be used"))
            }
            // A service that isn't S3's would become a directory of this name.
            Address::Directory(path) if path.to_string_lossy().contains("://") => {
                bail!("{} is neither a directory nor s3://BUCKET/PREFIX", path.display())
            }
            Address::Directory(path) => Ok(Shelf::directory(path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, FromArgMatches as _, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[arg(value_parser = clap::builder::OsStringValueParser::new())]
        address: OsString,
        #[command(flatten)]
        bucket: BucketFlags,
    }

    fn parse(arguments: &[&str]) -> Result<Line, clap::Error> {
        let matches = Line::command().try_get_matches_from(arguments)?;
        Line::from_arg_matches(&matches)
    }

    #[test]
    fn addresses_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let (id, secret) = (dir.path().join("id"), dir.path().join("secret"));
        std::fs::write(&id, "key\n").unwrap();
        std::fs::write(&secret, "hush\n").unwrap();
        let (id, secret) = (id.display().to_string(), secret.display().to_string());
        let line = parse(&[
            "test",
            "s3://backups/berth",
            "--endpoint=https://minio:9000",
            "--access-key-id-file",
            &id,
            "--secret-access-key-file",
            &secret,
        ]);
        let line = line.unwrap();
        let Address::Bucket(url) = line.address.into() else { panic!("no bucket") };
        let config = line.bucket.config(&url).unwrap();
        assert_eq!((config.name.as_str(), config.prefix.as_str()), ("backups", "berth"));
        assert_eq!(config.endpoint.as_deref(), Some("https://minio:9000"));
        assert_eq!(config.credentials.unwrap().secret_access_key, "hush");

        let flags = BucketFlags::default();
        assert_eq!(Address::from(OsString::from("backup")), Address::Directory("backup".into()));
        assert!(flags.shelf(&Address::from(OsString::from("gs://backups"))).is_err());
        assert!(flags.shelf(&Address::from(OsString::from("s3://a/../b"))).is_err());
        assert!(parse(&["test", "s3://backups", "--access-key-id-file", &id]).is_err(), "half of a key");
    }
}

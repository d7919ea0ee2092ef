//! The bucket of another registry that is imported: how it is noted in the catalog, and opened from there on every node.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use berth_blobs::BucketConfig;
use berth_registry::{OLD_LAYOUT, OldBucket, OldRegistry, OpenOldBucket};
use serde::{Deserialize, Serialize};

use crate::cli::BucketFlags;
use crate::config::{Bucket, Config};

/// What is noted: never a secret, only where one lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Noted {
    /// Reached as each node's `storage.bucket` is.
    LikeStorage(String),
    /// Reached as it was said.
    Itself(Box<Bucket>),
}

/// Says which bucket is to be imported, in the registry's words.
pub(crate) fn old_bucket(config: &Config, url: &str, flags: &BucketFlags) -> Result<OldRegistry> {
    let said = flags.endpoint.is_some() || flags.access_key_id_file.is_some();
    let noted = if config.storage.bucket.is_some() && !said {
        Noted::LikeStorage(url.to_owned())
    } else {
        Noted::Itself(Box::new(itself(url, flags)?))
    };
    let bucket = noted.bucket(config)?;
    let BucketConfig { name, prefix, .. } = BucketConfig::new(url)?;
    let service = bucket.endpoint.as_deref().map_or("AWS", |endpoint| endpoint.trim_end_matches('/'));
    let name = format!("s3://{} at {service}", [name, prefix].join("/").trim_end_matches('/'));
    Ok(OldRegistry::Bucket { name, address: serde_json::to_string(&noted)? })
}

/// Returns how this node opens what was noted.
pub(super) fn opener(config: &Config) -> OpenOldBucket {
    let config = config.clone();
    OpenOldBucket::with(move |address| open(&config, address).map_err(|error| format!("{error:#}")))
}

fn open(config: &Config, address: &str) -> Result<OldBucket> {
    let noted: Noted = serde_json::from_str(address).context("its address was noted by another version")?;
    let bucket = noted.bucket(config)?;
    let mut below = bucket.config()?;
    if !below.prefix.ends_with(OLD_LAYOUT) {
        if !below.prefix.is_empty() {
            below.prefix.push('/');
        }
        below.prefix.push_str(OLD_LAYOUT);
    }
    // Who is sent to our own bucket by a link is sent to another of the same service.
    let links = config
        .storage
        .bucket
        .as_ref()
        .is_some_and(|own| (&own.endpoint, &own.region) == (&bucket.endpoint, &bucket.region));
    Ok(OldBucket { bucket: berth_blobs::Bucket::open(&below)?, links })
}

impl Noted {
    fn bucket(&self, config: &Config) -> Result<Bucket> {
        match self {
            Self::Itself(bucket) => Ok(bucket.as_ref().clone()),
            Self::LikeStorage(url) => {
                let own = config.storage.bucket.clone();
                let own = own.context("storage.bucket, as which it is reached, is not set on this node")?;
                Ok(Bucket { url: url.clone(), ..own })
            }
        }
    }
}

fn itself(url: &str, flags: &BucketFlags) -> Result<Bucket> {
    // Every node reads them, wherever it was started.
    let absolute = |path: &Option<PathBuf>| path.as_deref().map(std::path::absolute::<&Path>).transpose();
    Ok(Bucket {
        endpoint: flags.endpoint.clone(),
        region: flags.region.clone(),
        access_key_id_file: absolute(&flags.access_key_id_file)?,
        secret_access_key_file: absolute(&flags.secret_access_key_file)?,
        virtual_hosted_style: flags.virtual_hosted_style,
        ca_file: absolute(&flags.ca_file)?,
        ..Bucket::at(url)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(config: &Config, flags: &BucketFlags) -> (String, String) {
        match old_bucket(config, "s3://images/old/", flags).unwrap() {
            OldRegistry::Bucket { name, address } => (name, address),
            OldRegistry::Directory(_) => panic!("a directory"),
        }
    }

    #[test]
    fn a_bucket_is_reached_as_our_own_unless_it_is_said_otherwise() {
        let mut config = Config::default();
        let (name, address) = noted(&config, &BucketFlags::default());
        assert_eq!(name, "s3://images/old at AWS");
        assert!(address.contains("itself"), "{address}");
        let own = Bucket { endpoint: Some("http://127.0.0.1:1".into()), ..Bucket::at("s3://own") };
        config.storage.bucket = Some(own);
        let (name, address) = noted(&config, &BucketFlags::default());
        assert_eq!(name, "s3://images/old at http://127.0.0.1:1");
        let opened = open(&config, &address).unwrap();
        assert!(opened.links && format!("{:?}", opened.bucket).contains("images"));

        let flags = BucketFlags { endpoint: Some("http://127.0.0.1:2/".into()), ..BucketFlags::default() };
        let (name, address) = noted(&config, &flags);
        assert_eq!(name, "s3://images/old at http://127.0.0.1:2");
        assert!(!open(&config, &address).unwrap().links);
        assert!(open(&Config::default(), r#"{"like_storage":"s3://a"}"#).is_err());
    }
}

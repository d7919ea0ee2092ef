//! Where bytes lie: files in the data directory, or a bucket that many nodes share.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use berth_blobs::{BucketConfig, Credentials, Encryption};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret;

/// How bytes are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Storage {
    /// Blobs up to this many bytes lie in the catalog, larger ones in files or objects.
    pub inline_bytes: usize,
    /// Bytes of the disk that uploads leave free, so that the catalog can go on writing; at most a fiftieth of the disk.
    pub reserve_bytes: u64,
    /// Memory for manifests and small blobs that are pulled often, in bytes.
    pub cache_bytes: u64,
    /// Hash every blob again before it is served. Costs a whole read per pull; the scrub does the same work in the background.
    pub verify_on_read: bool,
    /// Seconds for which what was pulled a while ago is served, and labelled as stale, while the database can't be reached; 0
    /// refuses pulls then.
    pub serve_stale_seconds: u64,
    /// An S3 bucket for the blobs; without it they are files in `data_dir`. Any number of nodes may share one.
    pub bucket: Option<Bucket>,
    /// A disk that keeps blobs of the bucket that are pulled often.
    pub disk_cache: Option<DiskCache>,
    /// Which pulls are sent on to the bucket.
    pub redirect: berth_registry::Redirect,
}

impl Default for Storage {
    fn default() -> Self {
        let registry = berth_registry::Storage::default();
        Self {
            inline_bytes: registry.inline_bytes,
            reserve_bytes: registry.reserve_bytes,
            cache_bytes: registry.cache_bytes,
            verify_on_read: registry.verify_on_read,
            serve_stale_seconds: registry.serve_stale_seconds,
            bucket: None,
            disk_cache: None,
            redirect: registry.redirect,
        }
    }
}

/// An S3 bucket: of AWS, MinIO, Ceph, or a cloud with an S3 endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bucket {
    /// `s3://NAME` or `s3://NAME/PREFIX`.
    pub url: String,
    /// The service, such as `https://minio.example.org:9000`; without it AWS in `region`.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The region that requests are signed for; without it `us-east-1`, which other services than AWS take.
    #[serde(default)]
    pub region: Option<String>,
    /// A file that holds the access key's id and nothing else; without it the environment's credentials are used: variables,
    /// a web identity, the instance's role.
    #[serde(default)]
    pub access_key_id_file: Option<PathBuf>,
    /// A file that holds the secret access key and nothing else.
    #[serde(default)]
    pub secret_access_key_file: Option<PathBuf>,
    /// Put the bucket's name in front of the host, as OSS and OBS ask for, not into the path.
    #[serde(default)]
    pub virtual_hosted_style: bool,
    /// How the service encrypts what it stores: `AES256`, `aws:kms` or `aws:kms:KEY`; without it as the bucket says.
    #[serde(default)]
    pub encryption: Option<String>,
    /// A file of PEM certificates that the service's certificate may be signed with, beside those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Sign what is sent, so that the service notices when it changes on its way; without it where the endpoint is not
    /// `https://`. Costs a second hash of every byte.
    #[serde(default)]
    pub sign_payloads: Option<bool>,
    /// Bytes of the first parts of a large blob, at least 5 MiB; an upload holds up to four in memory. From the 3,000th on
    /// parts are larger, so that 16 MiB suffice for 5 TiB.
    #[serde(default = "part_bytes")]
    pub part_bytes: usize,
}

fn part_bytes() -> usize {
    16 << 20
}

/// A disk that keeps blobs which are pulled often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiskCache {
    /// Its directory, of this node alone. May be lost at any time.
    pub directory: PathBuf,
    /// Bytes it may hold.
    pub bytes: u64,
}

impl Storage {
    /// Returns what the registry is told.
    pub(crate) fn registry(&self) -> berth_registry::Storage {
        berth_registry::Storage {
            inline_bytes: self.inline_bytes,
            reserve_bytes: self.reserve_bytes,
            cache_bytes: self.cache_bytes,
            verify_on_read: self.verify_on_read,
            serve_stale_seconds: self.serve_stale_seconds,
            redirect: self.redirect.clone(),
        }
    }

    /// Lists what the types let through but no store can work with.
    pub(super) fn problems(&self) -> impl Iterator<Item = String> {
        let bucket = self.bucket.as_ref().and_then(Bucket::refuse);
        let alone = (self.disk_cache.is_some() && self.bucket.is_none())
            .then(|| "storage.disk_cache is for a bucket: set storage.bucket, or leave it out".to_owned());
        let small = self.disk_cache.as_ref().filter(|cache| cache.bytes == 0).map(|_| {
            "storage.disk_cache.bytes 0: say how much the directory may hold, or leave storage.disk_cache out".to_owned()
        });
        [bucket, alone, small].into_iter().flatten()
    }
}

impl Bucket {
    /// Names a bucket; the rest has its defaults.
    pub(crate) fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            endpoint: None,
            region: None,
            access_key_id_file: None,
            secret_access_key_file: None,
            virtual_hosted_style: false,
            encryption: None,
            ca_file: None,
            sign_payloads: None,
            part_bytes: part_bytes(),
        }
    }

    fn refuse(&self) -> Option<String> {
        if self.access_key_id_file.is_some() != self.secret_access_key_file.is_some() {
            return Some(
                "storage.bucket: access_key_id_file and secret_access_key_file belong together: set both or none".into(),
            );
        }
        self.described()
            .and_then(|config| Ok(config.check()?))
            .err()
            .map(|error| format!("storage.bucket: {error:#}"))
    }

    /// Returns everything but the credentials.
    fn described(&self) -> Result<BucketConfig> {
        let mut config = BucketConfig::new(&self.url)?;
        config.endpoint.clone_from(&self.endpoint);
        config.region.clone_from(&self.region);
        config.virtual_hosted_style = self.virtual_hosted_style;
        config.encryption = self.encryption.as_deref().map(Encryption::parse).transpose()?;
        config.ca_file.clone_from(&self.ca_file);
        config.sign_payloads = self.sign_payloads;
        config.part_bytes = self.part_bytes;
        Ok(config)
    }

    /// Returns how to reach the bucket; reads the credentials.
    pub(crate) fn config(&self) -> Result<BucketConfig> {
        let mut config = self.described()?;
        if let (Some(id), Some(secret)) = (&self.access_key_id_file, &self.secret_access_key_file) {
            config.credentials = Some(Credentials {
                access_key_id: secret::read(id).context("storage.bucket.access_key_id_file")?,
                secret_access_key: secret::read(secret).context("storage.bucket.secret_access_key_file")?,
            });
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::Storage;

    fn problems(yaml: &str) -> String {
        let storage: Storage = serde_saphyr::from_str(yaml).unwrap();
        storage.problems().collect()
    }

    #[test]
    fn what_no_store_takes_is_refused() {
        for (yaml, said) in [
            ("bucket: {url: images}", "s3://name"),
            ("bucket: {url: 's3://images', part_bytes: 1}", "part_bytes"),
            ("bucket: {url: 's3://images', endpoint: minio}", "https://"),
            ("bucket: {url: 's3://images', encryption: rot13}", "AES256"),
            ("bucket: {url: 's3://images', access_key_id_file: id}", "belong together"),
            ("disk_cache: {directory: d, bytes: 1}", "set storage.bucket"),
            ("{bucket: {url: 's3://images'}, disk_cache: {directory: d, bytes: 0}}", "may hold"),
        ] {
            let found = problems(yaml);
            assert!(found.contains(said), "{yaml}: {found:?}");
        }
        assert_eq!(
            problems("{bucket: {url: 's3://images/berth'}, disk_cache: {directory: d, bytes: 1}}"),
            ""
        );
    }

    #[test]
    fn credentials_come_from_their_files() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("id"), "key\n").unwrap();
        std::fs::write(dir.path().join("secret"), "hush\n").unwrap();
        let yaml = format!(
            "bucket: {{url: 's3://images', access_key_id_file: {0}/id, secret_access_key_file: {0}/secret}}",
            dir.path().display()
        );
        let storage: Storage = serde_saphyr::from_str(&yaml).unwrap();
        let credentials = storage.bucket.unwrap().config().unwrap().credentials.unwrap();
        assert_eq!(
            (credentials.access_key_id.as_str(), credentials.secret_access_key.as_str()),
            ("key", "hush")
        );
    }
}

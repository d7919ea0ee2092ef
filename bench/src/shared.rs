//! Registries that keep everything elsewhere: Berth on a Postgres and a bucket, distribution on the same bucket.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use berth_engines::Rgw;

use crate::content::seed;
use crate::engine;
use crate::roster::{BERTH, DISTRIBUTION, Roster};
use crate::server::Server;

/// Names a bucket that is there: `http://KEY:SECRET@HOST:PORT/BUCKET`.
const GIVEN: &str = "BENCH_S3";

/// A bucket, and the server that it is on if this run started it.
pub(crate) struct Bucket {
    /// What serves it, for the tables.
    pub(crate) server: String,
    endpoint: String,
    region: &'static str,
    name: String,
    access_key: String,
    secret_key: String,
    /// Keeps the runs on a given bucket apart.
    folder: String,
    _engine: Option<Rgw>,
}

impl Bucket {
    /// Takes the bucket that the environment names, else starts a Ceph RGW.
    pub(crate) fn start() -> Result<Self> {
        let folder = format!("bench-{:016x}", seed());
        if let Ok(url) = std::env::var(GIVEN) {
            return Self::given(&url, folder)
                .with_context(|| format!("{GIVEN}: use http://KEY:SECRET@HOST:PORT/BUCKET"));
        }
        let (engine, name) = engine::start("Ceph RGW", || {
            let engine = Rgw::start_new();
            let name = engine.bucket();
            (engine, name)
        })?;
        Ok(Self {
            server: "a Ceph RGW that keeps its objects in memory".to_owned(),
            endpoint: engine.endpoint(),
            region: engine.region(),
            name,
            access_key: engine.access_key().to_owned(),
            secret_key: engine.secret_key().to_owned(),
            folder,
            _engine: Some(engine),
        })
    }

    fn given(url: &str, folder: String) -> Result<Self> {
        let rest = url.strip_prefix("http://").context("it begins otherwise")?;
        let (keys, place) = rest.split_once('@').context("it has no keys")?;
        let (access_key, secret_key) = keys.split_once(':').context("it has one key")?;
        let (host, name) = place.trim_end_matches('/').split_once('/').context("it has no bucket")?;
        ensure!(host.starts_with("127.0.0.1:"), "only this machine is ever loaded, give 127.0.0.1");
        Ok(Self {
            server: format!("the S3 server at {host}"),
            endpoint: format!("http://{host}"),
            region: "us-east-1",
            name: name.to_owned(),
            access_key: access_key.to_owned(),
            secret_key: secret_key.to_owned(),
            folder,
            _engine: None,
        })
    }
}

/// Starts a node of Berth on a Postgres, with its blobs in a bucket or in its own directory. Nothing runs on a schedule.
pub(crate) fn berth(
    roster: &Roster,
    column: &str,
    database: &str,
    bucket: Option<&Bucket>,
) -> Result<Server> {
    roster.start_configured(BERTH, column, |address, directory| {
        let data = directory.join("data");
        let mut text = format!(
            "data_dir: {}\nhttp:\n  listen: [\"{address}\"]\ndatabase:\n  url: {database}\n\
             gc:\n  every_seconds: 0\n  untagged: delete\nscrub:\n  every_seconds: 0\n",
            data.display()
        );
        if let Some(bucket) = bucket {
            let (id, secret) = (directory.join("s3-id"), directory.join("s3-secret"));
            fs::write(&id, &bucket.access_key)?;
            fs::write(&secret, &bucket.secret_key)?;
            write!(
                text,
                "storage:\n  bucket:\n    url: s3://{}/{}-berth\n    endpoint: {}\n    region: {}\n    \
                 access_key_id_file: {}\n    secret_access_key_file: {}\n",
                bucket.name,
                bucket.folder,
                bucket.endpoint,
                bucket.region,
                id.display(),
                secret.display()
            )?;
        }
        Ok(text)
    })
}

/// Starts distribution v3 on a bucket. It answers with the bytes, as Berth does, and sends no client to the bucket.
pub(crate) fn distribution(roster: &Roster, bucket: &Bucket) -> Result<Server> {
    roster.start_configured(DISTRIBUTION, DISTRIBUTION, |address, _| {
        Ok(distribution_configuration(bucket, address))
    })
}

fn distribution_configuration(bucket: &Bucket, address: SocketAddr) -> String {
    format!(
        "version: 0.1\nlog:\n  level: info\nstorage:\n  cache:\n    blobdescriptor: inmemory\n  redirect:\n    disable: true\n  \
         s3:\n    regionendpoint: {}\n    region: {}\n    bucket: {}\n    rootdirectory: /{}-distribution\n    accesskey: {}\n    \
         secretkey: {}\n    forcepathstyle: true\n    secure: false\n  delete:\n    enabled: true\nhttp:\n  addr: \"{address}\"\n",
        bucket.endpoint, bucket.region, bucket.name, bucket.folder, bucket.access_key, bucket.secret_key
    )
}

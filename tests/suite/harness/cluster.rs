//! Several servers that share a database and a bucket, with a balancer in front.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use berth_engines::{Haproxy, Link, Postgres, PostgresPair, Rgw, free_port};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{Api, Event, Server, Setup};

/// Longest that servers may take to get ready.
const LIMIT: Duration = Duration::from_mins(1);
/// The smallest part that object stores take; so even small tests have uploads of several parts.
const PART_BYTES: u32 = 5 << 20;
const CACHE_BYTES: u32 = 64 << 20;

/// What kind of cluster a test wants; reads like a sentence, ends with `start`.
#[derive(Default)]
pub(crate) struct ClusterSetup {
    pair: bool,
    lines: bool,
    own_gateway: bool,
    config: String,
    database: String,
    storage: String,
}

impl ClusterSetup {
    /// A database of two servers, of which one can fail.
    pub(crate) fn with_standby(mut self) -> Self {
        self.pair = true;
        self
    }

    /// Lines to the database and to the bucket that can be cut, for each server its own.
    pub(crate) fn with_lines(mut self) -> Self {
        self.lines = true;
        self
    }

    /// An object store that no other test shares, so that it can be stopped.
    pub(crate) fn with_own_gateway(mut self) -> Self {
        self.own_gateway = true;
        self
    }

    /// Adds a key to `database` in every berth.yaml.
    pub(crate) fn with_database(mut self, key: &str, value: impl Display) -> Self {
        self.database = format!("{}  {key}: {value}\n", self.database);
        self
    }

    /// Adds a key to `storage` in every berth.yaml.
    pub(crate) fn with_storage(mut self, key: &str, value: impl Display) -> Self {
        self.storage = format!("{}  {key}: {value}\n", self.storage);
        self
    }

    /// Adds top-level keys to every berth.yaml.
    pub(crate) fn with_config(mut self, yaml: &str) -> Self {
        self.config.push_str(yaml);
        self.config.push('\n');
        self
    }

    pub(crate) async fn start(self) -> Result<Cluster> {
        let dir = tempfile::Builder::new().prefix("berth-cluster-").tempdir()?;
        let pair = self.pair.then(PostgresPair::start);
        let own_gateway = self.own_gateway.then(Rgw::start_new);
        let gateway = own_gateway.as_ref().unwrap_or_else(|| Rgw::shared());
        let shared = Shared {
            database: pair.as_ref().map_or_else(|| Postgres::shared().database(), PostgresPair::database),
            bucket: gateway.bucket(),
            access_key: dir.path().join("access-key").display().to_string(),
            secret_key: dir.path().join("secret-key").display().to_string(),
        };
        std::fs::write(&shared.access_key, gateway.access_key())?;
        std::fs::write(&shared.secret_key, gateway.secret_key())?;

        let mut lines = Vec::new();
        let mut starting = JoinSet::new();
        for number in 0..Cluster::NODES {
            let mut database = shared.database.clone();
            let mut endpoint = gateway.endpoint();
            if self.lines {
                let line = Lines::new(Postgres::shared().address(), gateway.address());
                database = database
                    .replace(&Postgres::shared().address().to_string(), &line.database.address().to_string());
                endpoint = format!("http://{}", line.bucket.address());
                lines.push(line);
            }
            let cache = dir.path().join(format!("cache-{number}")).display().to_string();
            let database = format!("{database}\n{}", self.database);
            let yaml =
                shared.yaml(&database, &endpoint, gateway.region(), &cache) + &self.storage + &self.config;
            let setup = Setup::default().with_config(&yaml).on_port(free_port());
            // All at once, as a deployment would: one of them makes the tables.
            starting.spawn(async move { (number, setup.start().await) });
        }
        let mut nodes = Vec::new();
        while let Some(started) = starting.join_next().await {
            let (number, node) = started?;
            nodes.push((number, node.with_context(|| format!("node {number}"))?));
        }
        nodes.sort_by_key(|(number, _)| *number);
        let nodes: Vec<Server> = nodes.into_iter().map(|(_, node)| node).collect();
        let hosts: Vec<String> = nodes.iter().map(|node| node.host().to_owned()).collect();
        let balancer = Haproxy::start(&hosts);
        let host = balancer.host();
        let cluster = Cluster { nodes, host, balancer, lines, pair, own_gateway, _dir: dir };
        cluster.ready().await?;
        Ok(cluster)
    }
}

/// What all servers are told alike.
struct Shared {
    database: String,
    bucket: String,
    access_key: String,
    secret_key: String,
}

impl Shared {
    fn yaml(&self, database: &str, endpoint: &str, region: &str, cache: &str) -> String {
        let Self { bucket, access_key, secret_key, .. } = self;
        format!(
            "database:\n  url: {database}\
             storage:\n  bucket:\n    url: s3://{bucket}\n    endpoint: {endpoint}\n    region: {region}\n    \
             access_key_id_file: {access_key}\n    secret_access_key_file: {secret_key}\n    part_bytes: {PART_BYTES}\n  \
             disk_cache:\n    directory: {cache}\n    bytes: {CACHE_BYTES}\n"
        )
    }
}

/// The lines of one server.
pub(crate) struct Lines {
    pub(crate) database: Link,
    pub(crate) bucket: Link,
}

impl Lines {
    fn new(database: SocketAddr, bucket: SocketAddr) -> Self {
        Self { database: Link::to(database), bucket: Link::to(bucket) }
    }

    /// Makes both whole and fast again.
    pub(crate) fn mend(&self) {
        self.database.mend();
        self.bucket.mend();
    }
}

/// Three servers, their database and bucket, and the balancer that clients talk to.
pub(crate) struct Cluster {
    nodes: Vec<Server>,
    host: String,
    balancer: Haproxy,
    lines: Vec<Lines>,
    pair: Option<PostgresPair>,
    own_gateway: Option<Rgw>,
    _dir: TempDir,
}

impl Cluster {
    pub(crate) const NODES: usize = 3;

    /// Starts a cluster of the usual kind.
    pub(crate) async fn start() -> Result<Self> {
        ClusterSetup::default().start().await
    }

    pub(crate) fn setup() -> ClusterSetup {
        ClusterSetup::default()
    }

    /// Host and port of the balancer.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// A client that talks to the balancer.
    pub(crate) fn api(&self) -> Result<Api> {
        Api::new(&format!("http://{}", self.host), None, None)
    }

    pub(crate) fn nodes(&self) -> &[Server] {
        &self.nodes
    }

    pub(crate) fn node(&self, number: usize) -> &Server {
        &self.nodes[number]
    }

    pub(crate) fn node_mut(&mut self, number: usize) -> &mut Server {
        &mut self.nodes[number]
    }

    /// The lines of each server, of a cluster set up `with_lines`.
    pub(crate) fn lines(&self) -> &[Lines] {
        &self.lines
    }

    /// The database's servers, of a cluster set up `with_standby`.
    pub(crate) fn pair(&self) -> Result<&PostgresPair> {
        self.pair.as_ref().context("the database has no standby")
    }

    /// The object store, of a cluster set up `with_own_gateway`.
    pub(crate) fn gateway(&self) -> Result<&Rgw> {
        self.own_gateway.as_ref().context("other tests use the object store, too")
    }

    /// Starts every server that does not run, and waits until all are ready.
    pub(crate) async fn heal(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            if node.pid().is_err() || !node.is_running()? {
                node.start().await?;
            }
        }
        self.ready().await
    }

    /// Waits until every server says that it is ready, and until the balancer knows of one.
    pub(crate) async fn ready(&self) -> Result<()> {
        let mut apis = vec![self.api()?];
        for node in &self.nodes {
            apis.push(node.api()?);
        }
        let begin = Instant::now();
        for api in &apis {
            while !api.get("/readyz").await.is_ok_and(|answer| answer.status() == 200) {
                if begin.elapsed() > LIMIT {
                    bail!("not ready after {} s: {}", LIMIT.as_secs(), self.balancer.log());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }

    /// The whole event log.
    pub(crate) async fn events(&self) -> Result<Vec<Event>> {
        self.node(0).events().await
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        println!("the balancer's last lines:\n{}", self.balancer.log());
    }
}

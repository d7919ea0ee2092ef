//! Several servers that share a database and a bucket, with a balancer in front.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use berth_engines::{Haproxy, Link, PgBouncer, Postgres, PostgresPair, Rgw, free_port};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{Api, Event, Server, Setup};

/// Longest that servers may take to get ready.
const LIMIT: Duration = Duration::from_mins(1);
/// The smallest part that object stores take; so even small tests have uploads of several parts.
const PART_BYTES: u32 = 5 << 20;
const CACHE_BYTES: u32 = 64 << 20;
/// Fewer than the servers would take, so that they wait for each other's.
const POOLED_CONNECTIONS: usize = 12;

/// What kind of cluster a test wants; reads like a sentence, ends with `start`.
#[derive(Default)]
pub(crate) struct ClusterSetup {
    kind: Kind,
    lines: bool,
    store: Store,
    config: String,
    database: String,
    storage: String,
}

/// What kind of object store.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum Store {
    /// The one that all tests share.
    #[default]
    Shared,
    Own,
    Durable,
}

/// What kind of database.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum Kind {
    /// The one that all tests share.
    #[default]
    Shared,
    Pair,
    Pooled,
}

impl ClusterSetup {
    /// A database of two servers, of which one can fail.
    pub(crate) fn with_standby(mut self) -> Self {
        self.kind = Kind::Pair;
        self
    }

    /// A database of its own behind a pooler that lends connections for a transaction; not together with lines.
    pub(crate) fn with_pooler(mut self) -> Self {
        self.kind = Kind::Pooled;
        self
    }

    /// Lines to the database's servers and to the bucket that can be cut, for each server its own.
    pub(crate) fn with_lines(mut self) -> Self {
        self.lines = true;
        self
    }

    /// An object store that no other test shares, so that it can be stopped.
    pub(crate) fn with_own_gateway(mut self) -> Self {
        self.store = Store::Own;
        self
    }

    /// An object store that no other test shares, on a disk, so that all of it can crash.
    pub(crate) fn with_durable_store(mut self) -> Self {
        self.store = Store::Durable;
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
        let pair = (self.kind == Kind::Pair).then(PostgresPair::start);
        let pooled = (self.kind == Kind::Pooled).then(Pooled::start);
        let own_gateway = match self.store {
            Store::Shared => None,
            Store::Own => Some(Rgw::start_new()),
            Store::Durable => Some(Rgw::start_durable()),
        };
        let gateway = own_gateway.as_ref().unwrap_or_else(|| Rgw::shared());
        let shared = Shared {
            database: match (&pair, &pooled) {
                (Some(pair), _) => pair.database(),
                (None, Some(pooled)) => pooled.database(),
                (None, None) => Postgres::shared().database(),
            },
            prepared_statements: self.kind != Kind::Pooled,
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
                let line = Lines::new(pair.as_ref(), gateway.address());
                database = line.through(&database);
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
        let bucket = shared.bucket;
        let cluster = Cluster { nodes, host, balancer, lines, pair, pooled, own_gateway, bucket, _dir: dir };
        cluster.ready().await?;
        Ok(cluster)
    }
}

/// What all servers are told alike.
struct Shared {
    database: String,
    prepared_statements: bool,
    bucket: String,
    access_key: String,
    secret_key: String,
}

impl Shared {
    fn yaml(&self, database: &str, endpoint: &str, region: &str, cache: &str) -> String {
        let Self { prepared_statements, bucket, access_key, secret_key, .. } = self;
        format!(
            "database:\n  prepared_statements: {prepared_statements}\n  url: {database}\
             storage:\n  bucket:\n    url: s3://{bucket}\n    endpoint: {endpoint}\n    region: {region}\n    \
             access_key_id_file: {access_key}\n    secret_access_key_file: {secret_key}\n    part_bytes: {PART_BYTES}\n  \
             disk_cache:\n    directory: {cache}\n    bytes: {CACHE_BYTES}\n"
        )
    }
}

/// The lines of one server.
pub(crate) struct Lines {
    /// To the database's only server, or to the first of the pair's.
    pub(crate) database: Link,
    /// To the second of the pair's.
    pub(crate) other: Option<Link>,
    pub(crate) bucket: Link,
    /// Where the lines to the database lead.
    ends: Vec<SocketAddr>,
}

impl Lines {
    fn new(pair: Option<&PostgresPair>, bucket: SocketAddr) -> Self {
        let ends = match pair {
            Some(pair) => pair.servers().each_ref().map(Postgres::address).to_vec(),
            None => vec![Postgres::shared().address()],
        };
        let (database, other) = (Link::to(ends[0]), ends.get(1).copied().map(Link::to));
        Self { database, other, bucket: Link::to(bucket), ends }
    }

    /// The database's URL with the lines in place of what they lead to.
    fn through(&self, url: &str) -> String {
        let lines = [Some(&self.database), self.other.as_ref()];
        let lines = self.ends.iter().zip(lines.into_iter().flatten());
        lines.fold(url.to_owned(), |url, (end, line)| {
            url.replace(&end.to_string(), &line.address().to_string())
        })
    }

    /// The line to one of the database's servers.
    pub(crate) fn to(&self, server: &Postgres) -> &Link {
        match &self.other {
            Some(other) if self.ends.get(1) == Some(&server.address()) => other,
            _ => &self.database,
        }
    }

    /// Makes all whole and fast again.
    pub(crate) fn mend(&self) {
        self.database.mend();
        self.bucket.mend();
        if let Some(other) = &self.other {
            other.mend();
        }
    }
}

/// A database server and the pooler before it, each of which can be stopped.
pub(crate) struct Pooled {
    pub(crate) pooler: PgBouncer,
    pub(crate) server: Postgres,
}

impl Pooled {
    fn start() -> Self {
        let server = Postgres::start_new();
        Self { pooler: PgBouncer::before(&server, POOLED_CONNECTIONS), server }
    }

    /// Makes an empty database; returns the URL that leads to it through the pooler.
    fn database(&self) -> String {
        let url = self.server.database();
        self.pooler.url(url.rsplit('/').next().unwrap_or_default())
    }

    /// Ends every connection to the server, be it in a transaction or not.
    pub(crate) fn drop_connections(&self) {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        Postgres::query(&self.server.url("postgres"), sql);
    }
}

/// Three servers, their database and bucket, and the balancer that clients talk to.
pub(crate) struct Cluster {
    nodes: Vec<Server>,
    host: String,
    balancer: Haproxy,
    lines: Vec<Lines>,
    pair: Option<PostgresPair>,
    pooled: Option<Pooled>,
    own_gateway: Option<Rgw>,
    bucket: String,
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

    /// The database and its pooler, of a cluster set up `with_pooler`.
    pub(crate) fn pooled(&self) -> Result<&Pooled> {
        self.pooled.as_ref().context("the database has no pooler")
    }

    /// The object store, of a cluster set up `with_own_gateway` or `with_durable_store`.
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

    /// The name of the bucket.
    pub(crate) fn bucket(&self) -> &str {
        &self.bucket
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

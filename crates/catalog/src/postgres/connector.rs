//! Connections: how one is made, and what is kept prepared on it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, RowStream, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::config::{self, PostgresConfig};
use super::tls;
use crate::driver::Param;
use crate::error::{Error, Failure, Result};

/// To connect, encrypt and log in.
const LOGIN: Duration = config::CONNECT.saturating_add(Duration::from_secs(1));
/// A host that has not answered by then is no longer waited for alone.
const HEAD_START: Duration = Duration::from_millis(250);

/// Makes connections, each driven by the catalog's own runtime.
#[derive(Clone)]
pub(crate) struct Connector {
    hosts: Vec<tokio_postgres::Config>,
    tls: MakeRustlsConnect,
    runtime: Handle,
    prepares: bool,
    /// The host that took the last connection.
    good: std::sync::Arc<AtomicUsize>,
}

impl Connector {
    pub(crate) fn new(settings: &PostgresConfig, runtime: Handle) -> Result<Self> {
        Self::to(settings.hosts()?, settings, runtime)
    }

    /// Leads to servers that need not take writes.
    pub(crate) fn to_any(settings: &PostgresConfig, url: &str, runtime: Handle) -> Result<Self> {
        let mut hosts = PostgresConfig { url: url.to_owned(), ..settings.clone() }.hosts()?;
        for host in &mut hosts {
            host.target_session_attrs(TargetSessionAttrs::Any);
        }
        Self::to(hosts, settings, runtime)
    }

    fn to(hosts: Vec<tokio_postgres::Config>, settings: &PostgresConfig, runtime: Handle) -> Result<Self> {
        let encrypts = hosts.iter().any(config::may_encrypt);
        let tls = tls::connector(encrypts, settings.ca_file.as_deref())?;
        let good = std::sync::Arc::default();
        Ok(Self { hosts, tls, runtime, prepares: settings.prepared_statements, good })
    }

    /// Returns the runtime that drives the connections.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Connects to the host that serves, mostly the one that takes writes: the one that did last time is asked first, the next when it has refused or kept
    /// silent for a moment.
    pub(crate) async fn connect(&self) -> Result<Connection, Failure> {
        let (start, count) = (self.good.load(Ordering::Relaxed), self.hosts.len());
        let mut order = (0..count).map(|offset| (start + offset) % count);
        let mut failed = Failure::silent();
        let mut asked = FuturesUnordered::new();
        loop {
            let next = order.next();
            asked.extend(next.map(async |index| (index, self.connect_to(index).await)));
            if asked.is_empty() {
                return Err(failed);
            }
            tokio::select! {
                Some((index, connected)) = asked.next() => match connected {
                    Ok(client) => {
                        self.good.store(index, Ordering::Relaxed);
                        return Ok(Connection::new(client, self.prepares));
                    }
                    Err(failure) => failed = failure,
                },
                () = sleep(HEAD_START), if order.len() > 0 => {}
            }
        }
    }

    async fn connect_to(&self, index: usize) -> Result<Client, Failure> {
        let (host, tls) = (self.hosts[index].clone(), self.tls.clone());
        let connecting = self.runtime.spawn(async move {
            let (client, connection) =
                timeout(LOGIN, host.connect(tls)).await.map_err(|_| Failure::silent())??;
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection to the database ended");
                }
            });
            Ok(client)
        });
        connecting.await.map_err(|_| Failure::last(Error::Closed))?
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("hosts", &self.hosts.len()).finish_non_exhaustive()
    }
}

/// A connection and what is prepared on it.
#[derive(Debug)]
pub(crate) struct Connection {
    client: Client,
    /// `None` where the server can't keep anything for us.
    statements: Option<Mutex<HashMap<&'static str, Statement>>>,
}

impl Connection {
    fn new(client: Client, prepares: bool) -> Self {
        Self { client, statements: prepares.then(Mutex::default) }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Sends one of the catalog's own statements.
    pub(crate) async fn stream(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<RowStream, tokio_postgres::Error> {
        let Some(statements) = &self.statements else {
            let typed = params.iter().map(|param| (*param, param.postgres_type()));
            return self.client.query_typed_raw(sql, typed).await;
        };
        let known = statements.lock().get(sql).cloned();
        let statement = if let Some(statement) = known {
            statement
        } else {
            let statement = self.client.prepare(sql).await?;
            statements.lock().insert(sql, statement.clone());
            statement
        };
        self.client.query_raw(&statement, params.iter().copied()).await
    }

    /// Runs a statement that is seldom enough not to be prepared.
    pub(crate) async fn query(
        &self,
        sql: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        self.client.query_typed(sql, params).await
    }

    /// Returns the client, for what no statement can do.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Runs statements without parameters or results.
    pub(crate) async fn batch(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        self.client.batch_execute(sql).await
    }
}

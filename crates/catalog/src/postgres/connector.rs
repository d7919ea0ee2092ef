//! Connections: how one is made, and what is kept prepared on it.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Row, RowStream, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::config::{self, PostgresConfig};
use super::tls;
use crate::driver::{Owned, Param};
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
    good: Arc<AtomicUsize>,
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
        let good = Arc::default();
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
                if let Err(error) = drive(connection).await {
                    tracing::debug!(%error, "a connection to the database ended");
                }
            });
            Ok(client)
        });
        connecting.await.map_err(|_| Failure::last(Error::Closed))?
    }
}

/// Moves bytes until the connection ends. What the database remarks on the way, such as that a table is there already, is of
/// interest only to who looks for a mistake.
async fn drive<S, T>(mut connection: tokio_postgres::Connection<S, T>) -> Result<(), tokio_postgres::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(message) = poll_fn(|context| connection.poll_message(context)).await.transpose()? {
        if let AsyncMessage::Notice(notice) = message {
            tracing::debug!(%notice, "the database remarks");
        }
    }
    Ok(())
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
    pub(crate) async fn stream(&self, sql: &'static str, params: &[Param<'_>]) -> Result<RowStream, Failure> {
        let Some(statement) = self.prepare(sql, &[]).await? else {
            let typed = params.iter().map(|param| (*param, param.postgres_type()));
            return Ok(self.client.query_typed_raw(sql, typed).await?);
        };
        Ok(self.client.query_raw(&statement, params.iter().copied()).await?)
    }

    /// Changes rows. Everything is on its way to the server once the future was polled.
    pub(crate) async fn execute(
        self: Arc<Self>,
        statement: Option<Statement>,
        sql: &'static str,
        params: Vec<Owned>,
    ) -> Result<(), tokio_postgres::Error> {
        let Some(statement) = statement else {
            let typed: Vec<_> =
                params.iter().map(|param| (param as &(dyn ToSql + Sync), param.postgres_type())).collect();
            return self.client.execute_typed(sql, &typed).await.map(drop);
        };
        self.client.execute_raw(&statement, params).await.map(drop)
    }

    /// Runs a statement of those that look after the catalog.
    pub(crate) async fn query(
        &self,
        sql: &'static str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, Failure> {
        let types: Vec<Type> = params.iter().map(|(_, kind)| kind.clone()).collect();
        let Some(statement) = self.prepare(sql, &types).await? else {
            return Ok(self.client.query_typed(sql, params).await?);
        };
        let params: Vec<_> = params.iter().map(|(param, _)| *param).collect();
        Ok(self.client.query(&statement, &params).await?)
    }

    /// Prepares a statement; `None` if the server can't keep it.
    pub(crate) async fn prepare(
        &self,
        sql: &'static str,
        types: &[Type],
    ) -> Result<Option<Statement>, Failure> {
        let Some(statements) = &self.statements else { return Ok(None) };
        let known = statements.lock().get(sql).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let statement = self.client.prepare_typed(sql, types).await?;
        statements.lock().insert(sql, statement.clone());
        Ok(Some(statement))
    }

    /// Tells whether preparing a statement waits for nothing.
    pub(crate) fn is_prepared(&self, sql: &'static str) -> bool {
        self.statements.as_ref().is_none_or(|statements| statements.lock().contains_key(sql))
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

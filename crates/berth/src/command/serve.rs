//! `berth serve`: opens the rooms, wires them, serves until told to stop.

mod parts;
mod started;

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use berth_access::{Access, Accounts, Persons, Secrets, Tokens};
use berth_audit::Audit;
use berth_audit::outlet::Outlets;
use berth_audit::search::Search;
use berth_catalog::Clock;
use berth_jobs::{Runner, Schedule};
use berth_registry::{CollectJob, Registry, ScrubJob};
use berth_server::{AccessLog, App, Format, LogWriter, MetricsRegistry, Sampler, Server};
use berth_vault::Vault;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use self::parts::Parts;
use super::job;
use crate::cli;
use crate::config::{self, Config};
use crate::data::{self, Opened};
use crate::federation::Federation;
#[cfg(feature = "otlp")]
use crate::traces;
use crate::{gauges, log, vault};

pub(super) fn run(arguments: cli::Serve) -> Result<()> {
    let config = config::load_for_serving(arguments.flags.into())?.config;
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        bail!("a TLS provider is installed already");
    }
    #[cfg(feature = "otlp")]
    let (traces, beside) = traces::start(&config.traces)?.unzip();
    #[cfg(not(feature = "otlp"))]
    let beside = None;
    log::start(&config.log, beside)?;
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime can't be started")?;
    let lock = runtime.block_on(lock(&config))?;
    let outcome = runtime.block_on(serve(&config));
    // Ends uploads whose client is gone, and waits for the threads that move their files.
    drop(runtime);
    drop(lock);
    #[cfg(feature = "otlp")]
    if let Some(traces) = traces {
        traces.stop();
    }
    outcome
}

async fn lock(config: &Config) -> Result<data::Lock> {
    data::lock_to_serve(config).await?.with_context(|| {
        let dir = config.data_dir.display();
        format!("data directory {dir} is in use by another berth: stop it, or name another with --data-dir")
    })
}

async fn serve(config: &Config) -> Result<()> {
    let mut metrics = MetricsRegistry::with_prefix("berth");
    let Opened { registry, cache } = data::open(config, data::Role::Server(&mut metrics)).await?;
    let repaired = registry.repair().await.context("leftovers of the last run can't be repaired")?;
    if repaired != berth_registry::Repaired::default() {
        tracing::info!(?repaired, "repaired what the last run left");
    }
    let collector = CollectJob::new(registry.clone());
    let vault = vault::open(config, registry.catalog()).await?;
    let audit = audit(config, &registry, &vault).await?;
    let outlets = Outlets::new(&config.audit, audit.trail(), registry.catalog())?;
    let watched = gauges::Watched {
        collector: collector.clone(),
        cache,
        audit: audit.clone(),
        outlets: outlets.stats(),
    };
    let sampler = gauges::sampler(registry.clone(), watched);
    let accounts = accounts(config, &registry, &vault).await?;
    let secrets = Secrets::new(registry.catalog().clone(), vault.clone());
    let federation = Federation::new(&config.access, Some(&secrets))?;
    let access = federation.ask(access(config, &registry, &vault, &accounts).await?);
    let access = access.with_persons(audit.persons().clone());
    let runner = federation.keep(scheduled(config, &registry, collector), &accounts);
    let search = Search::new(audit.trail().clone(), registry.catalog().clone());
    let app = app(config, access.clone(), &registry, sampler)?
        .record_to(audit.recorder().clone())
        .search_by(search)
        .with_login_services(federation.services);
    let server = Server::bind(app.with_registry(metrics)).context("can't listen")?;
    announce(config, &server)?;

    let (stop, stopped) = watch::channel(false);
    let mut parts = beside(&registry, &access, vault, &stopped);
    parts.spawn("job runner", runner.run(stopped.clone()));
    parts.spawn("delivery of audit records", outlets.run(stopped.clone()));
    parts.try_spawn("audit trail", {
        let (audit, stopped) = (audit.clone(), stopped.clone());
        async { Ok(audit.run(stopped).await?) }
    });
    let (shutdown, mut failed) = (shutdown_signal()?, None);
    server
        .run(async {
            tokio::select! {
                () = shutdown => {}
                error = parts.failed() => {
                    tracing::error!("{error:#}: stopping, no new connections, transfers may finish");
                    failed = Some(error);
                }
            }
        })
        .await;
    stop.send_replace(true);
    // They end by themselves now; a panic in one must not keep the others.
    parts.end().await;
    if let Some(error) = failed {
        // If it was the trail, what was noted since is written now.
        if let Err(error) = tokio::spawn(audit.run(stopped)).await {
            tracing::error!(%error, "records of the audit trail are lost");
        }
        return Err(error.context("the server stopped because a part of it did"));
    }
    tracing::info!("stopped");
    Ok(())
}

/// Lets run what keeps a node up to date with the others.
fn beside(registry: &Registry, access: &Access, vault: Vault, stopped: &watch::Receiver<bool>) -> Parts {
    let mut parts = Parts::default();
    let stop = || stopped.clone();
    parts.spawn("pull counter", {
        let (registry, stop) = (registry.clone(), stop());
        async move { registry.count_pulls(stop).await }
    });
    parts.spawn("follower of the mode", {
        let (registry, stop) = (registry.clone(), stop());
        async move { registry.follow_mode(stop).await }
    });
    parts.spawn("follower of access", {
        let (access, stop) = (access.clone(), stop());
        async move { access.follow(stop).await }
    });
    parts.spawn("keeper of the keys that sign", {
        let (access, stop) = (access.clone(), stop());
        async move { access.keep_tokens(stop).await }
    });
    parts.spawn("keeper of the keys that seal", {
        let (access, catalog, stop) = (access.clone(), registry.catalog().clone(), stop());
        async move { access.keep_vault(&catalog, &vault, stop).await }
    });
    parts
}

/// Opens the audit trail and records the start.
async fn audit(config: &Config, registry: &Registry, vault: &Vault) -> Result<Audit> {
    let trail = data::open_trail(config).await?;
    let persons = Persons::new(registry.catalog().clone(), vault.clone());
    let (catalog, place) = (registry.catalog(), config.audit_place());
    let audit = Audit::open(&config.audit, catalog, trail, persons, vault.clone(), place)
        .await
        .context("the audit trail can't be kept")?;
    started::record(audit.trail(), config).await?;
    Ok(audit)
}

/// Opens the accounts that the catalog keeps, whose second factors the vault seals.
async fn accounts(config: &Config, registry: &Registry, vault: &Vault) -> Result<Accounts> {
    let sealer = Arc::new(vault.clone());
    let accounts = Accounts::new(registry.catalog().clone(), &config.access, Some(sealer));
    accounts.look().await.context("the accounts can't be read")?;
    Ok(accounts)
}

/// Decides who calls, and lets clients get tokens unless that is switched off.
async fn access(config: &Config, registry: &Registry, vault: &Vault, accounts: &Accounts) -> Result<Access> {
    let (access, catalog) = (&config.access, registry.catalog());
    let access =
        Access::open_with_accounts(access, registry.read_only(), catalog, Some(accounts.clone())).await?;
    if !config.access.tokens.enabled {
        return Ok(access);
    }
    let tokens = Tokens::new(&config.access.tokens, catalog.clone(), vault.clone());
    tokens.load().await.context("the keys that tokens are signed with can't be used")?;
    Ok(access.with_tokens(tokens))
}

fn app(config: &Config, access: Access, registry: &Registry, sampler: Sampler) -> Result<App> {
    let human = log::is_human(&config.log);
    let writer = if human { LogWriter::spawn(io::stderr()) } else { LogWriter::spawn(io::stdout()) };
    let format = if human { Format::Human } else { Format::Json };
    let app = App::new(config.http.clone(), access, registry.clone(), Clock::system()).with_sampler(sampler);
    Ok(app.log_to(AccessLog::new(writer.context("the access log can't be started")?, format)))
}

fn scheduled(config: &Config, registry: &Registry, collector: CollectJob) -> Runner {
    let mut runner = job::runner(registry, collector);
    let schedules = [
        (CollectJob::KIND, config.gc.every_seconds, CollectJob::payload(None, false)),
        (ScrubJob::KIND, config.scrub.every_seconds, ScrubJob::payload(None)),
    ];
    for (kind, every_seconds, payload) in schedules {
        let every = (every_seconds > 0).then(|| Duration::from_secs(every_seconds));
        runner = runner.schedule(Schedule { kind, every, payload });
    }
    runner
}

/// Says where it listens, where data lies and how to push.
fn announce(config: &Config, server: &Server) -> Result<()> {
    let scheme = if config.http.tls.is_some() { "https" } else { "http" };
    let addresses = server.local_addrs().context("can't tell where it listens")?;
    for address in &addresses {
        tracing::info!("listening on {scheme}://{address}");
    }
    let dir = std::path::absolute(&config.data_dir).unwrap_or_else(|_| config.data_dir.clone());
    let dir = dir.display().to_string();
    let catalog = config.database.url.as_ref().map_or(dir.clone(), ToString::to_string);
    let blobs = config.storage.bucket.as_ref().map_or(dir, |bucket| bucket.url.clone());
    if catalog == blobs {
        tracing::info!("data lies in {catalog}");
    } else {
        tracing::info!("the catalog lies in {catalog}, blobs in {blobs}");
    }
    if let Some(address) = addresses.first()
        && io::stderr().is_terminal()
    {
        tracing::info!("push with: docker tag IMAGE {address}/NAME && docker push {address}/NAME");
    }
    Ok(())
}

/// Resolves on SIGTERM or Ctrl-C.
fn shutdown_signal() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("can't listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("can't listen for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: no new connections, transfers may finish");
    })
}

/// Every connection and every open blob is a file: take what the system grants.
fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "could not raise the limit of open files; `berth doctor` says what it is");
    }
}

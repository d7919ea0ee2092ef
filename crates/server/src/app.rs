//! What every request needs: access, the registry, the configuration, metrics and the access log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use berth_access::{Access, ManageError, Management, ReadOnly};
use berth_audit::Recorder;
use berth_audit::search::Search;
use berth_catalog::Clock;
use berth_federation::LoginService;
use berth_registry::Registry;
use prometheus_client::registry::Registry as MetricsRegistry;

use crate::access_log::AccessLog;
use crate::audit::AuditSearch;
use crate::config::Config;
use crate::limit::{LimitMetrics, Limits};
use crate::metrics::{HashCounter, Metrics, ReadOnlyGauge, Sampler};
use crate::overload::{Overload, OverloadMetrics};

/// What every request needs, shared by all connections.
pub struct App {
    /// The `http` part of the configuration, with the page sizes and limits that handlers apply.
    pub(crate) config: Config,
    /// Decides who may do what.
    pub(crate) access: Access,
    /// Where users may log in with their browser.
    pub(crate) login_services: Vec<LoginService>,
    /// The domain.
    pub(crate) registry: Registry,
    /// Tells the time, for log lines.
    pub(crate) clock: Clock,
    /// Lets requests in.
    pub(crate) overload: Arc<Overload>,
    /// Limits how often a client begins something.
    pub(crate) limits: Arc<Limits>,
    /// Counts and times requests.
    pub(crate) metrics: Metrics,
    /// Takes one line per request.
    pub(crate) access_log: AccessLog,
    /// Answers searches of the audit trail.
    pub(crate) audit: Option<AuditSearch>,
    /// Takes notes for the audit trail, if one is kept.
    pub(crate) recorder: Option<Recorder>,
    closing: AtomicBool,
}

impl App {
    /// Puts the parts together; access lines go nowhere until [`App::log_to`] says where.
    pub fn new(config: Config, access: Access, registry: Registry, clock: Clock) -> Self {
        let mut metrics = Metrics::new();
        metrics.register(Box::new(HashCounter(access.clone())));
        metrics.register(Box::new(ReadOnlyGauge(access.read_only().clone())));
        let overload = Arc::new(Overload::new(&config.limits));
        metrics.register(Box::new(OverloadMetrics(Arc::clone(&overload))));
        let limits = Arc::new(Limits::new(&config.rate_limits));
        metrics.register(Box::new(LimitMetrics(Arc::clone(&limits))));
        Self {
            config,
            access,
            login_services: Vec::new(),
            registry,
            clock,
            overload,
            limits,
            metrics,
            access_log: AccessLog::off(),
            audit: None,
            recorder: None,
            closing: AtomicBool::new(false),
        }
    }

    /// Writes one line per request to `access_log`.
    #[must_use]
    pub fn log_to(mut self, access_log: AccessLog) -> Self {
        self.access_log = access_log;
        self
    }

    /// Answers `/api/v1/audit` by `search`.
    #[must_use]
    pub fn search_by(mut self, search: Search) -> Self {
        self.audit = Some(AuditSearch::new(search));
        self
    }

    /// Hands notes of what is pulled, refused and logged in to `recorder`.
    #[must_use]
    pub fn record_to(mut self, recorder: Recorder) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// Lets users log in with their browser at `services`.
    #[must_use]
    pub fn with_login_services(mut self, services: Vec<LoginService>) -> Self {
        self.login_services = services;
        self
    }

    /// Shows on `/metrics` what other rooms count. They register in a registry with the prefix `berth`.
    #[must_use]
    pub fn with_registry(mut self, registry: MetricsRegistry) -> Self {
        self.metrics.add(registry);
        self
    }

    /// Shows on `/metrics` what `sampler` finds at that moment: for values that have to be asked for.
    #[must_use]
    pub fn with_sampler(mut self, sampler: Sampler) -> Self {
        self.metrics.sample(sampler);
        self
    }

    /// What the management API does; only where there is a catalog of accounts.
    pub(crate) fn manage(&self) -> Result<Management, ManageError> {
        let accounts = self.access.accounts().ok_or(ManageError::Hidden)?;
        Ok(Management::new(&self.access, accounts, self.registry.catalog()))
    }

    /// Tells whether requests are to be refused, because what they do could not be recorded.
    pub(crate) fn refuses_unrecorded(&self) -> bool {
        self.recorder.as_ref().is_some_and(Recorder::refuses)
    }

    /// Returns the switch for read-only mode.
    pub fn read_only(&self) -> &ReadOnly {
        self.access.read_only()
    }

    /// Says that no new work should be sent here.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Tells whether a shutdown has begun.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("config", &self.config).finish_non_exhaustive()
    }
}

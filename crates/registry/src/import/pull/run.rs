//! The work as a whole: repositories are listed, their tags are taken, several at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use berth_jobs::{Failure, Work};
use berth_oci::{RepositoryName, Tag};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::fault::Fault;
use super::report::{PullReport, Standing};
use super::{Pulling, Source};

/// How often progress is told, and whether to stop is asked.
const LOOK: Duration = Duration::from_millis(200);
/// How long tasks have to come to a good end when the work should stop.
const GRACE: Duration = Duration::from_secs(10);
/// Outages in a row after which the other registry counts as gone for now.
const MOST_OUTAGES: u32 = 3;

/// What a task brought.
enum Ended {
    /// A repository's tags, of which these are wanted.
    Listed(Arc<Source>, Vec<Tag>),
    /// A tag, or a repository, is done.
    Done,
}

type Outcome = (String, Result<Ended, Fault>);

/// What waits and what is at work.
struct Queue {
    names: VecDeque<RepositoryName>,
    tags: VecDeque<(Arc<Source>, Tag)>,
    tasks: JoinSet<Outcome>,
    outages: u32,
}

impl Pulling {
    /// Does the work; `stop` is turned true when it should end.
    pub(super) async fn run(self, work: &Work, stop: watch::Sender<bool>) -> Result<PullReport, Failure> {
        let pulling = Arc::new(self);
        let names = pulling.names(work).await?;
        let mut queue = Queue { names, tags: VecDeque::new(), tasks: JoinSet::new(), outages: 0 };
        let ended = pulling.work_off(&mut queue, work).await;
        if ended.is_err() {
            stop.send_replace(true);
            // What has come of a large blob is acknowledged, to go on with.
            let rest = async { while queue.tasks.join_next().await.is_some() {} };
            if tokio::time::timeout(GRACE, rest).await.is_err() {
                queue.tasks.shutdown().await;
            }
            work.report(&pulling.progress());
        }
        ended?;
        Ok(pulling.standing.lock().report.clone())
    }

    async fn work_off(self: &Arc<Self>, queue: &mut Queue, work: &Work) -> Result<(), Failure> {
        loop {
            self.begin(queue);
            if queue.tasks.is_empty() {
                return Ok(());
            }
            tokio::select! {
                ended = queue.tasks.join_next() => match ended {
                    Some(Ok((what, outcome))) => self.note(queue, &what, outcome)?,
                    Some(Err(panic)) => return Err(Failure::Retry(format!("a task panicked: {panic}"))),
                    None => {}
                },
                () = work.pause(LOOK) => {}
            }
            work.report(&self.progress());
            if work.should_stop() {
                return Err(Failure::Stopped);
            }
        }
    }

    /// Begins as much as may be done at a time. Tags go first, so that few wait.
    fn begin(self: &Arc<Self>, queue: &mut Queue) {
        while queue.tasks.len() < self.order.parallel() {
            let pulling = Arc::clone(self);
            if let Some((source, tag)) = queue.tags.pop_front() {
                let what = format!("{}:{tag}", source.from);
                queue.tasks.spawn(async move {
                    (what, pulling.take_tag(&source, &tag).await.map(|()| Ended::Done))
                });
            } else if let Some(name) = queue.names.pop_front() {
                queue.tasks.spawn(async move { (name.to_string(), pulling.list(name).await) });
            } else {
                return;
            }
        }
    }

    fn note(&self, queue: &mut Queue, what: &str, outcome: Result<Ended, Fault>) -> Result<(), Failure> {
        let fault = match outcome {
            Ok(Ended::Listed(source, tags)) => {
                queue.outages = 0;
                self.standing.lock().total += tags.len() as u64;
                queue.tags.extend(tags.into_iter().map(|tag| (Arc::clone(&source), tag)));
                return Ok(());
            }
            Ok(Ended::Done) => {
                queue.outages = 0;
                self.standing.lock().done += 1;
                return Ok(());
            }
            Err(fault) => fault,
        };
        if let Some(end) = fault.end() {
            return Err(end);
        }
        if fault.is_outage() {
            queue.outages += 1;
            if queue.outages >= MOST_OUTAGES {
                return Err(Failure::Retry(fault.to_string()));
            }
        }
        let mut standing = self.standing.lock();
        standing.done += 1;
        standing.report.fail(format!("{what}: {fault}"));
        Ok(())
    }

    /// Finds the repositories to look at.
    async fn names(&self, work: &Work) -> Result<VecDeque<RepositoryName>, Failure> {
        work.report(&self.progress());
        let listed = if let Some(names) = &self.order.names { names.clone() } else { self.ask(work).await? };
        self.standing.lock().listed = true;
        let mut names = VecDeque::new();
        for text in listed.iter().filter(|name| self.selection.wants(name)) {
            match text.parse() {
                Ok(name) => names.push_back(name),
                Err(error) => self.tally(|report| report.fail(format!("{text}: {error}"))),
            }
        }
        Ok(names)
    }

    /// Asks for the list of repositories, but not beyond a stop: the other registry may want to be waited for.
    async fn ask(&self, work: &Work) -> Result<Vec<String>, Failure> {
        tokio::select! {
            listed = self.upstream.repositories() => listed.map_err(|error| self.unlisted(&error)),
            () = stopped(work) => Err(Failure::Stopped),
        }
    }

    /// Whether the address is right and somebody is there shows first here, and who ordered the import should hear it soon; later it may be
    /// an outage.
    fn unlisted(&self, error: &berth_client::Error) -> Failure {
        let reason = format!("the repositories can't be listed: {error}");
        match error {
            berth_client::Error::Denied { .. } | berth_client::Error::Refused { .. } => Failure::Permanent(
                format!("{reason}; name them with --repositories-from if there is no list for you"),
            ),
            error if error.is_outage() && self.standing.lock().listed => Failure::Retry(reason),
            _ => Failure::Permanent(reason),
        }
    }

    /// Lists a repository's tags.
    async fn list(&self, from: RepositoryName) -> Result<Ended, Fault> {
        self.check_stop()?;
        let to = self.selection.name_here(&from).map_err(Fault::Refused)?;
        let listed = self.upstream.tags(&from).await?;
        // A list of repositories may name such as are empty.
        if listed.is_none() && self.order.names.is_some() {
            return Err(Fault::Refused("the registry has no such repository".to_owned()));
        }
        self.tally(|report| report.repositories += 1);
        let source = self.source(from, to, listed.unwrap_or_default())?;
        let mut wanted = Vec::new();
        for text in source.tags.iter().filter(|tag| self.selection.wants_tag(&source.from, tag)) {
            match text.parse() {
                Ok(tag) => wanted.push(tag),
                Err(error) => self.tally(|report| report.fail(format!("{}:{text}: {error}", source.from))),
            }
        }
        Ok(Ended::Listed(Arc::new(source), wanted))
    }

    fn progress(&self) -> serde_json::Value {
        let standing: Standing = self.standing.lock().clone();
        serde_json::to_value(&standing).unwrap_or_default()
    }
}

/// Resolves when the work should stop.
async fn stopped(work: &Work) {
    while !work.should_stop() {
        work.pause(LOOK).await;
    }
}

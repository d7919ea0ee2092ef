//! Whether the database can be reached: the watcher says it, all others heed it.
//!
//! An outage that has just begun may be a failover, so requests wait for its end. One that has outlasted their patience is waited
//! for by nobody: requests are refused at once, until the watcher, which goes on trying, comes through.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::error::{Error, Failure, Result};

/// How the database can be reached.
#[derive(Debug)]
pub(crate) struct Reach {
    state: watch::Sender<State>,
    patience: Duration,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    lost_at: Option<Instant>,
    /// Outages that are over.
    ended: u64,
}

/// A database that can't be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// How long it has lasted.
    pub lasted: Duration,
    /// Whether requests still wait for its end, and are not refused at once.
    pub waited_out: bool,
}

impl Reach {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { state: watch::Sender::new(State::default()), patience }
    }

    /// Notes that nothing came through since `since`. Returns whether that is news.
    pub(super) fn lose(&self, since: Instant) -> bool {
        self.state.send_if_modified(|state| {
            let news = state.lost_at.is_none();
            state.lost_at.get_or_insert(since);
            news
        })
    }

    /// Notes that the database has answered. Returns how long it could not be reached, if so.
    pub(super) fn find(&self) -> Option<Duration> {
        self.state.borrow().lost_at?;
        let mut lasted = None;
        self.state.send_modify(|state| {
            lasted = state.lost_at.take().map(|lost_at| lost_at.elapsed());
            state.ended += 1;
        });
        lasted
    }

    /// Returns the outage under way, if there is one.
    pub(crate) fn outage(&self) -> Option<Outage> {
        let lasted = self.state.borrow().lost_at?.elapsed();
        Some(Outage { lasted, waited_out: lasted < self.patience })
    }

    /// Returns until when to wait at most for what would otherwise be waited for until `limit`.
    ///
    /// # Errors
    /// [`Error::Unavailable`] in an outage that nobody waits for any more.
    pub(super) fn limit(&self, limit: Instant) -> Result<Instant, Failure> {
        let Some(lost_at) = self.state.borrow().lost_at else { return Ok(limit) };
        let end = lost_at + self.patience;
        if Instant::now() < end { Ok(limit.min(end)) } else { Err(self.refusal()) }
    }

    fn refusal(&self) -> Failure {
        let lasted = self.outage().map_or(0, |outage| outage.lasted.as_secs());
        Failure::last(Error::Unavailable(format!("it has been out of reach for {lasted} s")))
    }

    /// Waits for the end of an outage, until `limit` at most; at once if there is none.
    pub(super) async fn wait(&self, limit: Instant) {
        let mut state = self.state.subscribe();
        // Either way the caller looks again.
        let _ = timeout_at(limit, state.wait_for(|state| state.lost_at.is_none())).await;
    }

    /// Awaits an answer until `limit`, or until an outage has come and gone meanwhile: what was asked before it may have been asked
    /// of a server that is no more, and can be asked again.
    pub(super) async fn answer<T>(&self, limit: Instant, asking: impl Future<Output = T>) -> Option<T> {
        let mut state = self.state.subscribe();
        let ended = state.borrow().ended;
        tokio::select! {
            biased;
            answer = asking => Some(answer),
            _ = timeout_at(limit, state.wait_for(|state| state.ended != ended)) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_young_outage_is_waited_for_and_an_old_one_is_not() {
        let reach = Reach::new(10 * SECOND);
        let start = Instant::now();
        assert_eq!(reach.limit(start + 60 * SECOND).unwrap(), start + 60 * SECOND);
        assert!(reach.lose(start) && !reach.lose(start + SECOND), "the first word counts");
        tokio::time::advance(4 * SECOND).await;
        assert_eq!(reach.limit(start + 60 * SECOND).unwrap(), start + 10 * SECOND);
        assert_eq!(reach.limit(start + 5 * SECOND).unwrap(), start + 5 * SECOND);
        tokio::time::advance(6 * SECOND).await;
        assert!(matches!(
            reach.limit(start + 60 * SECOND),
            Err(Failure { error: Error::Unavailable(_), .. })
        ));
        assert_eq!(reach.outage(), Some(Outage { lasted: 10 * SECOND, waited_out: false }));
        assert_eq!(reach.find(), Some(10 * SECOND));
        assert_eq!((reach.find(), reach.outage()), (None, None));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_hears_of_the_end_and_old_questions_are_given_up() {
        let reach = Reach::new(10 * SECOND);
        let limit = Instant::now() + 8 * SECOND;
        let silent = reach.answer(limit, std::future::pending::<()>());
        let end = async {
            tokio::time::sleep(SECOND).await;
            reach.lose(Instant::now());
            tokio::time::sleep(2 * SECOND).await;
            reach.find();
        };
        let wait = async {
            tokio::time::sleep(2 * SECOND).await;
            reach.wait(limit).await;
        };
        let (answer, (), ()) = tokio::join!(silent, end, wait);
        assert_eq!(answer, None);
        assert_eq!(Instant::now(), limit - 5 * SECOND);
        assert_eq!(reach.answer(limit, async { 7 }).await, Some(7));
        assert_eq!(reach.answer(limit, std::future::pending::<()>()).await, None);
        assert_eq!(Instant::now(), limit);
    }
}

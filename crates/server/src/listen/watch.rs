//! When a connection has stood still for too long.
//!
//! One task looks at all connections every few seconds. Nothing on a request's way arms a timer.

use std::time::{Duration, Instant};

use super::connection::Command;
use crate::config::Limits;

/// A connection at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// Bytes written to the socket so far.
    pub(super) sent: u64,
    /// Requests whose handler works, or waits for their body.
    pub(super) handling: u32,
    /// Requests whose response is on the way.
    pub(super) responding: u32,
    /// Requests so far.
    pub(super) requests: u64,
    /// Bytes read from the socket since the last response ended.
    pub(super) unanswered: u64,
    /// Whether it speaks HTTP/2, where bytes may come in that belong to no request.
    pub(super) multiplexed: bool,
}

/// How long a connection may stand still.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    header: Duration,
    body: Duration,
    keep_alive: Duration,
}

/// What one connection looked like before.
#[derive(Debug)]
pub(super) struct Watch {
    last: Snapshot,
    /// When something last moved.
    still_since: Instant,
    /// When a request's header was first seen to have begun; the first one begins with the connection.
    header_since: Option<Instant>,
}

impl Patience {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            header: Duration::from_secs(limits.header_timeout_seconds),
            body: Duration::from_secs(limits.body_idle_seconds),
            keep_alive: Duration::from_secs(limits.keep_alive_seconds),
        }
    }

    /// How often to look, so that no limit is overrun by more than a quarter.
    pub(super) fn interval(&self) -> Duration {
        let least = self.header.min(self.body).min(self.keep_alive);
        (least / 4).clamp(Duration::from_millis(50), Duration::from_secs(5))
    }
}

impl Watch {
    /// Begins to watch a connection that was just opened.
    pub(super) fn new(now: Instant) -> Self {
        Self { last: Snapshot::default(), still_since: now, header_since: Some(now) }
    }

    /// Says what should become of the connection.
    pub(super) fn judge(&mut self, now: Instant, seen: Snapshot, patience: &Patience) -> Command {
        let last = std::mem::replace(&mut self.last, seen);
        // A handler at work moves nothing and is no reason to hurry; bodies have an idle limit of their own.
        let moved = seen.handling > 0
            || seen.sent != last.sent
            || seen.requests != last.requests
            || seen.responding != last.responding;
        if moved {
            self.still_since = now;
        }
        let still = now.duration_since(self.still_since);
        if seen.handling > 0 || seen.responding > 0 {
            self.header_since = None;
            return if still >= patience.body { Command::Cut } else { Command::Run };
        }
        if self.header_late(now, seen, patience) || still >= patience.keep_alive + patience.header {
            Command::Cut
        } else if still >= patience.keep_alive {
            Command::Drain
        } else {
            Command::Run
        }
    }

    /// Whether a request's header has begun, or is due as the first one, and doesn't get done.
    fn header_late(&mut self, now: Instant, seen: Snapshot, patience: &Patience) -> bool {
        // Before the first request the clock runs from the start: a TLS handshake that never ends is no sign of life.
        if seen.requests > 0 && (seen.multiplexed || seen.unanswered == 0) {
            self.header_since = None;
            return false;
        }
        now.duration_since(*self.header_since.get_or_insert(now)) >= patience.header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        header: Duration::from_secs(30),
        body: Duration::from_mins(1),
        keep_alive: Duration::from_mins(2),
    };

    /// Shows the watch each snapshot at its second, counted from the connection's opening.
    fn judge(story: &[(u64, Snapshot)]) -> Vec<Command> {
        let opened = Instant::now();
        let mut watch = Watch::new(opened);
        story
            .iter()
            .map(|(at, seen)| watch.judge(opened + Duration::from_secs(*at), *seen, &PATIENCE))
            .collect()
    }

    use Command::{Cut, Drain, Run};

    #[test]
    fn a_connection_that_never_asks_is_cut() {
        let silent = Snapshot::default();
        assert_eq!(judge(&[(5, silent), (29, silent), (30, silent)]), [Run, Run, Cut]);
        let trickle = |sent| Snapshot { sent, unanswered: sent, ..silent };
        assert_eq!(judge(&[(5, trickle(1)), (29, trickle(2)), (30, trickle(3))]), [Run, Run, Cut]);
    }

    #[test]
    fn an_idle_connection_is_drained_then_cut() {
        let idle = Snapshot { requests: 1, sent: 100, ..Snapshot::default() };
        let story = [(1, idle), (100, idle), (121, idle), (140, idle), (151, idle)];
        assert_eq!(judge(&story), [Run, Run, Drain, Drain, Cut]);
    }

    #[test]
    fn a_header_that_trickles_is_cut() {
        let begun = |unanswered| Snapshot { requests: 1, sent: 100, unanswered, ..Snapshot::default() };
        assert_eq!(
            judge(&[(1, begun(0)), (10, begun(1)), (39, begun(2)), (40, begun(3))]),
            [Run, Run, Run, Cut]
        );
    }

    #[test]
    fn pings_do_not_look_like_a_header() {
        let ping =
            |n| Snapshot { requests: 1, sent: n, unanswered: n, multiplexed: true, ..Snapshot::default() };
        assert_eq!(judge(&[(1, ping(1)), (60, ping(2)), (119, ping(3))]), [Run, Run, Run]);
    }

    #[test]
    fn a_response_that_is_not_taken_is_cut() {
        let stuck = |sent| Snapshot { requests: 1, responding: 1, sent, ..Snapshot::default() };
        assert_eq!(
            judge(&[(1, stuck(9)), (50, stuck(10)), (109, stuck(10)), (110, stuck(10))]),
            [Run, Run, Run, Cut]
        );
    }

    #[test]
    fn a_handler_at_work_is_left_alone() {
        let busy = Snapshot { requests: 1, handling: 1, ..Snapshot::default() };
        assert_eq!(judge(&[(1, busy), (1_000, busy), (100_000, busy)]), [Run, Run, Run]);
    }
}

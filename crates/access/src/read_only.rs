//! The switch that forbids pushes and deletes: by configuration, by command, or because the registry moved.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use crate::action::Action;
use crate::error::Reason;

/// What clients hear who want to change something meanwhile.
pub const READ_ONLY: &str = "the registry is read-only for now, pulls work: push again when its administrator has opened it \
                             (`berth read-only off`, or access.read_only)";

/// What they hear when there is nothing to wait for.
pub const MOVED: &str =
    "the registry has moved: pulls work here for now, push to its new address, which its administrator knows";

/// The switch that forbids every push and delete and lets background work rest. Clones are the same switch.
#[derive(Debug, Clone, Default)]
pub struct ReadOnly(Arc<Switch>);

#[derive(Debug, Default)]
struct Switch {
    /// Said by the configuration: nothing turns it off.
    configured: AtomicBool,
    /// Said by the catalog, which is written elsewhere from now on.
    moved: AtomicBool,
    on: watch::Sender<bool>,
}

impl ReadOnly {
    /// Turns it on for good.
    pub fn configure(&self) {
        self.0.configured.store(true, Ordering::Release);
        self.0.on.send_replace(true);
    }

    /// Turns it on for good, because the registry has moved. Returns whether that changed anything.
    pub fn set_moved(&self) -> bool {
        let known = self.0.moved.swap(true, Ordering::AcqRel);
        self.configure();
        !known
    }

    /// Tells whether the registry has moved.
    pub fn is_moved(&self) -> bool {
        self.0.moved.load(Ordering::Acquire)
    }

    /// Turns it on or off, as far as the configuration lets it. Returns whether that changed anything.
    pub fn set(&self, on: bool) -> bool {
        let on = on || self.is_configured();
        self.0.on.send_if_modified(|now| std::mem::replace(now, on) != on)
    }

    /// Tells whether it is on.
    pub fn is_on(&self) -> bool {
        *self.0.on.borrow()
    }

    /// Returns why something that changes anything can't be done now.
    pub(crate) fn reason(&self, action: Action) -> Option<Reason> {
        let changes = !matches!(action, Action::Pull | Action::List | Action::Read);
        let reason = if self.is_moved() { Reason::Moved } else { Reason::ReadOnly };
        (changes && self.is_on()).then_some(reason)
    }

    /// Tells whether it is on by configuration.
    pub fn is_configured(&self) -> bool {
        self.0.configured.load(Ordering::Acquire)
    }

    /// Follows it. The sender lives as long as any clone of the switch.
    pub fn subscribe(&self) -> watch::Receiver<bool> {
        self.0.on.subscribe()
    }
}

//! Decisions about what is no repository's content: for the management API.

use berth_catalog::binding::Kind;

use crate::access::Access;
use crate::action::Action;
use crate::caller::{Caller, Identity};
use crate::error::{Denied, Reason};
use crate::part;
use crate::policy::Subject;
use crate::resource::Resource;

impl Access {
    /// Decides whether a caller may do something to a resource: for the management API. What a caller may not do it may not do
    /// to what does not exist either, and hears the same.
    pub fn require(&self, caller: &Caller, action: Action, resource: Resource<'_>) -> Result<(), Denied> {
        let decision = self.decide(caller, action, &resource);
        if !decision.is_allowed() {
            return Err(self.denied(caller, action, &resource));
        }
        match self.read_only().reason(action) {
            Some(reason) => Err(Denied::new(action, &resource, caller, reason)),
            None => Ok(()),
        }
    }

    /// Decides whether a caller may say who may do what: bind roles, make robots; in a project, or everywhere. That takes the right to
    /// administer the project, or [`part::ACCESS`]. In a project whoever administers it may do everything already, so nobody
    /// can pass on more than it has; everywhere it takes a right that stands above all roles.
    ///
    /// Where duties are kept apart nobody says that of itself: `of` is whom the change would be about. Nor do robots and jobs say it there:
    /// behind them stand those who know their secrets.
    pub fn may_grant(
        &self,
        caller: &Caller,
        project: Option<&str>,
        of: Option<&Subject>,
    ) -> Result<(), Denied> {
        let access = Resource::System(part::ACCESS);
        let everywhere = self.require(caller, Action::Administer, access);
        match project {
            Some(project) => everywhere
                .or_else(|_| self.require(caller, Action::Administer, Resource::Project(project)))?,
            None => everywhere?,
        }
        let by_itself = matches!(caller.identity(), Identity::Robot(_) | Identity::Workload(_));
        if self.rules().separation && (by_itself || of.is_some_and(|of| self.is_about(of, caller))) {
            return Err(Denied::new(Action::Administer, &access, caller, Reason::OwnRights));
        }
        Ok(())
    }

    /// Tells whether what a subject holds is what the caller, a person, holds.
    fn is_about(&self, subject: &Subject, caller: &Caller) -> bool {
        match (subject.kind(), caller.identity()) {
            (Kind::Anonymous, _) | (Kind::Authenticated, Identity::User(_)) => true,
            (Kind::User, Identity::User(name)) => **name == *subject.name(),
            (Kind::Group, _) => self.is_in(caller, subject.name()),
            _ => false,
        }
    }
}

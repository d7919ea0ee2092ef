//! What roles, public projects and a token's scope come to for a caller and a resource, and why.

use std::sync::Arc;

use berth_catalog::binding::Kind;
use berth_oci::RepositoryName;
use jiff::Timestamp;

use super::Snapshot;
use crate::action::{Action, Actions};
use crate::caller::{Caller, Identity};
use crate::part;
use crate::policy::{Bound, Decision, Duties, Effect, Held, Outcome, Path, enough, from_rules, within_token};
use crate::resource::Resource;

impl Snapshot {
    /// Returns all that a caller may do to a resource.
    pub(crate) fn granted(&self, caller: &Caller, resource: &Resource<'_>, now: Timestamp) -> Actions {
        let granted = self.roles_grant(caller, resource, now);
        match resource {
            Resource::Repository(name) => within_token(granted, caller.scope().map(AsRef::as_ref), name),
            // A token of the registry's own is good for repositories.
            _ if caller.scope().is_some() => Actions::NONE,
            _ => granted,
        }
    }

    /// Tells whether a caller may know that a repository exists. Whoever may list at all was asked before.
    pub(crate) fn may_see(&self, caller: &Caller, repository: &RepositoryName, now: Timestamp) -> bool {
        self.roles_grant(caller, &Resource::Repository(repository), now).has(Action::List)
    }

    /// Returns all that a caller's roles grant, whatever its token says.
    pub(crate) fn roles_grant(&self, caller: &Caller, resource: &Resource<'_>, now: Timestamp) -> Actions {
        if self.is_whole(caller.identity(), now).is_err() {
            return Actions::NONE;
        }
        let path = Path::of(resource);
        let beside = self.public_on(resource).or(self.project_duty(caller, resource));
        from_rules(&path, beside, |see| self.each_role(caller, resource.project(), see))
    }

    /// Returns what everybody may do because a project is public.
    fn public_on(&self, resource: &Resource<'_>) -> Actions {
        const SEE: Actions = Actions::NONE.with(Action::List);
        match resource {
            _ if !resource.project().is_some_and(|name| self.public.contains(name)) => Actions::NONE,
            Resource::Repository(_) => SEE.with(Action::Pull).with(Action::Read),
            _ => SEE,
        }
    }

    /// Returns what rights on projects as such allow to do to one of them: nothing of what is in it, and not to say who may do what.
    fn project_duty(&self, caller: &Caller, resource: &Resource<'_>) -> Actions {
        const OUTSIDE: Actions = Actions::NONE
            .with(Action::List)
            .with(Action::Read)
            .with(Action::Create)
            .with(Action::Update)
            .with(Action::Delete);
        if !matches!(resource, Resource::Project(_)) {
            return Actions::NONE;
        }
        let path = Path::of(&Resource::System(part::PROJECTS));
        from_rules(&path, Actions::NONE, |see| self.each_role(caller, None, see)).and(OUTSIDE)
    }

    /// Shows every role that counts for a caller in a project, or in none. Where duties are kept apart, who has come to hold two of
    /// them, by a group say, has neither.
    pub(super) fn each_role<'a>(
        &'a self,
        caller: &'a Caller,
        project: Option<&str>,
        see: &mut dyn FnMut(Bound<'a>),
    ) {
        let duties = self.duties_of(caller);
        let fits =
            |bound: &Bound<'_>| !duties.conflict() || bound.project.is_some() || bound.role.duties.is_none();
        self.each_holder(caller, &mut |subject, held| {
            held.each(subject, project, &mut |bound| {
                if fits(&bound) {
                    see(bound);
                }
            });
        });
    }

    /// Returns the duties that a caller has, where they are kept apart.
    pub(super) fn duties_of(&self, caller: &Caller) -> Duties {
        if self.rules.separation { self.all_duties_of(caller) } else { Duties::NONE }
    }

    /// Returns them wherever they are not.
    pub(super) fn all_duties_of(&self, caller: &Caller) -> Duties {
        let mut duties = Duties::NONE;
        self.each_holder(caller, &mut |_, held| duties = duties.or(held.duties()));
        duties
    }

    /// Shows what a caller holds: what is bound to each subject that it is, and a robot's own policies.
    pub(super) fn each_holder<'a>(
        &'a self,
        caller: &'a Caller,
        see: &mut dyn FnMut((Kind, &'a str), &'a Held),
    ) {
        self.each_bound(caller, see);
        if let Identity::Robot(name) = caller.identity()
            && let Some((name, robot)) = self.robots.get_key_value(&**name)
        {
            see((Kind::Robot, name), &robot.held);
        }
    }

    /// Shows what is bound to each subject that a caller is. What everybody holds counts for all: logging in never takes anything away.
    pub(super) fn each_bound<'a>(
        &'a self,
        caller: &'a Caller,
        see: &mut dyn FnMut((Kind, &'a str), &'a Held),
    ) {
        let mut holds = |kind: Kind, name: &'a str| {
            if let Some(held) = self.book.held(kind, name) {
                see((kind, name), held);
            }
        };
        holds(Kind::Anonymous, "");
        match caller.identity() {
            Identity::Anonymous | Identity::Work(_) => return,
            Identity::User(name) => {
                holds(Kind::Authenticated, "");
                holds(Kind::User, name);
            }
            Identity::Robot(name) => holds(Kind::Robot, name),
            Identity::Workload(name) => {
                holds(Kind::Workload, name);
                // What the policy that let it in grants to all that it lets in.
                if let Some((trust, _)) = name.split_once('/') {
                    holds(Kind::Workload, trust);
                }
            }
        }
        for group in self.groups_of(caller) {
            holds(Kind::Group, group);
        }
    }

    /// Returns the groups that a caller is in now: an account's are those of its last login, whatever an older token says.
    pub(crate) fn groups_of<'a>(&'a self, caller: &'a Caller) -> &'a [Arc<str>] {
        match caller.identity() {
            Identity::User(name) => {
                self.accounts.get(&**name).map_or(caller.groups(), |account| &account.groups)
            }
            _ => caller.groups(),
        }
    }

    /// Decides, and says why.
    pub(crate) fn decide(
        &self,
        caller: &Caller,
        action: Action,
        resource: &Resource<'_>,
        now: Timestamp,
    ) -> Decision {
        Decision {
            action,
            resource: resource.to_string(),
            outcome: self.outcome(caller, action, resource, now),
        }
    }

    fn outcome(&self, caller: &Caller, action: Action, resource: &Resource<'_>, now: Timestamp) -> Outcome {
        if let Err(gone) = self.is_whole(caller.identity(), now) {
            return Outcome::Gone(gone);
        }
        let path = Path::of(resource);
        let granted = self.roles_grant(caller, resource, now);
        if granted.has(action) {
            if !self.granted(caller, resource, now).has(action) {
                return Outcome::OutOfScope;
            }
            let wanted = enough(action, &path).and(granted);
            let cause = self.cause(caller, resource.project(), &path, Effect::Allow, wanted);
            let outside = Path::of(&Resource::System(part::PROJECTS));
            let cause = cause.or_else(|| self.cause(caller, None, &outside, Effect::Allow, wanted));
            return cause.map_or(Outcome::Public, Outcome::Allowed);
        }
        let cause = self.cause(caller, resource.project(), &path, Effect::Deny, enough(action, &path));
        cause.map_or(Outcome::Missing, Outcome::Denied)
    }

    fn cause(
        &self,
        caller: &Caller,
        project: Option<&str>,
        path: &Path<'_>,
        effect: Effect,
        wanted: Actions,
    ) -> Option<crate::policy::Cause> {
        let mut found = None;
        self.each_role(caller, project, &mut |bound| {
            if found.is_none() {
                found = bound.cause(effect, wanted, path);
            }
        });
        found
    }

    /// Returns what everybody may do to a repository that no pattern but a general one knows.
    pub(crate) fn everywhere_for_everybody(&self) -> Actions {
        let segments = vec!["project", "\0", "repository", "\0"];
        let path = Path { segments, is_repository: true };
        let everybody = Caller::anonymous();
        from_rules(&path, Actions::NONE, |see| self.each_role(&everybody, None, see))
    }

    /// Tells whether there can be a repository that a caller may know of.
    pub(crate) fn may_list(&self, caller: &Caller, now: Timestamp) -> bool {
        if self.is_whole(caller.identity(), now).is_err() {
            return false;
        }
        let mut lists = !self.public.is_empty();
        self.each_holder(caller, &mut |_, held| lists = lists || held.lists());
        lists
    }
}

use super::Snapshot;
use crate::access::Access;
use crate::action::{Action, Actions};
use crate::caller::Caller;
use crate::manage::HeldRole;
use crate::policy::{Effect, PUSHES, Path, Subject};

impl Snapshot {
    /// Lists the roles that a caller holds, and why. A robot's own policies are no role.
    pub(crate) fn roles_of(&self, caller: &Caller) -> Vec<HeldRole> {
        let mut found = Vec::new();
        self.each_holder(caller, &mut |(kind, name), held| {
            let subject =
                Subject::new(kind, name).map_or_else(|_| name.to_owned(), |subject| subject.to_string());
            found.extend(held.all().filter(|(role, _)| !role.name.contains(' ')).map(|(role, project)| {
                HeldRole {
                    role: role.name.to_string(),
                    subject: subject.clone(),
                    project: project.map(ToString::to_string),
                }
            }));
        });
        found
    }

    /// Tells whether a role is bound to a subject itself.
    pub(crate) fn is_bound(&self, subject: &Subject) -> bool {
        self.book.held(subject.kind(), subject.name()).is_some_and(|held| held.all().next().is_some())
    }

    /// Tells whether a caller's roles allow all that a pattern and actions would; if not, why not. It never errs on the generous side:
    /// a star is covered by a star only, and who is denied anything there passes nothing on.
    fn covers(&self, caller: &Caller, pattern: &str, wanted: Actions) -> Result<(), String> {
        let segments: Vec<&str> = pattern.split('/').collect();
        let (last, before) = segments.split_last().unwrap_or((&"", &[]));
        if before.contains(&"**") {
            return Err(format!(
                "{pattern} has ** before its end, which can't be compared with what you may do"
            ));
        }
        let reach = match (wanted.has(Action::Administer), wanted.has(Action::Push)) {
            (true, _) => Actions::ALL,
            (false, true) => wanted.or(PUSHES),
            (false, false) => wanted,
        };
        // What ** stands for at the end may be nothing.
        let also = (*last == "**" && before.len() > 1).then_some(before);
        for segments in std::iter::once(&segments[..]).chain(also) {
            let project = segments.get(1).filter(|name| segments[0] == "project" && !name.contains('*'));
            let is_repository = segments.get(2) == Some(&"repository");
            let path = Path { segments: segments.to_vec(), is_repository };
            let everything = Path { segments: Vec::new(), is_repository: true };
            let (mut allowed, mut denied) = (Actions::NONE, Actions::NONE);
            self.each_role(caller, project.copied(), &mut |bound| {
                for rule in &bound.role.rules {
                    match rule.effect {
                        Effect::Allow if rule.pattern(&path).is_some() => {
                            allowed = allowed.or(rule.actions_on(&path));
                        }
                        Effect::Allow => {}
                        Effect::Deny => denied = denied.or(rule.actions_on(&everything)),
                    }
                }
            });
            if !reach.and(denied).is_empty() {
                return Err(format!("a role denies you some of that, and {pattern} could get around it"));
            }
            if let Some(missing) = wanted.without(allowed).iter().next() {
                return Err(format!("you may not {missing} all of {pattern}"));
            }
        }
        Ok(())
    }
}

impl Access {
    /// Lists the roles that a caller holds.
    pub(crate) fn holds(&self, caller: &Caller) -> Vec<HeldRole> {
        self.snapshot().roles_of(caller)
    }

    /// Returns the groups that a caller is in now.
    pub(crate) fn groups(&self, caller: &Caller) -> Vec<String> {
        self.snapshot().groups_of(caller).iter().map(ToString::to_string).collect()
    }

    /// Tells whether a role is bound to a subject itself.
    pub(crate) fn is_bound(&self, subject: &Subject) -> bool {
        self.snapshot().is_bound(subject)
    }

    /// Tells whether a caller may pass on all that patterns and actions allow to something that acts by itself, whose secret the caller
    /// knows: no more than it may do itself. If not, says why.
    pub(crate) fn may_pass_on(
        &self,
        caller: &Caller,
        patterns: &[String],
        wanted: Actions,
    ) -> Result<(), String> {
        if caller.scope().is_some() {
            return Err("a token passes nothing on; log in".to_owned());
        }
        let snapshot = self.snapshot();
        patterns.iter().try_for_each(|pattern| snapshot.covers(caller, pattern, wanted))
    }
}

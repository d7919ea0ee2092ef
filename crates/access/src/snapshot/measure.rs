//! Whether somebody may do all that something allows, or all that somebody else could do.
//!
//! None of it errs on the generous side: a star is covered by a star only, and who is denied anything there has less.

use std::collections::HashSet;

use berth_catalog::Error;
use jiff::Timestamp;

use super::Snapshot;
use crate::access::Access;
use crate::action::{Action, Actions};
use crate::caller::{Caller, Identity, Proof};
use crate::policy::{Effect, PUSHES, Path, Role};

/// A role by its name, and the only project it counts in.
type Place<'a> = (&'a str, Option<&'a str>);

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// What may be done to the system: enough to stop somebody.
    System,
    /// That, and to every project and what is in it: who acts as somebody may do all of that.
    Everywhere,
}

/// One whose rights others are measured by.
struct Measure<'a> {
    snapshot: &'a Snapshot,
    caller: &'a Caller,
    /// What it is denied, and the project that this is confined to.
    denials: Vec<(Option<&'a str>, Actions)>,
}

impl<'a> Measure<'a> {
    /// Measures by a caller. What `also` denies too makes no difference.
    fn by(snapshot: &'a Snapshot, caller: &'a Caller, also: &HashSet<Place<'_>>) -> Self {
        let everything = Path { segments: Vec::new(), is_repository: true };
        let mut denials = Vec::new();
        snapshot.each_holder(caller, &mut |_, held| {
            for (role, project) in held.all() {
                let project = project.map(AsRef::as_ref);
                if also.contains(&(&*role.name, project)) || also.contains(&(&*role.name, None)) {
                    continue;
                }
                let denying = role.rules.iter().filter(|rule| rule.effect == Effect::Deny);
                denials.extend(denying.map(|rule| (project, rule.actions_on(&everything))));
            }
        });
        Self { snapshot, caller, denials }
    }

    /// Tells whether the caller's roles allow all that a path and actions would; if not, why not.
    fn covers(&self, path: &Path<'_>, wanted: Actions) -> Result<(), String> {
        self.is_denied_nothing(path, wanted)?;
        let mut allowed = Actions::NONE;
        self.snapshot.each_role(self.caller, path.project(), &mut |bound| {
            for rule in bound.role.rules.iter().filter(|rule| rule.effect == Effect::Allow) {
                if rule.pattern(path).is_some() {
                    allowed = allowed.or(rule.actions_on(path));
                }
            }
        });
        match wanted.without(allowed).iter().next() {
            Some(missing) => Err(format!("you may not {missing} all of {}", path.segments.join("/"))),
            None => Ok(()),
        }
    }

    fn is_denied_nothing(&self, path: &Path<'_>, wanted: Actions) -> Result<(), String> {
        let reach = match (wanted.has(Action::Administer), wanted.has(Action::Push)) {
            (true, _) => Actions::ALL,
            (false, true) => wanted.or(PUSHES),
            (false, false) => wanted,
        };
        // What is not confined to one project meets what is denied in each.
        let project = path.project();
        let meets = |confined: Option<&str>| confined.is_none() || project.is_none() || confined == project;
        if self.denials.iter().any(|(confined, denied)| meets(*confined) && !reach.and(*denied).is_empty()) {
            let path = path.segments.join("/");
            return Err(format!("a role denies you some of that, and {path} could get around it"));
        }
        Ok(())
    }
}

/// Returns what a pattern stands for, as paths that another's patterns have to cover: all of it, or more. Bound in a project it stands
/// for what lies in there.
fn paths<'a>(pattern: &'a str, project: Option<&'a str>) -> Vec<Path<'a>> {
    let segments: Vec<&str> = pattern.split('/').collect();
    // A pattern covers what is below, so what stands behind ** only narrows it.
    let end = segments.iter().position(|segment| *segment == "**").unwrap_or(segments.len());
    let (first, rest) = segments[..end].split_first().unwrap_or((&"*", &[]));
    let kinds = if *first == "*" { vec!["project", "system"] } else { vec![*first] };
    let paths = kinds.into_iter().map(|kind| std::iter::once(kind).chain(rest.iter().copied()).collect());
    paths.filter_map(|path| path_in(path, project)).collect()
}

fn path_in<'a>(mut segments: Vec<&'a str>, project: Option<&'a str>) -> Option<Path<'a>> {
    // Nothing lies at these, only below.
    if segments.len() < 2 || (segments.len() == 3 && segments[2] == "repository") {
        segments.push("*");
    }
    if let Some(project) = project {
        if segments[0] != "project" || !(segments[1].contains('*') || segments[1] == project) {
            return None;
        }
        segments[1] = project;
    }
    let is_repository = segments.get(2) == Some(&"repository");
    Some(Path { segments, is_repository })
}

impl Snapshot {
    /// Tells whether a caller may do all that somebody could if nothing stood in the way: a disabled account, one that is over, or two
    /// duties that hold each other up come to life again.
    fn is_no_less(&self, caller: &Caller, than: &Caller, reach: Reach, now: Timestamp) -> bool {
        if caller.scope().is_some() || self.is_whole(caller.identity(), now).is_err() {
            return false;
        }
        let (mut theirs, mut ours) = (Vec::new(), HashSet::new());
        self.each_holder(than, &mut |_, held| theirs.extend(held.all()));
        let also: HashSet<Place<'_>> =
            theirs.iter().map(|(role, project)| (&*role.name, project.map(|name| &**name))).collect();
        let measure = Measure::by(self, caller, &also);
        let apart = self.duties_of(caller).conflict();
        self.each_holder(caller, &mut |_, held| {
            let fits = held.all().filter(|(role, _)| !apart || role.duties.is_none());
            ours.extend(fits.map(|(role, project)| (&*role.name, project.map(|name| &**name))));
        });
        theirs.iter().all(|(role, project)| {
            let project = project.map(|name| &**name);
            // A role that both hold is no difference, unless something else takes it from the caller.
            let both = ours.contains(&(&*role.name, project)) || ours.contains(&(&*role.name, None));
            let holds = |path: &Path<'_>, wanted| {
                let held =
                    if both { measure.is_denied_nothing(path, wanted) } else { measure.covers(path, wanted) };
                held.is_ok()
            };
            let counts = |path: &Path<'_>| reach == Reach::Everywhere || path.segments[0] == "system";
            allowed_by(role, project)
                .filter(|(path, _)| counts(path))
                .all(|(path, wanted)| holds(&path, wanted))
        })
    }
}

/// Returns all that a role allows, where it is bound in a project or everywhere: paths, and what may be done to each.
fn allowed_by<'a>(role: &'a Role, project: Option<&'a str>) -> impl Iterator<Item = (Path<'a>, Actions)> {
    let allowing = role.rules.iter().filter(|rule| rule.effect == Effect::Allow);
    allowing.flat_map(move |rule| {
        rule.patterns().flat_map(move |pattern| paths(pattern, project)).map(move |path| {
            let wanted = rule.actions_on(&path);
            (path, wanted)
        })
    })
}

impl Access {
    /// Tells whether a caller may do all that a user or a robot could, were it neither disabled nor over. What was committed before
    /// the call counts.
    pub(crate) async fn is_no_less(
        &self,
        caller: &Caller,
        than: Identity,
        reach: Reach,
    ) -> Result<bool, Error> {
        self.refresh().await?;
        let than = Caller::new(than, Proof::None);
        Ok(self.snapshot().is_no_less(caller, &than, reach, self.now()))
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
        let measure = Measure::by(&snapshot, caller, &HashSet::new());
        let paths = patterns.iter().flat_map(|pattern| paths(pattern, None));
        paths.into_iter().try_for_each(|path| measure.covers(&path, wanted))
    }
}

//! What robots may do: policies in the form of a role's, capped by their project and by whoever makes them.

use super::Error;
use crate::action::Action;
use crate::policy::{Effect, PolicyConfig, Role};

const MAX_POLICIES: usize = 64;

impl PolicyConfig {
    /// Lets a robot pull from its project and push to it.
    pub fn of_project(project: &str) -> Self {
        let (resources, actions) = (vec![format!("project/{project}")], vec![Action::Pull, Action::Push]);
        Self { resources, actions, effect: Effect::Allow }
    }
}

/// Says how much whoever makes a robot may give away.
pub trait Grantor: Send + Sync {
    /// Tells whether all that a policy allows may be given, and if not, what not.
    fn may_grant(&self, policy: &PolicyConfig) -> Result<(), String>;
}

/// The operator of the machine, who may do everything.
#[derive(Debug, Clone, Copy)]
pub struct OperatorGrants;

impl Grantor for OperatorGrants {
    fn may_grant(&self, _policy: &PolicyConfig) -> Result<(), String> {
        Ok(())
    }
}

/// Checks a robot's policies, and writes them as the catalog keeps them.
pub(crate) fn check(
    policies: &[PolicyConfig],
    project: Option<&str>,
    grantor: &dyn Grantor,
) -> Result<String, Error> {
    if policies.is_empty() || policies.len() > MAX_POLICIES {
        return Err(Error::Policies(format!("give between 1 and {MAX_POLICIES}")));
    }
    for policy in policies {
        if policy.resources.is_empty() || policy.actions.is_empty() {
            return Err(Error::Policies("each needs resources and actions".to_owned()));
        }
        if let Some(resource) = policy.resources.iter().find(|resource| !is_pattern(resource)) {
            let shown: String = resource.chars().take(128).collect();
            return Err(Error::Policies(format!(
                "{shown:?} is no resource: write such as project/team/repository/app-*"
            )));
        }
        // What is denied may lie anywhere.
        if policy.effect == Effect::Deny {
            continue;
        }
        if let Some(project) = project
            && let Some(resource) = policy.resources.iter().find(|resource| !is_within(resource, project))
        {
            return Err(Error::Outside { project: project.to_owned(), resource: resource.clone() });
        }
        grantor.may_grant(policy).map_err(Error::Beyond)?;
    }
    let text = serde_json::to_string(policies).map_err(|error| Error::Policies(error.to_string()))?;
    // As decisions will read it.
    let role = Role::read("robot".into(), &text).map_err(|error| Error::Policies(error.to_string()))?;
    role.names_something().map_err(|error| Error::Policies(error.to_string()))?;
    Ok(text)
}

fn is_pattern(resource: &str) -> bool {
    let fits = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || "/-._*".contains(char);
    let (kind, rest) = resource.split_once('/').unwrap_or((resource, ""));
    resource.len() <= 512
        && (kind == "project" || kind == "system")
        && !rest.is_empty()
        && resource.chars().all(fits)
        && resource.split('/').all(|segment| !segment.is_empty() && segment != ".." && segment != ".")
}

/// Tells whether a pattern names nothing outside of a project: its second segment is the project's name, without a star.
fn is_within(resource: &str, project: &str) -> bool {
    let mut segments = resource.split('/');
    segments.next() == Some("project") && segments.next() == Some(project)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(resource: &str, effect: Effect) -> PolicyConfig {
        PolicyConfig { resources: vec![resource.to_owned()], actions: vec![Action::Pull], effect }
    }

    #[test]
    fn a_robot_of_a_project_stays_in_it() {
        let within =
            |resource: &str| check(&[policy(resource, Effect::Allow)], Some("team"), &OperatorGrants);
        for resource in
            ["project/team", "project/team/repository/app", "project/team/**", "project/team/repository/a-*"]
        {
            assert!(within(resource).is_ok(), "{resource}");
        }
        for resource in [
            "project/*",
            "project/**",
            "project/team2",
            "project/te*",
            "project/tea*/repository/x",
            "system/*",
        ] {
            assert!(matches!(within(resource), Err(Error::Outside { .. })), "{resource}");
        }
        for resource in [
            "*",
            "**",
            "team",
            "project/",
            "project/team/../other",
            "project/Team",
            "project/team/x y",
            "project//x",
        ] {
            assert!(matches!(within(resource), Err(Error::Policies(_))), "{resource}");
        }
        assert!(check(&[policy("project/*", Effect::Deny)], Some("team"), &OperatorGrants).is_ok());
        assert!(check(&[policy("project/*", Effect::Allow)], None, &OperatorGrants).is_ok());
        assert!(check(&[], None, &OperatorGrants).is_err());
    }

    #[test]
    fn nobody_gives_more_than_they_have() {
        struct Reader;
        impl Grantor for Reader {
            fn may_grant(&self, policy: &PolicyConfig) -> Result<(), String> {
                if policy.actions == [Action::Pull] { Ok(()) } else { Err("you may only pull".to_owned()) }
            }
        }
        let mut given = policy("project/team", Effect::Allow);
        let kept = check(std::slice::from_ref(&given), Some("team"), &Reader).unwrap();
        assert_eq!(serde_json::from_str::<Vec<PolicyConfig>>(&kept).unwrap(), [given.clone()]);
        given.actions.push(Action::Push);
        let refused = check(&[given], Some("team"), &Reader).unwrap_err();
        assert!(refused.to_string().contains("you may only pull"), "{refused}");
    }
}

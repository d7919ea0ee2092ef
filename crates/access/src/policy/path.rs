//! Resources as patterns match them: the segments of their paths.

use crate::resource::Resource;

/// A resource as patterns see it: the segments of its path.
#[derive(Debug)]
pub(crate) struct Path<'a> {
    pub(crate) segments: Vec<&'a str>,
    /// Whether it is a repository, where pushing is made of other actions.
    pub(crate) is_repository: bool,
}

impl<'a> Path<'a> {
    pub(crate) fn of(resource: &Resource<'a>) -> Self {
        let mut segments = Vec::with_capacity(8);
        match resource {
            Resource::System(part) => segments.extend(["system", part]),
            Resource::Project(name) => segments.extend(["project", name]),
            Resource::Repository(_) => {
                segments.extend(["project", resource.project().unwrap_or_default(), "repository"]);
                segments.extend(resource.path().unwrap_or_default().split('/'));
            }
        }
        Self { segments, is_repository: matches!(resource, Resource::Repository(_)) }
    }

    /// Returns the only project that it may lie in; none if a star stands for several, or it lies in none.
    pub(crate) fn project(&self) -> Option<&'a str> {
        match self.segments[..] {
            ["project", name, ..] if !name.contains('*') => Some(name),
            _ => None,
        }
    }
}

//! What actions are done to, by the paths that roles know: parts of the system, projects, repositories.

use std::fmt;

use berth_oci::RepositoryName;

/// Something that an action is done to, as roles name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource<'a> {
    /// A part of the registry as a whole: `system/PART`.
    System(&'a str),
    /// A project: `project/NAME`. Its name is the first component of its repositories' names.
    Project(&'a str),
    /// A repository: `project/NAME/repository/PATH`, where PATH is its name behind the project's. It is empty for a repository that has
    /// no more than the project's name.
    Repository(&'a RepositoryName),
}

impl<'a> Resource<'a> {
    /// Returns the project that it is or lies in.
    pub fn project(&self) -> Option<&'a str> {
        match self {
            Self::System(_) => None,
            Self::Project(name) => Some(name),
            Self::Repository(name) => Some(project_of(name)),
        }
    }

    /// Returns the repository's name behind its project's; `None` for what is no repository.
    pub fn path(&self) -> Option<&'a str> {
        match self {
            Self::Repository(name) => Some(name.as_str().split_once('/').map_or("", |(_project, path)| path)),
            _ => None,
        }
    }
}

impl fmt::Display for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(part) => write!(f, "system/{part}"),
            Self::Project(name) => write!(f, "project/{name}"),
            Self::Repository(name) => {
                let path = self.path().unwrap_or_default();
                write!(f, "project/{}/repository/{path}", project_of(name))
            }
        }
    }
}

/// Returns the project that a repository lies in: the first component of its name.
pub fn project_of(repository: &RepositoryName) -> &str {
    repository.as_str().split('/').next().unwrap_or_default()
}

/// Tells whether a name can be a project's: one component of a repository's name.
pub fn is_project(name: &str) -> bool {
    !name.contains('/') && name.parse::<RepositoryName>().is_ok()
}

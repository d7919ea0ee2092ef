//! Resources as people and clients write them: `system/PART`, `project/NAME`, or a repository below one.

use std::str::FromStr;

use berth_oci::RepositoryName;

use crate::resource::{Resource, is_project};

/// A resource as somebody wrote it: `system/PART`, `project/NAME` or `project/NAME/repository/PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A part of the registry as a whole.
    System(String),
    /// A project.
    Project(String),
    /// A repository.
    Repository(RepositoryName),
}

/// A text that names no resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no resource; use system/PART, project/NAME or project/NAME/repository/PATH")]
pub struct UnknownTarget(String);

impl Target {
    /// Returns what decisions take.
    pub fn resource(&self) -> Resource<'_> {
        match self {
            Self::System(part) => Resource::System(part),
            Self::Project(name) => Resource::Project(name),
            Self::Repository(name) => Resource::Repository(name),
        }
    }
}

impl FromStr for Target {
    type Err = UnknownTarget;

    fn from_str(text: &str) -> Result<Self, UnknownTarget> {
        let unknown = || UnknownTarget(text.chars().take(300).collect());
        let mut parts = text.splitn(4, '/');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("system"), Some(part), None, None) if !part.is_empty() => Ok(Self::System(part.to_owned())),
            (Some("project"), Some(name), None, None) if is_project(name) => {
                Ok(Self::Project(name.to_owned()))
            }
            (Some("project"), Some(name), Some("repository"), path) if is_project(name) => {
                let path = path.filter(|path| !path.is_empty());
                let whole = path.map_or_else(|| name.to_owned(), |path| format!("{name}/{path}"));
                whole.parse().map(Self::Repository).map_err(|_| unknown())
            }
            _ => Err(unknown()),
        }
    }
}

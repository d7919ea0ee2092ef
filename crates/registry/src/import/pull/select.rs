//! Which repositories and tags are wanted, and what they are called here.

use berth_oci::RepositoryName;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::order::PullOrder;

/// Which repositories and tags are wanted, and what they are called here.
#[derive(Debug)]
pub(super) struct Selection {
    repositories: GlobSet,
    tags: GlobSet,
    exclude: GlobSet,
    exclude_tags: GlobSet,
    rename: Vec<(String, String)>,
    prefix: String,
}

impl Selection {
    pub(super) fn of(order: &PullOrder) -> Result<Self, String> {
        let (with_tag, whole): (Vec<_>, Vec<_>) =
            order.exclude.iter().cloned().partition(|pattern| pattern.contains(':'));
        let prefix = order.prefix.as_deref().unwrap_or_default().trim_matches('/');
        Ok(Self {
            repositories: patterns(&order.repositories)?,
            tags: patterns(&order.tags)?,
            exclude: patterns(&whole)?,
            exclude_tags: patterns(&with_tag)?,
            rename: order
                .rename
                .iter()
                .map(|(from, to)| (from.trim_matches('/').into(), to.trim_matches('/').into()))
                .collect(),
            prefix: prefix.to_owned(),
        })
    }

    pub(super) fn wants(&self, repository: &str) -> bool {
        (self.repositories.is_empty() || self.repositories.is_match(repository))
            && !self.exclude.is_match(repository)
    }

    pub(super) fn wants_tag(&self, repository: &RepositoryName, tag: &str) -> bool {
        (self.tags.is_empty() || self.tags.is_match(tag)) && !self.excludes_tag(repository, tag)
    }

    /// Tells whether some tags are left out, so that those that only refer to others have to be looked for.
    pub(super) fn picks_tags(&self) -> bool {
        !self.tags.is_empty() || !self.exclude_tags.is_empty()
    }

    pub(super) fn excludes_tag(&self, repository: &RepositoryName, tag: &str) -> bool {
        self.exclude_tags.is_match(format!("{repository}:{tag}"))
    }

    /// Returns the name here; the first rename that fits counts.
    pub(super) fn name_here(&self, there: &RepositoryName) -> Result<RepositoryName, String> {
        let there = there.as_str();
        let renamed = self.rename.iter().find_map(|(from, to)| {
            let rest = there.strip_prefix(from.as_str())?;
            let whole_parts = from.is_empty() || rest.is_empty() || rest.starts_with('/');
            whole_parts.then(|| join(to, rest.trim_start_matches('/')))
        });
        let name = join(&self.prefix, renamed.as_deref().unwrap_or(there));
        name.parse().map_err(|error| format!("it would be called {name:?} here: {error}"))
    }
}

fn join(before: &str, name: &str) -> String {
    match (before, name) {
        ("", name) => name.to_owned(),
        (before, "") => before.to_owned(),
        (before, name) => format!("{before}/{name}"),
    }
}

/// `*` stays within one part of a name, `**` does not.
fn patterns(texts: &[String]) -> Result<GlobSet, String> {
    let mut set = GlobSetBuilder::new();
    for text in texts {
        let pattern = GlobBuilder::new(text).literal_separator(true).build();
        set.add(pattern.map_err(|error| format!("pattern {text:?} can't be used: {}", error.kind()))?);
    }
    set.build().map_err(|error| format!("the patterns can't be used: {error}"))
}

#[cfg(test)]
mod tests;

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
mod tests {
    use super::*;

    fn selection(change: impl FnOnce(&mut PullOrder)) -> Selection {
        let mut order = PullOrder::default();
        change(&mut order);
        Selection::of(&order).unwrap()
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn patterns_pick_repositories_and_tags() {
        let all = selection(|_| ());
        assert!(all.wants("a") && all.wants("a/b/c") && !all.picks_tags());
        let some = selection(|order| {
            order.repositories = texts(&["library/*", "team/**"]);
            order.exclude = texts(&["team/secret/**", "library/nginx:*-debug"]);
            order.tags = texts(&["v[0-9]*", "latest"]);
        });
        for (name, wanted) in [
            ("library/nginx", true),
            ("library/a/b", false),
            ("team/a/b", true),
            ("team/secret/x", false),
            ("other", false),
        ] {
            assert_eq!(some.wants(name), wanted, "{name}");
        }
        let nginx: RepositoryName = "library/nginx".parse().unwrap();
        for (tag, wanted) in [("v1", true), ("latest", true), ("main", false), ("v1-debug", false)] {
            assert_eq!(some.wants_tag(&nginx, tag), wanted, "{tag}");
        }
        assert!(some.picks_tags());
        let order = PullOrder { repositories: texts(&["a[b"]), ..PullOrder::default() };
        assert!(Selection::of(&order).unwrap_err().contains("a[b"));
    }

    #[test]
    fn names_are_mapped_part_by_part() {
        let mapped = selection(|order| {
            order.prefix = Some("old/".into());
            order.rename = vec![("library".into(), "base".into()), ("team/x".into(), String::new())];
        });
        for (there, here) in [
            ("library/nginx", "old/base/nginx"),
            ("library", "old/base"),
            ("library2/nginx", "old/library2/nginx"),
            ("team/x/y", "old/y"),
            ("other", "old/other"),
        ] {
            assert_eq!(mapped.name_here(&there.parse().unwrap()).unwrap().as_str(), here);
        }
        let wrong = selection(|order| order.prefix = Some("UPPER".into()));
        assert!(wrong.name_here(&"a".parse().unwrap()).unwrap_err().contains("UPPER/a"));
    }
}

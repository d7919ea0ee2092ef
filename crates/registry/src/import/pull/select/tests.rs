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

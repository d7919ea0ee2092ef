use proptest::prelude::*;

use super::Pattern;

fn covers(pattern: &str, path: &str) -> bool {
    let path: Vec<&str> = path.split('/').collect();
    Pattern::parse(pattern).unwrap().covers(&path)
}

#[test]
fn a_pattern_covers_what_it_matches_and_everything_below() {
    for (pattern, path, expected) in [
        ("project/*", "project/library", true),
        ("project/*", "project/library/repository/nginx", true),
        ("project/*", "project/library/repository/a/b/c", true),
        ("project/*", "project/library/repository/", true),
        ("project/*", "system/users", false),
        ("project/*", "project", false),
        ("project", "project/library", true),
        ("project/lib*", "project/library", true),
        ("project/lib*", "project/a-lib", false),
        ("project/library", "project/library2", false),
        ("project/library", "project/library/repository/nginx", true),
        ("project/library/repository", "project/library", false),
        ("project/library/repository/*", "project/library/repository/", true),
        ("project/library/repository/*", "project/library/repository/a/b", true),
        ("project/library/repository/team", "project/library/repository/team/app", true),
        ("project/library/repository/team", "project/library/repository/teams", false),
        ("project/*/repository/*-dev", "project/a/repository/app-dev", true),
        ("project/*/repository/*-dev", "project/a/repository/app", false),
        ("project/*/repository/**/cache", "project/a/repository/cache", true),
        ("project/*/repository/**/cache", "project/a/repository/x/y/cache/z", true),
        ("project/*/repository/**/cache", "project/a/repository/x/caches", false),
        ("project/*/repository/**", "project/a/repository/", true),
        ("system/*", "system/users", true),
        ("system/*", "project/a", false),
        ("**", "system/users", true),
        ("**", "project/a/repository/b", true),
        ("*/a", "project/a", true),
        ("project/a*b*c", "project/axbxc", true),
        ("project/a*b*c", "project/abc", true),
        ("project/a*b*c", "project/acb", false),
        ("project/aa*aa", "project/aaa", false),
        ("project/Library", "project/library", false),
    ] {
        assert_eq!(covers(pattern, path), expected, "{pattern} on {path}");
    }
}

#[test]
fn what_could_cover_nothing_is_refused_with_a_reason() {
    for (pattern, part) in [
        ("", "empty segment"),
        ("/project/a", "empty segment"),
        ("project//a", "empty segment"),
        ("project/a/", "empty segment"),
        ("projects/a", "neither system/ nor project/"),
        ("library/nginx", "neither system/ nor project/"),
        ("project/a/repositories/b", "project/NAME/repository/PATH"),
        ("project/[ab]", "only * and **"),
        ("project/a b", "a space"),
        ("project/a\n", "control character"),
        ("project/a**", "beside other signs"),
        ("**/**/**", "more than twice"),
        ("project/*a*a*a*a*a", "more than four stars"),
    ] {
        let error = Pattern::parse(pattern).unwrap_err().to_string();
        assert!(error.contains(part), "{pattern:?}: {error}");
    }
    let (long, deep) = ("x".repeat(600), vec!["*"; 40].join("/"));
    assert!(Pattern::parse(&long).unwrap_err().to_string().contains("512 bytes"));
    assert!(Pattern::parse(&deep).unwrap_err().to_string().contains("32 segments"));
}

#[test]
fn what_nothing_can_be_called_is_refused_when_it_is_set() {
    let named =
        |text: &str| Pattern::parse(text).unwrap().names_something().map_err(|error| error.to_string());
    for (pattern, part) in [
        ("system/audi", "no part of the system"),
        ("system/Audit", "no part of the system"),
        ("system/audit/records", "below a part"),
        ("system/*/x", "below a part"),
        ("project/Team", "small letters"),
        ("project/a..b/repository/x", "small letters"),
    ] {
        let problem = named(pattern).unwrap_err();
        assert!(problem.contains(part), "{pattern}: {problem}");
    }
    for pattern in [
        "system/*",
        "system/audit",
        "system/aud*",
        "system/audit/**",
        "project/team",
        "project/*",
        "**",
        "*/a",
    ] {
        assert_eq!(named(pattern), Ok(()), "{pattern}");
    }
}

/// The meaning in its plainest words: try everything a star may stand for.
fn plainly(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|n| plainly(rest, &text[n..])),
        Some((first, rest)) => {
            text.split_first().is_some_and(|(char, below)| first == char && plainly(rest, below))
        }
    }
}

proptest! {
    #[test]
    fn a_star_stands_for_any_text_within_a_segment(pattern in "[ab*]{1,6}", text in "[ab]{0,8}") {
        prop_assume!(!pattern.contains("**"));
        let expected = plainly(pattern.as_bytes(), text.as_bytes());
        if let Ok(parsed) = Pattern::parse(&format!("project/{pattern}")) {
            prop_assert_eq!(parsed.covers(&["project", &text]), expected);
        }
    }

    #[test]
    fn no_text_breaks_the_parser(text in ".{0,80}") {
        if let Ok(pattern) = Pattern::parse(&text) {
            pattern.covers(&["project", "a", "repository", "b"]);
        }
    }

    #[test]
    fn what_is_below_is_covered_too(path in prop::collection::vec("[a-z]{1,3}", 2..6), more in "[a-z]{1,3}") {
        let path: Vec<&str> = std::iter::once("project").chain(path.iter().map(String::as_str)).collect();
        for pattern in ["project/*", "project/a*", "**", "project/*/*/**/x"] {
            let pattern = Pattern::parse(pattern).unwrap();
            let mut below = path.clone();
            below.push(&more);
            prop_assert!(!pattern.covers(&path) || pattern.covers(&below));
        }
    }
}

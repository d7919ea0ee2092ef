use proptest::prelude::*;

use crate::token::Ask;
use crate::token::ask::words;

/// What is understood of a scope, written as it is sent.
fn understood(scope: &str) -> Vec<String> {
    let write = |ask| match ask {
        Ask::Catalog => "registry:catalog:*".to_owned(),
        Ask::Repository(name, actions) => {
            format!("repository:{name}:{}", words(actions).collect::<Vec<_>>().join(","))
        }
    };
    Ask::parse_all(scope).map(write).collect()
}

#[test]
fn scopes_are_read_as_the_specification_has_them() {
    for (scope, expected) in [
        ("repository:library/nginx:pull", "repository:library/nginx:pull"),
        ("repository:a/b:push,pull", "repository:a/b:pull,push"),
        ("repository:a/b:*", "repository:a/b:pull,push,delete"),
        ("repository:a:delete", "repository:a:delete"),
        ("repository(plugin):a/b:pull", "repository:a/b:pull"),
        ("registry:catalog:*", "registry:catalog:*"),
        ("repository:a/b:pull,frobnicate", "repository:a/b:pull"),
    ] {
        assert_eq!(understood(scope), [expected], "{scope}");
    }
    assert_eq!(
        understood("repository:a:pull,push repository:b:pull"),
        ["repository:a:pull,push", "repository:b:pull"]
    );
}

#[test]
fn what_is_not_understood_is_left_out() {
    for scope in [
        "",
        "repository",
        "repository:a",
        "repository:a:",
        "repository:a:frobnicate",
        "repository::pull",
        "repository:A/B:pull",
        "repository:a/../b:pull",
        "repository:a//b:pull",
        "repository:a/:pull",
        "repository:example.com:5000/a:pull",
        "repository:*:pull",
        "repository(:a:pull",
        "repository():a:pull",
        "repository(x:a:pull",
        "registry:catalog:pull",
        "registry:other:*",
        "project:a:administer",
        "system:users:*",
        "Repository:a:pull",
    ] {
        assert_eq!(understood(scope), [""; 0], "{scope}");
    }
}

proptest! {
    #[test]
    fn nothing_is_understood_that_was_not_asked_for(scope in "[a-z/:,*() ]{0,60}") {
        for ask in understood(&scope) {
            let (kind, rest) = ask.split_once(':').unwrap();
            let (name, _) = rest.rsplit_once(':').unwrap();
            prop_assert!(scope.contains(kind) && scope.contains(name), "{scope} → {ask}");
        }
    }
}

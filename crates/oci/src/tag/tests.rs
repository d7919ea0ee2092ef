use proptest::prelude::*;

use super::*;

#[test]
fn accepts_and_refuses() {
    for tag in ["latest", "1.27", "_", "A-b_C.d", &"a".repeat(128)] {
        assert_eq!(tag.parse::<Tag>().unwrap().as_str(), tag);
    }
    for tag in ["", ".a", "-a", "..", "a/b", "a:b", "a b", "é", "a\n", &"a".repeat(129)] {
        assert!(tag.parse::<Tag>().is_err(), "{tag:?}");
    }
}

#[test]
fn orders_by_bytes() {
    let mut tags: Vec<Tag> = ["a", "B", "_", "10", "9"].iter().map(|tag| tag.parse().unwrap()).collect();
    tags.sort();
    assert_eq!(tags.iter().map(Tag::as_str).collect::<Vec<_>>(), ["10", "9", "B", "_", "a"]);
}

#[test]
fn the_error_quotes_and_teaches() {
    let error = "-x".parse::<Tag>().unwrap_err().to_string();
    assert!(error.starts_with(r#"tag "-x" is invalid: use 1 to 128 letters"#), "{error}");
}

proptest! {
    #[test]
    fn every_tag_of_the_grammar_round_trips(tag in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}") {
        let parsed: Tag = tag.parse().unwrap();
        prop_assert_eq!(parsed.to_string(), tag);
        let json = serde_json::to_string(&parsed).unwrap();
        prop_assert_eq!(serde_json::from_str::<Tag>(&json).unwrap(), parsed);
    }

    #[test]
    fn what_parses_prints_the_same(text in ".*") {
        if let Ok(tag) = text.parse::<Tag>() {
            prop_assert_eq!(tag.as_str(), text);
        }
    }
}

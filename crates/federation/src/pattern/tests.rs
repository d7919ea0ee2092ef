use super::matches;

#[test]
fn a_star_stays_within_a_segment() {
    for (pattern, text, expected) in [
        ("my-org/*", "my-org/app", true),
        ("my-org/*", "my-org/app/more", false),
        ("my-org/*", "my-org-evil/app", false),
        ("my-org/*", "evil/my-org/app", false),
        ("refs/heads/*", "refs/heads/feature/x", false),
        ("refs/heads/**", "refs/heads/feature/x", true),
        ("refs/tags/v*", "refs/tags/v1.2", true),
        ("refs/tags/v*.*", "refs/tags/v1", false),
        ("repo:my-org/*:ref:refs/heads/main", "repo:my-org/app:ref:refs/heads/main", true),
        ("repo:my-org/*:ref:refs/heads/main", "repo:my-org/app:environment:x/ref:refs/heads/main", false),
        ("**/deploy", "a/b/deploy", true),
        ("**", "", true),
        ("*", "", true),
        ("*", "a/b", false),
        ("a**b*c", "a/x/bxb/byc", true),
        ("a", "A", false),
        ("a.c", "abc", false),
        ("[a-z]", "b", false),
        ("", "", true),
        ("", "x", false),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern:?} {text:?}");
    }
}

#[test]
fn no_pattern_takes_long() {
    let text = "a".repeat(10_000);
    assert!(!matches("*a*a*a*a*a*a*a*a*a*b", &text));
    assert!(!matches("**a**a**a**a**a**a**b", &text));
}

#[test]
fn stars_of_both_kinds_agree_with_a_plain_search() {
    // Every pattern of up to five characters against every text of up to five: compared with one that tries everything.
    fn slow(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', b'*', rest @ ..] => (0..=text.len()).any(|n| slow(rest, &text[n..])),
            [b'*', rest @ ..] => {
                (0..=text.len()).take_while(|n| !text[..*n].contains(&b'/')).any(|n| slow(rest, &text[n..]))
            }
            [wanted, rest @ ..] => text.first() == Some(wanted) && slow(rest, &text[1..]),
        }
    }
    fn words(alphabet: &[u8], most: usize) -> Vec<Vec<u8>> {
        let mut all = vec![Vec::new()];
        let mut last = all.clone();
        for _ in 0..most {
            last = last
                .iter()
                .flat_map(|word| alphabet.iter().map(move |byte| [&word[..], &[*byte]].concat()))
                .collect();
            all.extend(last.clone());
        }
        all
    }
    let texts = words(b"a/", 5);
    for pattern in words(b"a/*", 5) {
        for text in &texts {
            let (shown, given) = (std::str::from_utf8(&pattern).unwrap(), std::str::from_utf8(text).unwrap());
            assert_eq!(matches(shown, given), slow(&pattern, text), "{shown:?} {given:?}");
        }
    }
}

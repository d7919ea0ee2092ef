//! Names as limits count them: all spellings that may mean one account fold into one word.

use unicode_normalization::UnicodeNormalization as _;

/// Returns what a name is counted under: one word for all that may mean the same account.
///
/// A directory takes `alice`, `Alice`, `álice` and `ａｌｉｃｅ` for one, and leaves out what can't be seen (RFC 4518); robots have two
/// forms. What is folded too far makes two names share a limit, which costs nothing; what is folded too little multiplies it.
pub(super) fn folded(name: &str) -> String {
    let upper = name.nfkd().flat_map(char::to_uppercase);
    upper.flat_map(char::to_lowercase).nfkd().filter(|char| char.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_name_are_one() {
        for spelling in [
            "Alice",
            "aLICE",
            " alice ",
            "álice",
            "a\u{301}lice",
            "ａｌｉｃｅ",
            "𝐚lice",
            "al\u{200b}ice",
            "al\u{ad}ice",
        ] {
            assert_eq!(folded(spelling), folded("alice"), "{spelling:?}");
        }
        for (one, other) in [
            ("robot$team+ci", "robot+team+ci"),
            ("Straße", "STRASSE"),
            ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
            ("Karl", "\u{212a}arl"),
        ] {
            assert_eq!(folded(one), folded(other));
        }
        assert_ne!(folded("张三"), folded("李四"));
        assert_ne!(folded("alice"), folded("alice2"));
    }
}

//! Every dependency may be used under a licence that deny.toml allows.

use anyhow::{Context as _, Result, ensure};

use super::quoted;

#[test]
fn licences_are_allowed() -> Result<()> {
    let deny = super::deny()?;
    let (_, section) = deny.split_once("[licenses]").context("deny.toml has no [licenses]")?;
    let allowed = quoted(section.split("\n[").next().unwrap_or_default());
    let mut wrong = Vec::new();
    for package in super::metadata()?.packages {
        let licence = package.license.unwrap_or_default();
        if !is_allowed(&licence, &allowed) {
            wrong.push(format!("{} {} ({licence})", package.name, package.version));
        }
    }
    ensure!(wrong.is_empty(), "dependencies whose licence deny.toml does not allow: {}", wrong.join(", "));
    Ok(())
}

/// Whether the allowed licences fulfil an SPDX expression, or its older form with slashes.
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let spaced =
        expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ").replace(" WITH ", "_WITH_");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = &words[..];
    any_of(&mut rest, allowed) && rest.is_empty()
}

fn any_of(words: &mut &[&str], allowed: &[&str]) -> bool {
    let mut fulfilled = all_of(words, allowed);
    while take(words, "OR") {
        fulfilled |= all_of(words, allowed);
    }
    fulfilled
}

fn all_of(words: &mut &[&str], allowed: &[&str]) -> bool {
    let mut fulfilled = one(words, allowed);
    while take(words, "AND") {
        fulfilled &= one(words, allowed);
    }
    fulfilled
}

fn one(words: &mut &[&str], allowed: &[&str]) -> bool {
    if take(words, "(") {
        let fulfilled = any_of(words, allowed);
        return take(words, ")") && fulfilled;
    }
    let Some((licence, rest)) = words.split_first() else { return false };
    *words = rest;
    allowed.contains(&licence.replace("_WITH_", " WITH ").as_str())
}

fn take(words: &mut &[&str], word: &str) -> bool {
    let found = words.first() == Some(&word);
    if found {
        *words = &words[1..];
    }
    found
}

#[test]
fn expressions_are_understood() {
    let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"];
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("MIT AND GPL-3.0", false),
        ("ISC AND (GPL-3.0 OR MIT)", true),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
    }
}

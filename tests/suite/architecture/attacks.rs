//! The page about what went wrong elsewhere names tests that are there.

use anyhow::{Context as _, Result, ensure};

use crate::harness::workspace;

#[test]
fn each_class_of_attack_has_a_test() -> Result<()> {
    let page = std::fs::read_to_string(workspace().join("docs/design/attacks.md"))?;
    let rows = page.lines().filter(|line| line.starts_with("| ")).skip(1);
    let mut classes = 0;
    for row in rows {
        let tests = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        // Between backticks: a file, then names of tests in it.
        let (mut text, mut named) = (String::new(), 0);
        for word in tests.split('`').skip(1).step_by(2) {
            if word.contains('/') {
                text = std::fs::read_to_string(workspace().join(word)).with_context(|| word.to_owned())?;
            } else {
                ensure!(text.contains(&format!("fn {word}(")), "no test {word}: {row}");
                named += 1;
            }
        }
        ensure!(named > 0, "no test at all: {row}");
        classes += 1;
    }
    ensure!(classes > 20, "the table has {classes} rows only");
    Ok(())
}

use clap::CommandFactory as _;

use super::clause::state_of;
use super::facts::{Open, People, Robots, TrailFacts};
use super::finding::Finding;
use super::text::text;
use super::*;
use crate::config::Config;

fn facts(change: impl FnOnce(&mut Facts)) -> Facts {
    let mut facts = Facts {
        at: jiff::Timestamp::UNIX_EPOCH,
        config: Config::default(),
        people: People { all: 3, local: 3, administrators: 3, with_factor: 3, ..People::default() },
        robots: Robots { all: 1, ..Robots::default() },
        open: Open::default(),
        trail: Some(TrailFacts {
            records: 9,
            signed_until: Some(9),
            last: 9,
            backup: Some(jiff::Timestamp::UNIX_EPOCH),
        }),
        key_in_catalog: Some(false),
    };
    facts.config.access.passwords.max_age_days = 90;
    facts.config.access.separation_of_duties = true;
    change(&mut facts);
    facts
}

fn state(clauses: &[Clause], number: &str) -> State {
    clauses.iter().find(|clause| clause.number == number).unwrap().state
}

type Change = fn(&mut Facts);

#[test]
fn each_clause_follows_what_it_is_about() {
    let all = |facts: &Facts| [djcp::clauses(facts), gdpr::clauses(facts)].concat();
    let good = all(&facts(|_| {}));
    let cases: [(&str, Change, State); 15] = [
        ("8.1.4.1 a)", |facts| facts.config.access.passwords.max_age_days = 0, State::Partly),
        ("8.1.4.1 b)", |facts| facts.config.access.passwords.lock_after = 0, State::Partly),
        (
            "8.1.4.1 c)",
            |facts| facts.config.http.listen = vec!["0.0.0.0:5000".parse().unwrap()],
            State::Unmet,
        ),
        ("8.1.4.1 d)", |facts| facts.people.administrators_without_factor = 1, State::Partly),
        ("8.1.4.2 a)", |facts| facts.open.projects_push = 1, State::Unmet),
        ("8.1.4.2 b)", |facts| facts.config.access.passwords.change_first = false, State::Partly),
        ("8.1.4.2 c)", |facts| facts.robots.without_end = 1, State::Partly),
        (
            "8.1.4.2 d)",
            |facts| {
                facts.config.access.separation_of_duties = false;
                facts.people.with_two_duties = vec!["root".into()];
            },
            State::Unmet,
        ),
        ("8.1.4.3 a)", |facts| facts.trail = None, State::Unmet),
        ("8.1.4.7 b)", |facts| facts.config.scrub.every_seconds = 0, State::Partly),
        ("8.1.4.8 b)", |facts| facts.key_in_catalog = Some(true), State::Partly),
        ("8.1.4.9 a)", |facts| facts.trail.as_mut().unwrap().backup = None, State::Partly),
        ("8.1.4.10 a)", |facts| facts.people.harbor_hashes = true, State::Partly),
        ("5(1)(c), 25", |facts| facts.open.everywhere_pull = true, State::Partly),
        ("32(1)(d)", |facts| facts.config.scrub.every_seconds = 0, State::Partly),
    ];
    for (number, change, expected) in cases {
        assert_eq!(state(&good, number), State::Met, "{number}");
        let worse = all(&facts(change));
        assert_eq!(state(&worse, number), expected, "{number}");
        let clause = worse.iter().find(|clause| clause.number == number).unwrap();
        assert!(clause.findings.iter().any(|finding| finding.advice.is_some()), "{number} says what to do");
    }
}

#[test]
fn the_manual_names_every_clause_in_both_languages() {
    let pages = [
        include_str!("../../../../../docs/compliance.md"),
        include_str!("../../../../../docs/zh-CN/compliance.md"),
    ];
    let facts = facts(|_| {});
    for clause in [djcp::clauses(&facts), gdpr::clauses(&facts)].concat() {
        for (page, language) in pages.iter().zip(["English", "Chinese"]) {
            let number = clause.number.split(' ').next_back().unwrap();
            let section = clause.number.split(' ').next().unwrap().trim_end_matches(',');
            assert!(page.contains(section) && page.contains(number), "{language}: {}", clause.number);
        }
    }
}

#[test]
fn a_clause_stands_as_its_findings_do() {
    let advice = ("do", "做");
    let (met, partly, unmet) = (
        Finding::met(("a", "一")),
        Finding::partly(("b", "二"), advice),
        Finding::unmet(("c", "三"), advice),
    );
    let outside = Finding::outside(("d", "四"));
    for (findings, expected) in [
        (vec![met.clone(), met.clone()], State::Met),
        (vec![met.clone(), outside.clone()], State::Met),
        (vec![outside.clone()], State::Outside),
        (vec![met.clone(), unmet.clone()], State::Partly),
        (vec![met, partly], State::Partly),
        (vec![unmet.clone(), unmet, outside], State::Unmet),
    ] {
        assert_eq!(state_of(&findings), expected, "{findings:?}");
    }
}

#[test]
fn the_text_counts_and_advises_in_both_languages() {
    let clauses = gdpr::clauses(&facts(|facts| facts.config.scrub.every_seconds = 0));
    let english = text("Berth", &clauses, Language::English);
    assert!(
        english.starts_with("Berth\n\nRegulation (EU) 2016/679 (GDPR)\n\nmet       5(1)(c), 25"),
        "{english}"
    );
    assert!(english.contains("set scrub.every_seconds, or run `berth scrub`"), "{english}");
    assert!(english.ends_with(" outside\n"), "{english}");
    let chinese = text("Berth", &clauses, Language::Chinese);
    assert!(chinese.contains("设置 scrub.every_seconds，或运行 `berth scrub`"), "{chinese}");
    assert_eq!(english.lines().count(), chinese.lines().count());
}

#[test]
fn what_berth_lacks_is_said_and_nobody_s_fault() {
    let clauses = djcp::clauses(&facts(|_| {}));
    let lacking: Vec<_> = clauses
        .iter()
        .filter(|clause| clause.findings.iter().any(|finding| finding.state == State::Lacking))
        .map(|clause| (clause.number, clause.state))
        .collect();
    assert_eq!(lacking, [("8.1.4.2 g)", State::Partly), ("8.1.4.5", State::Partly)]);
    assert!(State::Lacking.is_settled() && State::Outside.is_settled() && !State::Partly.is_settled());
}

#[test]
fn nothing_is_left_untranslated() {
    let clauses = [djcp::clauses(&facts(|_| {})), gdpr::clauses(&facts(|_| {}))].concat();
    let is_chinese = |text: &str| text.chars().any(|char| ('\u{4e00}'..='\u{9fff}').contains(&char));
    for clause in &clauses {
        assert!(is_chinese(clause.asks(Language::Chinese)), "{}", clause.number);
        for finding in &clause.findings {
            let written = finding.written(Language::Chinese);
            assert!(is_chinese(written.evidence), "{}: {}", clause.number, written.evidence);
            assert!(!is_chinese(finding.written(Language::English).evidence), "{}", clause.number);
        }
    }
}

#[test]
fn every_command_that_is_named_is_there() {
    let facts = facts(|facts| facts.config.access.passwords.max_age_days = 0);
    let clauses = [djcp::clauses(&facts), gdpr::clauses(&facts)].concat();
    let shown = clauses.iter().flat_map(|clause| clause.shown_by.split("; "));
    let mut found = 0;
    for line in shown.filter(|line| line.starts_with("berth ")) {
        let mut command = cli::Cli::command();
        for word in
            line.split(' ').skip(1).take_while(|word| !word.starts_with('-') && *word != word.to_uppercase())
        {
            command = command.find_subcommand(word).unwrap_or_else(|| panic!("{line}: no {word}")).clone();
        }
        found += 1;
    }
    assert!(found > 20, "{found}");
}

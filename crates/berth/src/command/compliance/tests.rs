use super::facts::{People, Robots, TrailFacts};
use super::*;
use crate::config::Config;

fn facts(change: impl FnOnce(&mut Facts)) -> Facts {
    let mut facts = Facts {
        config: Config::default(),
        people: People { all: 3, local: 3, administrators: 3, with_factor: 3, ..People::default() },
        robots: Robots { all: 1, ..Robots::default() },
        public_projects: 0,
        trail: Some(TrailFacts { records: 9, signed_until: Some(9), last: 9 }),
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
    let cases: [(&str, Change, State); 14] = [
        ("8.1.4.1 a)", |facts| facts.config.access.passwords.max_age_days = 0, State::Partly),
        ("8.1.4.1 b)", |facts| facts.config.access.passwords.lock_after = 0, State::Partly),
        (
            "8.1.4.1 c)",
            |facts| facts.config.http.listen = vec!["0.0.0.0:5000".parse().unwrap()],
            State::Unmet,
        ),
        ("8.1.4.1 d)", |facts| facts.people.administrators_without_factor = 1, State::Partly),
        (
            "8.1.4.2 a)",
            |facts| facts.config.access.anonymous = Some(berth_access::Anonymous::Write),
            State::Unmet,
        ),
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
        ("8.1.4.10 a)", |facts| facts.people.harbor_hashes = true, State::Partly),
        (
            "5(1)(c), 25",
            |facts| facts.config.access.anonymous = Some(berth_access::Anonymous::Read),
            State::Partly,
        ),
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
fn the_text_counts_and_advises() {
    let clauses = gdpr::clauses(&facts(|facts| facts.config.scrub.every_seconds = 0));
    let text = text(&clauses);
    assert!(text.starts_with("Regulation (EU) 2016/679 (GDPR)\n\nmet      5(1)(c), 25"), "{text}");
    assert!(text.contains("set scrub.every_seconds, or run `berth scrub`"), "{text}");
    assert!(text.lines().last().unwrap().ends_with("not a registry's to do"), "{text}");
}

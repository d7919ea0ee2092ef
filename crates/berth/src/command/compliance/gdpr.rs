//! Regulation (EU) 2016/679, as far as it touches a registry.

use super::check;
use super::clause::{Clause, Finding, Scheme};
use super::facts::Facts;

/// Holds an installation against each article.
pub(super) fn clauses(facts: &Facts) -> Vec<Clause> {
    [principles(facts), rights(), security(facts)].concat()
}

fn clause(
    number: &'static str,
    asks: &'static str,
    shown_by: &'static str,
    findings: impl Into<Vec<Finding>>,
) -> Clause {
    Clause::new(Scheme::Gdpr, (number, asks, shown_by), findings)
}

fn principles(facts: &Facts) -> Vec<Clause> {
    let days = u32::from(facts.config.audit.retention_days);
    let retention = Finding::met(format!(
        "records leave the trail after {days} days, for signed archives that are yours to delete"
    ));
    vec![
        clause(
            "5(1)(c), 25",
            "minimal data, protection by default",
            "berth user show NAME",
            [check::anonymous(facts)],
        ),
        clause("5(1)(e)", "kept no longer than needed", "berth config check", [retention]),
        clause(
            "5(2), 30",
            "accountability, records of processing",
            "berth audit verify",
            check::trail_kept(facts),
        ),
    ]
}

fn rights() -> Vec<Clause> {
    vec![
        clause(
            "15, 20",
            "access and portability",
            "berth user show NAME",
            [Finding::met("account, roles and records of a person as JSON")],
        ),
        clause(
            "16",
            "rectification",
            "PATCH /api/v1/users/NAME",
            [Finding::met("display name and address can be changed")],
        ),
        clause(
            "17",
            "erasure",
            "berth audit erase NAME",
            [Finding::met("the person's key is destroyed; the chain still verifies")],
        ),
    ]
}

fn security(facts: &Facts) -> Vec<Clause> {
    let pseudonyms = Finding::met(
        "logs know persons by pseudonyms; their addresses are sealed under a key of the person's own",
    );
    let transit = [check::tls(facts)].into_iter().chain(check::backends(facts));
    let encryption =
        transit.chain([pseudonyms, check::sealed(facts), check::blobs_sealed(facts)]).collect::<Vec<_>>();
    let breach = Finding::met("the trail says who read what, from where and when; to give notice is yours");
    let transfers = destinations(facts);
    vec![
        clause("32(1)(a)", "pseudonyms and encryption", "berth compliance report", encryption),
        clause(
            "32(1)(b)",
            "confidentiality, integrity, availability, resilience",
            "berth doctor",
            [check::anonymous(facts), check::scrubbed(facts), check::redundancy(facts)],
        ),
        clause("32(1)(c)", "restored in time after an incident", "berth backup verify", [check::backups()]),
        clause("32(1)(d)", "tested regularly", "berth scrub", [check::scrubbed(facts)]),
        clause(
            "33, 34",
            "notice of a breach",
            "POST /api/v1/audit/_search",
            [breach, check::recorded(facts)],
        ),
        clause("44–49", "transfers to third countries", "berth config check", [transfers]),
    ]
}

/// Where Berth sends anything.
fn destinations(facts: &Facts) -> Finding {
    let config = &facts.config;
    let bucket = config.storage.bucket.as_ref().map(|bucket| format!("the bucket {}", bucket.url));
    let database = config.database.url.as_ref().map(|url| format!("the database {url}"));
    let places: Vec<_> = database.into_iter().chain(bucket).collect();
    if places.is_empty() {
        Finding::met("everything stays on this machine, but for backups and traces that you point elsewhere")
    } else {
        Finding::outside(format!("data goes to {}: where that lies is yours to know", places.join(" and ")))
    }
}

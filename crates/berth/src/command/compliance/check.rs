//! What is looked at, for whichever clauses ask for it.

use berth_access::Anonymous;
use berth_server::Rate;

use super::clause::Finding;
use super::facts::Facts;

/// Whether anybody on the way can read what clients send.
pub(super) fn tls(facts: &Facts) -> Finding {
    let http = &facts.config.http;
    let local = http.listen.iter().all(|address| address.ip().to_canonical().is_loopback());
    if http.tls.is_some() {
        Finding::met("clients speak TLS with Berth itself")
    } else if local && !http.trusted_proxies.is_empty() {
        Finding::met("Berth listens on loopback behind a proxy, which has to end TLS")
    } else if local {
        Finding::met("Berth listens on loopback only: nothing leaves this machine")
    } else {
        Finding::unmet(
            "clients speak plain HTTP over the network",
            "set http.tls, or let a proxy on this machine end TLS",
        )
    }
}

/// Whether the way to what nodes share is sealed.
pub(super) fn backends(facts: &Facts) -> Vec<Finding> {
    let database = facts.config.database.url.as_ref().map(ToString::to_string).map(|url| {
        let sealed = ["sslmode=require", "sslmode=verify-ca", "sslmode=verify-full"];
        let so = sealed.iter().any(|mode| url.contains(mode));
        Finding::if_so(so, "the way to the database is under TLS", || {
            Finding::partly("TLS to the database is not demanded", "write sslmode=require into database.url")
        })
    });
    let bucket = facts.config.storage.bucket.as_ref().map(|bucket| {
        let plain = bucket.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
        Finding::if_so(!plain, "the way to the bucket is under TLS", || {
            Finding::partly(
                "the bucket is spoken to by plain HTTP",
                "give storage.bucket.endpoint an https address",
            )
        })
    });
    database.into_iter().chain(bucket).collect()
}

/// Rules for passwords that people choose.
pub(super) fn passwords(facts: &Facts) -> Vec<Finding> {
    let rules = &facts.config.access.passwords;
    let strong = rules.min_length >= 8 && rules.classes >= 3;
    let text = format!(
        "passwords have at least {} characters of {} kinds; the last {} may not be used again",
        rules.min_length, rules.classes, rules.history
    );
    let complex = Finding::if_so(strong, &text, || {
        Finding::partly(text.clone(), "set access.passwords.min_length to 8 or more and classes to 3 or more")
    });
    let age = match rules.max_age_days {
        0 => Finding::partly(
            "passwords need not be changed from time to time",
            "set access.passwords.max_age_days, such as 90",
        ),
        days => Finding::met(format!("a password must be changed after {days} days")),
    };
    vec![complex, age]
}

/// What happens when logins fail, and when people stop.
pub(super) fn logins(facts: &Facts) -> Vec<Finding> {
    let access = &facts.config.access;
    let lock = match access.passwords.lock_after {
        0 => Finding::unmet("wrong passwords lock nothing", "set access.passwords.lock_after, such as 5"),
        times => Finding::met(format!(
            "{times} wrong passwords lock an account for a while, each further one for longer"
        )),
    };
    let limited = facts.config.http.rate_limits.login.rate != Rate::OFF;
    let rate = Finding::if_so(limited, "failed logins are limited for each address and each name", || {
        Finding::partly(
            "failed logins are not limited by address",
            "set http.rate_limits.login.rate, such as 20/m",
        )
    });
    let sessions = &access.sessions;
    let ends = Finding::met(format!(
        "a session ends after {} minutes without a request, and after {} hours in any case",
        sessions.idle_minutes, sessions.absolute_hours
    ));
    vec![lock, rate, ends]
}

/// Second factors of those who may change something of the system.
pub(super) fn factors(facts: &Facts) -> Finding {
    let people = &facts.people;
    match (people.administrators, people.administrators_without_factor) {
        (0, _) => Finding::partly(
            "nobody but the machine's operator may administer",
            "make accounts for administrators",
        ),
        (_, 0) => Finding::met(
            "every administrator has a second factor, or logs in through a service that may ask for one",
        ),
        (all, without) => Finding::partly(
            format!("{without} of {all} administrators log in by a password alone"),
            "let them enable a second factor: `berth user totp enable NAME`",
        ),
    }
}

/// Whether somebody may come in without credentials.
pub(super) fn anonymous(facts: &Facts) -> Finding {
    match facts.config.access.anonymous {
        Some(Anonymous::Write) => Finding::unmet(
            "everybody may push and delete without credentials",
            "make users, and set access.anonymous to none",
        ),
        Some(Anonymous::Read) => Finding::partly(
            "everybody may pull everything",
            "set access.anonymous to none, and make projects public one by one",
        ),
        _ => Finding::met(format!(
            "without credentials nothing is seen but {} public projects",
            facts.public_projects
        )),
    }
}

/// Accounts and robots that nobody needs any more.
pub(super) fn superfluous(facts: &Facts) -> Vec<Finding> {
    let (people, robots) = (&facts.people, &facts.robots);
    let text = format!(
        "{} accounts, {} kept by Berth itself, {} with a second factor, {} disabled",
        people.all, people.local, people.with_factor, people.disabled
    );
    let accounts =
        Finding::if_so(people.unused == 0, &format!("{text}; all others were used within 90 days"), || {
            Finding::partly(
                format!("{text}; {} were not used for 90 days", people.unused),
                "disable or delete them: `berth user list`, `berth user disable NAME`",
            )
        });
    let text = format!("{} robots", robots.all);
    let kept = if robots.without_end > 0 {
        Finding::partly(
            format!("{text}, {} of them without an end", robots.without_end),
            "give each an end: `berth robot rotate NAME --days 90`; access.robots.max_days refuses others",
        )
    } else if robots.unused + robots.expired > 0 {
        Finding::partly(
            format!("{text}, {} expired, {} not used for 90 days", robots.expired, robots.unused),
            "delete them: `berth robot list --unused-days 90`",
        )
    } else {
        Finding::met(format!("{text}, all with an end and in use"))
    };
    vec![accounts, kept]
}

/// Whether duties are in several hands.
pub(super) fn duties(facts: &Facts) -> Finding {
    let two = &facts.people.with_two_duties;
    if facts.config.access.separation_of_duties {
        Finding::met("access.separation_of_duties keeps system, security and audit administration apart")
    } else if two.is_empty() && facts.people.administrators > 0 {
        Finding::partly(
            "nobody has two of the three duties, but nothing forbids it",
            "set access.separation_of_duties",
        )
    } else {
        Finding::unmet(
            format!(
                "{} may do the work of several administrators",
                if two.is_empty() { "the operator alone".to_owned() } else { two.join(", ") }
            ),
            "bind system-administrator, security-administrator and audit-administrator to different people, and set access.separation_of_duties",
        )
    }
}

/// Whether acts are recorded.
pub(super) fn recorded(facts: &Facts) -> Finding {
    match &facts.trail {
        Some(trail) => Finding::met(format!("the audit trail holds {} records", trail.records)),
        None => {
            Finding::unmet("there is no audit trail that can be read", "start `berth serve`, which keeps it")
        }
    }
}

/// Whether records can be trusted and stay.
pub(super) fn trail_kept(facts: &Facts) -> Vec<Finding> {
    let days = u32::from(facts.config.audit.retention_days);
    let stays = Finding::met(format!("records stay for {days} days; nobody can delete them earlier"));
    let signed = match &facts.trail {
        Some(trail) if trail.signed_until.is_some() => Finding::met(format!(
            "chained, and signed up to record {} of {}; `berth audit verify` checks it",
            trail.signed_until.unwrap_or_default(),
            trail.last
        )),
        Some(_) => Finding::partly(
            "chained, but no checkpoint signs it yet",
            "run `berth audit checkpoint`, and keep what it prints elsewhere",
        ),
        None => {
            Finding::unmet("there is no audit trail that can be read", "start `berth serve`, which keeps it")
        }
    };
    vec![stays, signed]
}

/// What happens when the trail can't be written.
pub(super) fn trail_goes_on(facts: &Facts) -> Finding {
    Finding::if_so(
        facts.config.audit.strict,
        "requests are refused when they can't be recorded (audit.strict)",
        || {
            Finding::met(
                "no switch turns the trail off; what can't be written is kept and counted until it can (audit.strict refuses instead)",
            )
        },
    )
}

/// Whether secrets lie under a key that is elsewhere.
pub(super) fn sealed(facts: &Facts) -> Finding {
    match facts.key_in_catalog {
        Some(false) => Finding::met("secrets in the catalog are sealed under a key that lies elsewhere"),
        Some(true) => Finding::partly(
            "secrets in the catalog are sealed under a key that lies in it",
            "set secrets.key_file or secrets.key_command, then `berth secrets rotate`",
        ),
        None => Finding::partly(
            "no key is configured to seal secrets with",
            "set secrets.key_file or secrets.key_command",
        ),
    }
}

/// How passwords are kept.
pub(super) fn hashed(facts: &Facts) -> Finding {
    Finding::if_so(
        !facts.people.harbor_hashes,
        "passwords are kept as argon2id, random secrets as SHA-256",
        || {
            Finding::partly(
                "some passwords still have Harbor's hash, until their first use",
                "ask their owners to log in, or reset them: `berth user list`",
            )
        },
    )
}

/// How blobs are kept.
pub(super) fn blobs_sealed(facts: &Facts) -> Finding {
    let encrypted = facts.config.storage.bucket.as_ref().map(|bucket| bucket.encryption.is_some());
    match encrypted {
        Some(true) => Finding::met("the bucket encrypts what it keeps"),
        Some(false) => Finding::partly(
            "the bucket is not asked to encrypt what it keeps",
            "set storage.bucket.encryption, or let the bucket do so by default",
        ),
        None => Finding::outside("blobs lie on this machine's disk, whose encryption is the system's"),
    }
}

/// Whether what is stored is looked at.
pub(super) fn scrubbed(facts: &Facts) -> Finding {
    match facts.config.scrub.every_seconds {
        0 => Finding::partly(
            "blobs are not checked on schedule",
            "set scrub.every_seconds, or run `berth scrub`",
        ),
        seconds => {
            Finding::met(format!("every blob is compared with its digest every {} hours", seconds / 3600))
        }
    }
}

/// Whether more than one node can serve.
pub(super) fn redundancy(facts: &Facts) -> Finding {
    Finding::if_so(
        facts.config.is_stateless(),
        "any number of nodes may serve from this database and bucket",
        || {
            Finding::unmet(
                "one node serves from one disk",
                "move to a Postgres and a bucket: `berth migrate`",
            )
        },
    )
}

/// Backups lie elsewhere, and Berth keeps no list of them.
pub(super) fn backups() -> Finding {
    Finding::outside(
        "backups lie elsewhere: see that `berth backup` is scheduled and `berth backup verify` succeeds",
    )
}

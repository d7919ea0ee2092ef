//! GB/T 22239-2019 8.1.4, level 3.

use super::check;
use super::clause::{Clause, Finding, Scheme};
use super::facts::Facts;

/// Holds an installation against each clause.
pub(super) fn clauses(facts: &Facts) -> Vec<Clause> {
    [identity(facts), access(facts), audit(facts), intrusion(facts), data(facts), remains(facts)].concat()
}

fn clause(
    number: &'static str,
    asks: &'static str,
    shown_by: &'static str,
    findings: impl Into<Vec<Finding>>,
) -> Clause {
    Clause::new(Scheme::Djcp, (number, asks, shown_by), findings)
}

fn identity(facts: &Facts) -> Vec<Clause> {
    vec![
        clause(
            "8.1.4.1 a)",
            "unique identities, complex passwords, changed from time to time",
            "berth user list",
            check::passwords(facts),
        ),
        clause(
            "8.1.4.1 b)",
            "failed logins handled, sessions ended",
            "berth user show NAME",
            check::logins(facts),
        ),
        clause("8.1.4.1 c)", "credentials can't be overheard", "berth doctor", [check::tls(facts)]),
        clause(
            "8.1.4.1 d)",
            "two factors, one of them cryptographic",
            "berth user list",
            [check::factors(facts)],
        ),
    ]
}

fn access(facts: &Facts) -> Vec<Clause> {
    let labels = Finding::partly(
        "projects are private or public, and denials win; mandatory labels there are none",
        "keep what is classified in an installation of its own",
    );
    let roles = Finding::met(
        "rules are policies of resources and actions, set by whoever may; nobody grants more than they hold",
    );
    vec![
        clause(
            "8.1.4.2 a)",
            "accounts and rights for whoever logs in",
            "berth bind list",
            [check::anonymous(facts)],
        ),
        clause(
            "8.1.4.2 b)",
            "no default accounts or passwords",
            "berth user list",
            [default_accounts(facts)],
        ),
        clause(
            "8.1.4.2 c)",
            "no superfluous, expired or shared accounts",
            "berth user list; berth robot list",
            check::superfluous(facts),
        ),
        clause(
            "8.1.4.2 d)",
            "least privilege, duties of administrators kept apart",
            "berth role list",
            [check::duties(facts)],
        ),
        clause("8.1.4.2 e)", "rules set by whoever is authorised to", "berth role show NAME", [roles]),
        clause(
            "8.1.4.2 f)",
            "granularity of a user, and of a file or a table",
            "berth access explain USER ACTION RESOURCE",
            [Finding::met("a user or a robot, and a repository")],
        ),
        clause("8.1.4.2 g)", "security labels", "berth project list", [labels]),
    ]
}

fn default_accounts(facts: &Facts) -> Finding {
    Finding::if_so(
        facts.config.access.passwords.change_first,
        "there are none; a first password must be changed",
        || {
            Finding::partly(
                "there are none, but a first password need not be changed",
                "set access.passwords.change_first",
            )
        },
    )
}

fn audit(facts: &Facts) -> Vec<Clause> {
    let what = Finding::met("time, user, act, outcome, address, agent, proof and request id");
    vec![
        clause(
            "8.1.4.3 a)",
            "every user's important acts are recorded",
            "POST /api/v1/audit/_search",
            [check::recorded(facts)],
        ),
        clause("8.1.4.3 b)", "time, user, kind, success and more", "berth audit list", [what]),
        clause(
            "8.1.4.3 c)",
            "records protected and backed up",
            "berth audit verify",
            check::trail_kept(facts),
        ),
        clause(
            "8.1.4.3 d)",
            "the process protected from interruption",
            "berth audit verify",
            [check::trail_goes_on(facts)],
        ),
    ]
}

fn intrusion(facts: &Facts) -> Vec<Clause> {
    let proxies = Finding::outside(
        "which networks reach /api/ is a proxy's or firewall's to say; Berth limits how often each client calls",
    );
    let alerts = Finding::met(
        "failed logins, denials and refusals are recorded and counted; alerts are your monitoring's",
    );
    vec![
        clause(
            "8.1.4.4 a)",
            "nothing installed that is not needed",
            "berth doctor",
            [Finding::met("one binary")],
        ),
        clause("8.1.4.4 b)", "no services or ports that are not needed", "berth doctor", [ports(facts)]),
        clause("8.1.4.4 c)", "administration from known addresses only", "berth config check", [proxies]),
        clause(
            "8.1.4.4 d)",
            "input is checked",
            "berth config check",
            [Finding::met("everything is parsed to types first; unknown fields are refused")],
        ),
        clause(
            "8.1.4.4 e)",
            "known weaknesses are found and mended",
            "berth --version",
            [Finding::outside(format!("this is Berth {}; install new releases", env!("CARGO_PKG_VERSION")))],
        ),
        clause("8.1.4.4 f)", "intrusion is noticed and told", "GET /metrics", [alerts]),
        clause(
            "8.1.4.5",
            "malicious code is recognised and blocked",
            "berth scrub",
            [Finding::partly(
                "what is stored is never run; images are not scanned",
                "scan images where they are built or run",
            )],
        ),
        clause(
            "8.1.4.6",
            "boot, programs and settings are verified",
            "berth doctor",
            [Finding::outside("the machine's part: measured boot, signed packages")],
        ),
    ]
}

fn ports(facts: &Facts) -> Finding {
    let addresses: Vec<_> = facts.config.http.listen.iter().map(ToString::to_string).collect();
    Finding::met(format!("Berth listens on {} and nowhere else", addresses.join(", ")))
}

fn data(facts: &Facts) -> Vec<Clause> {
    let transit = || std::iter::once(check::tls(facts)).chain(check::backends(facts)).collect::<Vec<_>>();
    vec![
        clause("8.1.4.7 a)", "integrity in transit", "berth doctor", transit()),
        clause(
            "8.1.4.7 b)",
            "integrity at rest",
            "berth scrub; berth gc --verify; berth audit verify",
            [check::scrubbed(facts)],
        ),
        clause("8.1.4.8 a)", "secrecy in transit", "berth doctor", transit()),
        clause(
            "8.1.4.8 b)",
            "secrecy at rest",
            "berth secrets list",
            [check::hashed(facts), check::sealed(facts), check::blobs_sealed(facts)],
        ),
        clause("8.1.4.9 a)", "local backup and restore", "berth backup list", [check::backups()]),
        clause(
            "8.1.4.9 b)",
            "backup to another place as it happens",
            "berth backup list",
            [check::backups()],
        ),
        clause("8.1.4.9 c)", "hot redundancy", "GET /readyz", [check::redundancy(facts)]),
    ]
}

fn remains(facts: &Facts) -> Vec<Clause> {
    let unlinked = Finding::met(
        "what garbage collection frees is unlinked; what lies on the medium is the disk's to encrypt",
    );
    let needed = Finding::met(
        "a name; a display name and an address where somebody gave them; address and agent in the trail",
    );
    let own = Finding::met("system/users and system/audit are resources of their own");
    vec![
        clause(
            "8.1.4.10 a)",
            "credentials are gone before their place is used again",
            "berth compliance report",
            [check::hashed(facts)],
        ),
        clause("8.1.4.10 b)", "so is sensitive content", "berth gc --verify", [unlinked]),
        clause("8.1.4.11 a)", "only what is needed is kept of persons", "berth user show NAME", [needed]),
        clause("8.1.4.11 b)", "nobody uses it without right", "berth access explain", [own]),
    ]
}

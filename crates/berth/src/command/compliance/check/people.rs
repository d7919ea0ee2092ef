//! Accounts, robots and what they may.

use super::super::facts::Facts;
use super::super::finding::Finding;

/// Whether first passwords have to be changed.
pub(in super::super) fn default_accounts(facts: &Facts) -> Finding {
    if facts.config.access.passwords.change_first {
        Finding::met(("there are none; a first password must be changed", "没有默认账户；首个口令必须更换"))
    } else {
        Finding::partly(
            ("there are none, but a first password need not be changed", "没有默认账户，但首个口令不必更换"),
            ("set access.passwords.change_first", "设置 access.passwords.change_first"),
        )
    }
}

/// Second factors of those who may change something of the system.
pub(in super::super) fn factors(facts: &Facts) -> Finding {
    let people = &facts.people;
    match (people.administrators, people.administrators_without_factor) {
        (0, _) => Finding::partly(
            ("nobody but the machine's operator may administer", "除主机操作员外无人可以管理"),
            ("make accounts for administrators", "为管理员创建账户"),
        ),
        (_, 0) => Finding::met((
            "every administrator has a second factor, or logs in through a service that may ask for one",
            "每个管理员都有第二因素，或通过可以要求第二因素的服务登录",
        )),
        (all, without) => Finding::partly(
            (
                format!("{without} of {all} administrators log in by a password alone"),
                format!("{all} 个管理员中有 {without} 个只用口令登录"),
            ),
            (
                "let them enable a second factor: `berth user totp enable NAME`",
                "请他们启用第二因素：`berth user totp enable NAME`",
            ),
        ),
    }
}

/// Accounts and robots that nobody needs any more.
pub(in super::super) fn superfluous(facts: &Facts) -> Vec<Finding> {
    vec![accounts(facts), robots(facts)]
}

fn accounts(facts: &Facts) -> Finding {
    let people = &facts.people;
    let (all, local, factor, disabled) = (people.all, people.local, people.with_factor, people.disabled);
    let text = (
        format!(
            "{all} accounts, {local} kept by Berth itself, {factor} with a second factor, {disabled} disabled"
        ),
        format!("{all} 个账户，其中 {local} 个由 Berth 保存、{factor} 个有第二因素、{disabled} 个已停用"),
    );
    match people.unused {
        0 => Finding::met((
            text.0 + "; no other has been unused for 90 days",
            text.1 + "；其余没有 90 天未使用的",
        )),
        unused => Finding::partly(
            (
                format!("{}; {unused} were not used for 90 days", text.0),
                format!("{}；{unused} 个 90 天未使用", text.1),
            ),
            (
                "disable or delete them: `berth user list`, `berth user disable NAME`",
                "停用或删除：`berth user list`、`berth user disable NAME`",
            ),
        ),
    }
}

fn robots(facts: &Facts) -> Finding {
    let robots = &facts.robots;
    let (all, without, expired, unused) = (robots.all, robots.without_end, robots.expired, robots.unused);
    if without > 0 {
        return Finding::partly(
            (
                format!("{all} robots, {without} of them without an end"),
                format!("{all} 个机器人，{without} 个没有期限"),
            ),
            (
                "give each an end: `berth robot rotate NAME --days 90`; access.robots.max_days refuses others",
                "设定期限：`berth robot rotate NAME --days 90`；access.robots.max_days 拒绝没有期限的机器人",
            ),
        );
    }
    if expired + unused > 0 {
        return Finding::partly(
            (
                format!("{all} robots, {expired} expired, {unused} not used for 90 days"),
                format!("{all} 个机器人，{expired} 个已过期，{unused} 个 90 天未使用"),
            ),
            ("delete them: `berth robot list --unused-days 90`", "删除：`berth robot list --unused-days 90`"),
        );
    }
    Finding::met((
        format!("{all} robots, none without an end or unused"),
        format!("{all} 个机器人，没有无期限或未使用的"),
    ))
}

/// Whether duties are in several hands.
pub(in super::super) fn duties(facts: &Facts) -> Finding {
    let two = &facts.people.with_two_duties;
    if facts.config.access.separation_of_duties {
        return Finding::met((
            "access.separation_of_duties keeps system, security and audit administration apart",
            "access.separation_of_duties 使系统、安全、审计管理三权分立",
        ));
    }
    if two.is_empty() && facts.people.administrators > 0 {
        return Finding::partly(
            ("nobody has two of the three duties, but nothing forbids it", "无人兼任，但没有禁止兼任"),
            ("set access.separation_of_duties", "设置 access.separation_of_duties"),
        );
    }
    let who = match two.as_slice() {
        [] => ("the operator alone".to_owned(), "操作员一人".to_owned()),
        names => (names.join(", "), names.join("、")),
    };
    Finding::unmet(
        (
            format!("{} may do the work of several administrators", who.0),
            format!("{}可以代行多个管理员的职责", who.1),
        ),
        (
            "bind system-administrator, security-administrator and audit-administrator to different people, and set access.separation_of_duties",
            "将 system-administrator、security-administrator、audit-administrator 绑定到不同的人，并设置 access.separation_of_duties",
        ),
    )
}

//! The audit trail.

use super::super::facts::Facts;
use super::super::finding::Finding;

/// Whether acts are recorded.
pub(in super::super) fn recorded(facts: &Facts) -> Finding {
    let Some(trail) = &facts.trail else { return unread() };
    let records = trail.records;
    Finding::met((format!("the audit trail holds {records} records"), format!("审计记录共 {records} 条")))
}

/// Whether records can be trusted and stay.
pub(in super::super) fn kept(facts: &Facts) -> Vec<Finding> {
    let days = u32::from(facts.config.audit.retention_days);
    let stays = Finding::met((
        format!("records stay for {days} days; nobody can delete them earlier"),
        format!("记录保留 {days} 天，任何人不能提前删除"),
    ));
    let Some(trail) = &facts.trail else { return vec![stays, unread()] };
    let last = trail.last;
    let signed = match trail.signed_until {
        Some(until) => Finding::met((
            format!("chained, and signed up to record {until} of {last}; `berth audit verify` checks it"),
            format!("哈希成链，已签名至第 {until} 条（共 {last} 条）；由 `berth audit verify` 验证"),
        )),
        None => Finding::partly(
            ("chained, but no checkpoint signs it yet", "哈希成链，但尚无签名的检查点"),
            (
                "run `berth audit checkpoint`, and keep what it prints elsewhere",
                "运行 `berth audit checkpoint`，并将其输出另处保存",
            ),
        ),
    };
    vec![stays, signed]
}

/// What happens when the trail can't be written.
pub(in super::super) fn unbroken(facts: &Facts) -> Finding {
    if facts.config.audit.strict {
        return Finding::met((
            "requests are refused when they can't be recorded (audit.strict)",
            "不能记录时拒绝请求（audit.strict）",
        ));
    }
    Finding::met((
        "no switch turns the trail off; what can't be written is kept and counted until it can (audit.strict refuses instead)",
        "没有关闭审计的开关；暂时写不进的记录保留并计数，直到写入（audit.strict 则拒绝请求）",
    ))
}

fn unread() -> Finding {
    Finding::unmet(
        ("there is no audit trail that can be read", "没有可读取的审计记录"),
        ("start `berth serve`, which keeps it", "启动 `berth serve`，由它记录"),
    )
}

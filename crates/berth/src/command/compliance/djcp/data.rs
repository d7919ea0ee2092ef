//! 8.1.4.7 to 8.1.4.11: what is kept.

use super::super::check;
use super::super::clause::Clause;
use super::super::facts::Facts;
use super::super::finding::Finding;
use super::clause;

pub(super) fn data(facts: &Facts) -> Vec<Clause> {
    vec![
        clause("8.1.4.7 a)", ("integrity in transit", "传输完整性"), "berth doctor", check::transit(facts)),
        clause(
            "8.1.4.7 b)",
            ("integrity at rest", "存储完整性"),
            "berth scrub; berth gc --verify; berth audit verify",
            [check::scrubbed(facts)],
        ),
        clause("8.1.4.8 a)", ("secrecy in transit", "传输保密性"), "berth doctor", check::transit(facts)),
        clause(
            "8.1.4.8 b)",
            ("secrecy at rest", "存储保密性"),
            "berth secrets list",
            [check::hashed(facts), check::sealed(facts), check::blobs_sealed(facts)],
        ),
        clause(
            "8.1.4.9 a)",
            ("local backup and restore", "本地备份与恢复"),
            "berth backup list",
            [check::backups(facts)],
        ),
        clause(
            "8.1.4.9 b)",
            ("backup to another place as it happens", "异地实时备份"),
            "berth backup list",
            [check::backups(facts)],
        ),
        clause("8.1.4.9 c)", ("hot redundancy", "热冗余"), "GET /readyz", [check::redundancy(facts)]),
    ]
}

pub(super) fn remains(facts: &Facts) -> Vec<Clause> {
    let unlinked = Finding::met((
        "what garbage collection frees is unlinked; what lies on the medium is the disk's to encrypt",
        "垃圾回收释放的内容即被删除；介质上的残留由磁盘加密",
    ));
    let needed = Finding::met((
        "a name; a display name and an address where somebody gave them; address and agent in the trail",
        "用户名；有人填写时的显示名和邮箱；审计记录中的地址和用户代理",
    ));
    let own = Finding::met((
        "system/users and system/audit are resources of their own",
        "system/users 和 system/audit 是独立的资源",
    ));
    vec![
        clause(
            "8.1.4.10 a)",
            ("credentials are gone before their place is used again", "鉴别信息在空间重新分配前清除"),
            "berth compliance report",
            [check::hashed(facts)],
        ),
        clause(
            "8.1.4.10 b)",
            ("so is sensitive content", "敏感数据同样清除"),
            "berth gc --verify",
            [unlinked],
        ),
        clause(
            "8.1.4.11 a)",
            ("only what is needed is kept of persons", "只采集必需的个人信息"),
            "berth user show NAME",
            [needed],
        ),
        clause(
            "8.1.4.11 b)",
            ("nobody uses it without right", "禁止未授权访问和使用个人信息"),
            "berth access explain",
            [own],
        ),
    ]
}

//! Regulation (EU) 2016/679, as far as it touches a registry.

use super::check;
use super::clause::{Clause, Scheme};
use super::facts::Facts;
use super::finding::Finding;

/// Holds an installation against each article.
pub(super) fn clauses(facts: &Facts) -> Vec<Clause> {
    [principles(facts), rights(), security(facts)].concat()
}

fn clause(
    number: &'static str,
    asks: (&'static str, &'static str),
    shown_by: &'static str,
    findings: impl Into<Vec<Finding>>,
) -> Clause {
    Clause::new(Scheme::Gdpr, number, asks, shown_by, findings)
}

fn principles(facts: &Facts) -> Vec<Clause> {
    let days = u32::from(facts.config.audit.retention_days);
    let retention = Finding::met((
        format!("records leave the trail after {days} days, for signed archives that are yours to delete"),
        format!("记录 {days} 天后移出，进入签名的归档，由您删除"),
    ));
    vec![
        clause(
            "5(1)(c), 25",
            ("minimal data, protection by default", "数据最小化，默认保护"),
            "berth user show NAME",
            check::anonymous(facts),
        ),
        clause("5(1)(e)", ("kept no longer than needed", "保存期限"), "berth config check", [retention]),
        clause(
            "5(2), 30",
            ("accountability, records of processing", "可问责，处理记录"),
            "berth audit verify",
            check::kept(facts),
        ),
    ]
}

fn rights() -> Vec<Clause> {
    vec![
        clause(
            "15, 20",
            ("access and portability", "访问与可携带"),
            "berth user show NAME; POST /api/v1/audit/_search",
            [Finding::met((
                "account, roles and records of a person as JSON",
                "以 JSON 给出某人的账户、角色和记录",
            ))],
        ),
        clause(
            "16",
            ("rectification", "更正"),
            "PATCH /api/v1/users/NAME",
            [Finding::met(("display name and address can be changed", "显示名和邮箱可以修改"))],
        ),
        clause(
            "17",
            ("erasure", "删除"),
            "berth audit erase NAME",
            [Finding::met((
                "the person's key is destroyed; the chain still verifies",
                "销毁该人的密钥，链依然可验证",
            ))],
        ),
    ]
}

fn security(facts: &Facts) -> Vec<Clause> {
    let pseudonyms = Finding::met((
        "logs know persons by pseudonyms; their addresses are sealed under a key of the person's own",
        "日志以假名记录个人；其地址由该人自己的密钥加密",
    ));
    let mut encryption = check::transit(facts);
    encryption.extend([pseudonyms, check::sealed(facts), check::blobs_sealed(facts)]);
    let breach = Finding::met((
        "the trail says who read what, from where and when; to give notice is yours",
        "审计记录说明谁在何时从何处读取了什么；通报由您完成",
    ));
    vec![
        clause(
            "32(1)(a)",
            ("pseudonyms and encryption", "假名化与加密"),
            "berth compliance report",
            encryption,
        ),
        clause(
            "32(1)(b)",
            ("confidentiality, integrity, availability, resilience", "保密、完整、可用、韧性"),
            "berth doctor",
            [check::anonymous(facts), vec![check::scrubbed(facts), check::redundancy(facts)]].concat(),
        ),
        clause(
            "32(1)(c)",
            ("restored in time after an incident", "事故后及时恢复"),
            "berth backup verify",
            [check::backups(facts)],
        ),
        clause("32(1)(d)", ("tested regularly", "定期测试"), "berth scrub", [check::scrubbed(facts)]),
        clause(
            "33, 34",
            ("notice of a breach", "泄露通报"),
            "POST /api/v1/audit/_search",
            [breach, check::recorded(facts)],
        ),
        clause(
            "44–49",
            ("transfers to third countries", "向第三国传输"),
            "berth config check",
            [check::destinations(facts)],
        ),
    ]
}

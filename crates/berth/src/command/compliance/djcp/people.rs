//! 8.1.4.1 to 8.1.4.3: who comes in, what they may do, and what is recorded of it.

use super::super::check;
use super::super::clause::Clause;
use super::super::facts::Facts;
use super::super::finding::Finding;
use super::clause;

pub(super) fn identity(facts: &Facts) -> Vec<Clause> {
    vec![
        clause(
            "8.1.4.1 a)",
            (
                "unique identities, complex passwords, changed from time to time",
                "身份标识唯一，鉴别信息有复杂度并定期更换",
            ),
            "berth user list",
            check::passwords(facts),
        ),
        clause(
            "8.1.4.1 b)",
            ("failed logins handled, sessions ended", "登录失败处理，结束会话，超时退出"),
            "berth user show NAME",
            check::logins(facts),
        ),
        clause(
            "8.1.4.1 c)",
            ("credentials can't be overheard", "防止鉴别信息被窃听"),
            "berth doctor",
            check::transit(facts),
        ),
        clause(
            "8.1.4.1 d)",
            ("two factors, one of them cryptographic", "两种鉴别技术，其一使用密码技术"),
            "berth user list",
            [check::factors(facts)],
        ),
    ]
}

pub(super) fn access(facts: &Facts) -> Vec<Clause> {
    let marks = Finding::met((
        "projects are private or public, and denials win over all grants",
        "项目分私有和公开，拒绝优先于一切授权",
    ));
    let labels = Finding::lacking(
        ("there are no mandatory labels", "没有强制访问控制的标记"),
        ("keep what is classified in an installation of its own", "将有密级的内容放在单独的安装中"),
    );
    let rules = Finding::met((
        "rules are policies of resources and actions; whoever may set them is said by roles, too",
        "规则是以资源和动作书写的策略；谁可以设置规则，同样由角色决定",
    ));
    let granularity = Finding::met(("a user or a robot, and a repository", "主体是用户或机器人，客体是仓库"));
    vec![
        clause(
            "8.1.4.2 a)",
            ("accounts and rights for whoever logs in", "为登录的用户分配账户和权限"),
            "berth bind list",
            check::anonymous(facts),
        ),
        clause(
            "8.1.4.2 b)",
            ("no default accounts or passwords", "没有默认账户和默认口令"),
            "berth user list",
            [check::default_accounts(facts)],
        ),
        clause(
            "8.1.4.2 c)",
            ("no superfluous, expired or shared accounts", "删除多余、过期的账户，避免共享"),
            "berth user list; berth robot list",
            check::superfluous(facts),
        ),
        clause(
            "8.1.4.2 d)",
            ("least privilege, duties of administrators kept apart", "最小权限，管理用户权限分离"),
            "berth role list",
            [check::duties(facts)],
        ),
        clause(
            "8.1.4.2 e)",
            ("rules set by whoever is authorised to", "由授权主体配置访问规则"),
            "berth role show NAME",
            [rules],
        ),
        clause(
            "8.1.4.2 f)",
            ("granularity of a user, and of a file or a table", "主体为用户级，客体为文件、表级"),
            "berth access explain USER ACTION RESOURCE",
            [granularity],
        ),
        clause("8.1.4.2 g)", ("security labels", "设置安全标记"), "berth project list", [marks, labels]),
    ]
}

pub(super) fn audit(facts: &Facts) -> Vec<Clause> {
    let what = Finding::met((
        "time, user, act, outcome, address, agent, proof and request id",
        "时间、用户、行为、结果、地址、用户代理、鉴别方式、请求编号",
    ));
    vec![
        clause(
            "8.1.4.3 a)",
            ("every user's important acts are recorded", "覆盖每个用户的重要行为"),
            "POST /api/v1/audit/_search",
            [check::recorded(facts)],
        ),
        clause(
            "8.1.4.3 b)",
            ("time, user, kind, success and more", "时间、用户、类型、是否成功及其他信息"),
            "POST /api/v1/audit/_search",
            [what],
        ),
        clause(
            "8.1.4.3 c)",
            ("records protected and backed up", "防止记录被删除、修改、覆盖，并备份"),
            "berth audit verify",
            check::kept(facts),
        ),
        clause(
            "8.1.4.3 d)",
            ("the process protected from interruption", "防止审计进程被中断"),
            "berth audit verify",
            [check::unbroken(facts)],
        ),
    ]
}

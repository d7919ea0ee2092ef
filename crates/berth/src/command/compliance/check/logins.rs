//! How people come in.

use berth_server::Rate;

use super::super::facts::Facts;
use super::super::finding::Finding;

/// Rules for passwords that people choose.
pub(in super::super) fn passwords(facts: &Facts) -> Vec<Finding> {
    let rules = &facts.config.access.passwords;
    let (length, classes, history) = (rules.min_length, rules.classes, rules.history);
    let text = (
        format!(
            "passwords have at least {length} characters of {classes} kinds; the last {history} may not be used again"
        ),
        format!("口令至少 {length} 个字符、{classes} 类字符，不得重复最近 {history} 个口令"),
    );
    let complex = if length >= 8 && classes >= 3 {
        Finding::met(text)
    } else {
        Finding::partly(
            text,
            (
                "set access.passwords.min_length to 8 or more and classes to 3 or more",
                "将 access.passwords.min_length 设为 8 以上，classes 设为 3 以上",
            ),
        )
    };
    let age = match rules.max_age_days {
        0 => Finding::partly(
            ("passwords need not be changed from time to time", "没有要求定期更换口令"),
            ("set access.passwords.max_age_days, such as 90", "设置 access.passwords.max_age_days，例如 90"),
        ),
        days => Finding::met((
            format!("a password must be changed after {days} days"),
            format!("口令使用 {days} 天后必须更换"),
        )),
    };
    [Some(complex), Some(age), configured(facts)].into_iter().flatten().collect()
}

/// What happens when logins fail, and when people stop.
pub(in super::super) fn logins(facts: &Facts) -> Vec<Finding> {
    let access = &facts.config.access;
    let lock = match access.passwords.lock_after {
        0 => Finding::unmet(
            ("wrong passwords lock nothing", "口令错误不会锁定账户"),
            ("set access.passwords.lock_after, such as 5", "设置 access.passwords.lock_after，例如 5"),
        ),
        times => Finding::met((
            format!("{times} wrong passwords lock an account for a while, each further one for longer"),
            format!("口令错误 {times} 次后账户暂时锁定，此后每错一次锁定更久"),
        )),
    };
    let rate = if facts.config.http.rate_limits.login.rate == Rate::OFF {
        Finding::partly(
            ("failed logins are not limited by address", "没有按地址限制失败的登录"),
            ("set http.rate_limits.login.rate, such as 20/m", "设置 http.rate_limits.login.rate，例如 20/m"),
        )
    } else {
        Finding::met((
            "failed logins are limited for each address and each name",
            "失败的登录按地址和用户名限制",
        ))
    };
    let (idle, absolute) = (access.sessions.idle_minutes, access.sessions.absolute_hours);
    let ends = Finding::met((
        format!(
            "a session ends after {idle} minutes without a request, and after {absolute} hours in any case"
        ),
        format!("会话空闲 {idle} 分钟后结束，最长 {absolute} 小时"),
    ));
    vec![lock, rate, ends]
}

/// What somebody may do who brings no credentials.
pub(in super::super) fn anonymous(facts: &Facts) -> Vec<Finding> {
    let open = &facts.open;
    let everywhere = match (open.everywhere_push, open.everywhere_pull) {
        (true, _) => Some(Finding::unmet(
            ("everybody may push without credentials", "任何人无需凭据即可推送"),
            (
                "make users, set access.anonymous to none, and see `berth bind list`",
                "创建用户，将 access.anonymous 设为 none，并查看 `berth bind list`",
            ),
        )),
        (false, true) => Some(Finding::partly(
            ("everybody may pull everything", "任何人可以拉取一切"),
            (
                "set access.anonymous to none, and make projects public one by one",
                "将 access.anonymous 设为 none，并逐个公开项目",
            ),
        )),
        _ => None,
    };
    let pushed = (open.projects_push > 0 && !open.everywhere_push).then(|| {
        let projects = open.projects_push;
        Finding::unmet(
            (
                format!("everybody may push to {projects} projects without credentials"),
                format!("任何人无需凭据即可向 {projects} 个项目推送"),
            ),
            ("take these roles away: `berth bind list`", "取消这些绑定：`berth bind list`"),
        )
    });
    let found: Vec<_> = everywhere.into_iter().chain(pushed).collect();
    if !found.is_empty() {
        return found;
    }
    let public = open.projects_pull;
    vec![Finding::met((
        format!("without credentials nothing is seen but {public} public projects"),
        format!("没有凭据只能看到 {public} 个公开项目"),
    ))]
}

/// Users in the configuration, whose passwords are whatever was hashed.
fn configured(facts: &Facts) -> Option<Finding> {
    let users = facts.people.configured;
    (users > 0).then(|| {
        Finding::partly(
            (
                format!("{users} users are in the configuration: no rule holds for their passwords"),
                format!("{users} 个用户写在配置中，其口令不受这些规则约束"),
            ),
            (
                "make accounts of them: `berth user add NAME`, and take them out of access.users",
                "改为账户：`berth user add NAME`，并从 access.users 中删除",
            ),
        )
    })
}

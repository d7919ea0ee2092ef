//! What the pages say, in the reader's language.

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

/// What the pages say.
pub(super) struct Words {
    /// The language's tag (BCP 47).
    pub(super) tag: &'static str,
    pub(super) title: &'static str,
    pub(super) name: &'static str,
    pub(super) password: &'static str,
    pub(super) code: &'static str,
    pub(super) log_in: &'static str,
    pub(super) log_in_at: &'static str,
    pub(super) log_out: &'static str,
    pub(super) you_are: &'static str,
    pub(super) groups: &'static str,
    pub(super) no_groups: &'static str,
    pub(super) passwords: &'static str,
    pub(super) what_for: &'static str,
    pub(super) no_passwords: &'static str,
    pub(super) password_name: &'static str,
    pub(super) days: &'static str,
    pub(super) make: &'static str,
    pub(super) end: &'static str,
    pub(super) ends: &'static str,
    pub(super) used: &'static str,
    pub(super) never: &'static str,
    pub(super) made: &'static str,
    pub(super) shown_once: &'static str,
    pub(super) use_it: &'static str,
    pub(super) back: &'static str,
    pub(super) wrong: &'static str,
    pub(super) again: &'static str,
    pub(super) busy: &'static str,
    pub(super) unrecorded: &'static str,
    pub(super) must_change: &'static str,
    pub(super) change: &'static str,
    pub(super) old: &'static str,
    pub(super) new: &'static str,
    pub(super) new_again: &'static str,
    pub(super) not_twice: &'static str,
    pub(super) changed: &'static str,
}

const ENGLISH: Words = Words {
    tag: "en",
    title: "Log in to the registry",
    name: "Name",
    password: "Password",
    code: "Code of the second factor, if you have one",
    log_in: "Log in",
    log_in_at: "Log in at",
    log_out: "Log out",
    you_are: "You are",
    groups: "Groups",
    no_groups: "none",
    passwords: "Passwords for docker and other clients",
    what_for: "A client logs in with your name and one of these. It stays good when you log out here, until it ends or you end it.",
    no_passwords: "You have none yet.",
    password_name: "What it is for",
    days: "Days it is good",
    make: "Make a password",
    end: "End it",
    ends: "ends",
    used: "last used",
    never: "never",
    made: "Your new password",
    shown_once: "It is shown this once: copy it now.",
    use_it: "Log in with it:",
    back: "Back",
    wrong: "Wrong name, password or code. Try again.",
    again: "This form is too old, or was not sent from here. Try again.",
    busy: "The registry can't tell who you are now. Try again in a few seconds.",
    must_change: "Your password must be changed before you can log in.",
    change: "Change your password",
    old: "Password until now",
    new: "New password",
    new_again: "New password, once more",
    not_twice: "The new password was not the same both times. Try again.",
    changed: "Your password is changed. Log in with the new one.",
    unrecorded: "Nothing can be recorded in the audit trail now, so nobody is let in. Try again in a few seconds.",
};

const CHINESE: Words = Words {
    tag: "zh-CN",
    title: "登录镜像仓库",
    name: "用户名",
    password: "密码",
    code: "第二因素验证码（如已启用）",
    log_in: "登录",
    log_in_at: "通过以下服务登录：",
    log_out: "退出登录",
    you_are: "当前用户",
    groups: "用户组",
    no_groups: "无",
    passwords: "供 docker 等客户端使用的密码",
    what_for: "客户端使用您的用户名和其中一个密码登录。退出此页面后它仍然有效，直到过期或被您撤销。",
    no_passwords: "您还没有创建过。",
    password_name: "用途",
    days: "有效天数",
    make: "创建密码",
    end: "撤销",
    ends: "到期",
    used: "上次使用",
    never: "从未",
    made: "您的新密码",
    shown_once: "它只显示这一次，请立即复制。",
    use_it: "使用它登录：",
    back: "返回",
    wrong: "用户名、密码或验证码错误，请重试。",
    again: "表单已过期，或不是从此页面提交的，请重试。",
    busy: "暂时无法确认您的身份，请几秒后重试。",
    must_change: "登录前必须先修改密码。",
    change: "修改密码",
    old: "当前密码",
    new: "新密码",
    new_again: "再次输入新密码",
    not_twice: "两次输入的新密码不一致，请重试。",
    changed: "密码已修改，请使用新密码登录。",
    unrecorded: "审计记录暂时无法写入，因此暂停登录，请几秒后重试。",
};

/// Picks the language that the reader likes better (RFC 9110 section 12.5.4); English if none is known.
pub(super) fn of(headers: &HeaderMap) -> &'static Words {
    let wanted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut best: (f32, &'static Words) = (0.0, &ENGLISH);
    for range in wanted.split(',').take(20) {
        let mut parts = range.split(';');
        let tag = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let weight =
            parts.find_map(|part| part.trim().strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
        let words = match tag.split('-').next().unwrap_or_default() {
            "en" => &ENGLISH,
            "zh" => &CHINESE,
            _ => continue,
        };
        if weight > best.0 {
            best = (weight, words);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_reader_picks_the_language() {
        for (wanted, tag) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
            ("en-GB,en;q=0.9,zh;q=0.8", "en"),
            ("de, zh;q=0.5, en;q=0.4", "zh-CN"),
            ("de", "en"),
            ("zh;q=0", "en"),
            ("zh;q=nonsense", "zh-CN"),
            ("", "en"),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_LANGUAGE, HeaderValue::from_static(wanted))]);
            assert_eq!(of(&headers).tag, tag, "{wanted}");
        }
    }
}

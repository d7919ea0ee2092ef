//! 8.1.4.4 to 8.1.4.6: intrusion, malicious code, trusted verification.

use super::super::check;
use super::super::clause::Clause;
use super::super::facts::Facts;
use super::super::finding::Finding;
use super::clause;

pub(super) fn intrusion(facts: &Facts) -> Vec<Clause> {
    let proxies = Finding::outside((
        "which networks reach /api/ is a proxy's or firewall's to say; Berth limits how often each client calls",
        "哪些网络可达 /api/ 由代理或防火墙决定；Berth 限制每个客户端的调用频率",
    ));
    let alerts = Finding::met((
        "failed logins, denials and refusals are recorded and counted; alerts are your monitoring's",
        "失败的登录、被拒绝的访问和请求都有记录和计数；报警由您的监控完成",
    ));
    let version = env!("CARGO_PKG_VERSION");
    let weaknesses = Finding::outside((
        format!("this is Berth {version}; install new releases"),
        format!("当前为 Berth {version}；请安装新版本"),
    ));
    vec![
        clause(
            "8.1.4.4 a)",
            ("nothing installed that is not needed", "最小安装"),
            "berth doctor",
            [Finding::met(("one binary", "一个二进制文件"))],
        ),
        clause(
            "8.1.4.4 b)",
            ("no services or ports that are not needed", "关闭不需要的服务和端口"),
            "berth doctor",
            [check::ports(facts)],
        ),
        clause(
            "8.1.4.4 c)",
            ("administration from known addresses only", "限制管理终端的地址"),
            "berth config check",
            [proxies],
        ),
        clause(
            "8.1.4.4 d)",
            ("input is checked", "数据有效性检验"),
            "berth config check",
            [Finding::met((
                "everything is parsed to types first; unknown fields are refused",
                "一切输入先解析成类型；未知字段被拒绝",
            ))],
        ),
        clause(
            "8.1.4.4 e)",
            ("known weaknesses are found and mended", "发现并修补已知漏洞"),
            "berth --version",
            [weaknesses],
        ),
        clause("8.1.4.4 f)", ("intrusion is noticed and told", "检测入侵并报警"), "GET /metrics", [alerts]),
        clause(
            "8.1.4.5",
            ("malicious code is recognised and blocked", "识别并阻断恶意代码"),
            "berth scrub",
            [
                Finding::met(("what is stored is never run here", "存储的内容从不在此执行")),
                Finding::lacking(
                    ("images are not scanned", "不扫描镜像"),
                    ("scan images where they are built or run", "在构建或运行处扫描镜像"),
                ),
            ],
        ),
        clause(
            "8.1.4.6",
            ("boot, programs and settings are verified", "基于可信根验证引导、程序和参数"),
            "berth doctor",
            [Finding::outside((
                "the machine's part: measured boot, signed packages",
                "属于主机：度量启动、签名的软件包",
            ))],
        ),
    ]
}

//! What lies still.

use jiff::SignedDuration;

use super::super::facts::Facts;
use super::super::finding::Finding;

/// A backup older than this is no help.
const RECENT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Whether secrets lie under a key that is elsewhere.
pub(in super::super) fn sealed(facts: &Facts) -> Finding {
    let advice = (
        "set secrets.key_file or secrets.key_command, then `berth secrets rotate`",
        "设置 secrets.key_file 或 secrets.key_command，然后 `berth secrets rotate`",
    );
    match facts.key_in_catalog {
        Some(false) => Finding::met((
            "secrets in the catalog are sealed under a key that lies elsewhere",
            "目录数据库中的密钥由别处的密钥加密",
        )),
        Some(true) => Finding::partly(
            (
                "secrets in the catalog are sealed under a key that lies in it",
                "目录数据库中的密钥由库中自带的密钥加密",
            ),
            advice,
        ),
        None => {
            Finding::partly(("no key is configured to seal secrets with", "没有配置用于加密的密钥"), advice)
        }
    }
}

/// How passwords are kept.
pub(in super::super) fn hashed(facts: &Facts) -> Finding {
    if facts.people.harbor_hashes {
        return Finding::partly(
            (
                "some passwords still have Harbor's hash, until their first use",
                "部分口令仍为 Harbor 的哈希，直到首次使用",
            ),
            (
                "ask their owners to log in, or reset them: `berth user list`",
                "请其所有者登录一次，或重置口令：`berth user list`",
            ),
        );
    }
    Finding::met((
        "passwords are kept as argon2id, random secrets as SHA-256",
        "口令保存为 argon2id，随机密钥保存为 SHA-256",
    ))
}

/// How blobs are kept.
pub(in super::super) fn blobs_sealed(facts: &Facts) -> Finding {
    match facts.config.storage.bucket.as_ref().map(|bucket| bucket.encryption.is_some()) {
        Some(true) => Finding::met(("the bucket encrypts what it keeps", "存储桶加密其内容")),
        Some(false) => Finding::partly(
            ("the bucket is not asked to encrypt what it keeps", "没有要求存储桶加密"),
            (
                "set storage.bucket.encryption, or let the bucket do so by default",
                "设置 storage.bucket.encryption，或由存储桶默认加密",
            ),
        ),
        None => Finding::outside((
            "blobs lie on this machine's disk, whose encryption is the system's",
            "blob 在本机磁盘上，磁盘加密属于操作系统",
        )),
    }
}

/// Whether what is stored is looked at.
pub(in super::super) fn scrubbed(facts: &Facts) -> Finding {
    match facts.config.scrub.every_seconds {
        0 => Finding::partly(
            ("blobs are not checked on schedule", "没有定期校验 blob"),
            (
                "set scrub.every_seconds, or run `berth scrub`",
                "设置 scrub.every_seconds，或运行 `berth scrub`",
            ),
        ),
        seconds => {
            let hours = seconds.div_ceil(3600);
            Finding::met((
                format!("every blob is compared with its digest every {hours} hours"),
                format!("每个 blob 每 {hours} 小时与其摘要比对一次"),
            ))
        }
    }
}

/// Whether more than one node can serve.
pub(in super::super) fn redundancy(facts: &Facts) -> Finding {
    if facts.config.is_stateless() {
        return Finding::met((
            "any number of nodes may serve from this database and bucket",
            "任意数量的节点可共用该数据库和存储桶",
        ));
    }
    Finding::unmet(
        ("one node serves from one disk", "单个节点使用单个磁盘"),
        ("move to a Postgres and a bucket: `berth migrate`", "迁移到 Postgres 和存储桶：`berth migrate`"),
    )
}

/// Whether a backup was completed of late, as the trail says.
pub(in super::super) fn backups(facts: &Facts) -> Finding {
    let advice = (
        "let `berth backup` and `berth backup verify` run on schedule",
        "定期运行 `berth backup` 和 `berth backup verify`",
    );
    let Some(at) = facts.trail.as_ref().and_then(|trail| trail.backup) else {
        return Finding::partly(("no backup is on record", "没有备份记录"), advice);
    };
    let day = at.strftime("%Y-%m-%d");
    let text = (format!("a backup was last completed on {day}"), format!("最近一次备份完成于 {day}"));
    if facts.at.duration_since(at) > RECENT { Finding::partly(text, advice) } else { Finding::met(text) }
}

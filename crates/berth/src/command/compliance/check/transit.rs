//! What goes over lines, and where to.

use super::super::facts::Facts;
use super::super::finding::Finding;

/// Whether anybody on the way can read what is sent: by clients, to the database, to the bucket.
pub(in super::super) fn transit(facts: &Facts) -> Vec<Finding> {
    [Some(tls(facts)), database(facts), bucket(facts)].into_iter().flatten().collect()
}

fn tls(facts: &Facts) -> Finding {
    let http = &facts.config.http;
    let local = http.listen.iter().all(|address| address.ip().to_canonical().is_loopback());
    if http.tls.is_some() {
        Finding::met(("clients speak TLS with Berth itself", "客户端与 Berth 之间使用 TLS"))
    } else if local && !http.trusted_proxies.is_empty() {
        Finding::met((
            "Berth listens on loopback behind a proxy, which has to end TLS",
            "Berth 只在回环地址上监听，由前面的代理终结 TLS",
        ))
    } else if local {
        Finding::met((
            "Berth listens on loopback only: nothing leaves this machine",
            "Berth 只在回环地址上监听，数据不离开本机",
        ))
    } else {
        Finding::unmet(
            ("clients speak plain HTTP over the network", "客户端在网络上使用明文 HTTP"),
            (
                "set http.tls, or let a proxy on this machine end TLS",
                "设置 http.tls，或由本机上的代理终结 TLS",
            ),
        )
    }
}

fn database(facts: &Facts) -> Option<Finding> {
    let url = facts.config.database.url.as_ref()?.to_string();
    let sealed = ["sslmode=require", "sslmode=verify-ca", "sslmode=verify-full"];
    Some(if sealed.iter().any(|mode| url.contains(mode)) {
        Finding::met(("the way to the database is under TLS", "到数据库的连接使用 TLS"))
    } else {
        Finding::partly(
            ("TLS to the database is not demanded", "到数据库的连接没有要求 TLS"),
            ("write sslmode=require into database.url", "在 database.url 中写明 sslmode=require"),
        )
    })
}

fn bucket(facts: &Facts) -> Option<Finding> {
    let bucket = facts.config.storage.bucket.as_ref()?;
    let plain = bucket.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    Some(if plain {
        Finding::partly(
            ("the bucket is spoken to by plain HTTP", "到存储桶的连接使用明文 HTTP"),
            ("give storage.bucket.endpoint an https address", "在 storage.bucket.endpoint 中写 https 地址"),
        )
    } else {
        Finding::met(("the way to the bucket is under TLS", "到存储桶的连接使用 TLS"))
    })
}

/// Where clients can reach Berth.
pub(in super::super) fn ports(facts: &Facts) -> Finding {
    let addresses: Vec<_> = facts.config.http.listen.iter().map(ToString::to_string).collect();
    let addresses = addresses.join(", ");
    Finding::met((
        format!("Berth listens on {addresses} and nowhere else"),
        format!("Berth 只在 {addresses} 上监听"),
    ))
}

/// Where Berth sends anything.
pub(in super::super) fn destinations(facts: &Facts) -> Finding {
    let config = &facts.config;
    let bucket = config.storage.bucket.as_ref().map(|bucket| bucket.url.clone());
    let database = config.database.url.as_ref().map(ToString::to_string);
    let places: Vec<_> = database.into_iter().chain(bucket).collect();
    if places.is_empty() {
        return Finding::met((
            "everything stays on this machine, but for backups, traces and audit records that you point elsewhere",
            "一切都在本机，除非您把备份、追踪或审计记录指向别处",
        ));
    }
    let places = places.join(", ");
    Finding::outside((
        format!("data goes to {places}: where that lies is yours to know"),
        format!("数据发往 {places}，其所在地由您掌握"),
    ))
}

//! The `http.rate_limits` part of the configuration.

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::rate::Rate;

/// How often a client may begin something. A client is the user or robot that it proved to be, else its address (an IPv6 one by its
/// /64).
///
/// Bytes on their way, chunks and ends of uploads, and manifests that are pushed are never limited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimits {
    /// Uploads started.
    #[serde(deserialize_with = "push")]
    #[schemars(with = "Written")]
    pub push: RateLimit,
    /// Manifests, blobs and lists asked for.
    #[serde(deserialize_with = "pull")]
    #[schemars(with = "Written")]
    pub pull: RateLimit,
    /// Logins that failed, counted for each address and for each name.
    #[serde(deserialize_with = "login")]
    #[schemars(with = "Written")]
    pub login: RateLimit,
    /// Calls of the management API.
    #[serde(deserialize_with = "api")]
    #[schemars(with = "Written")]
    pub api: RateLimit,
    /// Networks whose clients are never limited. Loopback is among them by default: behind a proxy that is not in
    /// `trusted_proxies` everybody comes from there.
    #[schemars(with = "Vec<String>")]
    pub exempt: Vec<IpNet>,
    /// Users and robots who are never limited, by name.
    pub exempt_callers: Vec<String>,
    /// Nodes that share the clients of one balancer: each allows this part of every rate and burst. 1 where a client comes to the
    /// same node every time, and for a single node.
    pub nodes: u32,
}

/// A rate and a burst.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RateLimit {
    /// How often in the long run.
    pub rate: Rate,
    /// How many at once, after a pause.
    pub burst: u32,
    /// How long what comes too early is held back before it is refused.
    pub wait_milliseconds: u32,
}

/// What a configuration says of a [`RateLimit`]; what it leaves out stays as it is by default.
#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct Written {
    /// How often in the long run: `5/s`, `30/m`, `100/h`, or `off`.
    rate: Option<Rate>,
    /// How many at once, after a pause.
    burst: Option<u32>,
    /// How long what comes too early is held back before it is refused with 429, in milliseconds; 0 refuses at once. Most
    /// clients fail at a 429, but wait for an answer. Failed logins are never held back.
    wait_milliseconds: Option<u32>,
}

/// Reads what is written over the limit that `choose` finds among the defaults.
fn over<'de, D: Deserializer<'de>>(
    deserializer: D,
    choose: fn(RateLimits) -> RateLimit,
) -> Result<RateLimit, D::Error> {
    let (written, default) = (Written::deserialize(deserializer)?, choose(RateLimits::default()));
    Ok(RateLimit {
        rate: written.rate.unwrap_or(default.rate),
        burst: written.burst.unwrap_or(default.burst),
        wait_milliseconds: written.wait_milliseconds.unwrap_or(default.wait_milliseconds),
    })
}

fn push<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RateLimit, D::Error> {
    over(deserializer, |limits| limits.push)
}

fn pull<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RateLimit, D::Error> {
    over(deserializer, |limits| limits.pull)
}

fn login<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RateLimit, D::Error> {
    over(deserializer, |limits| limits.login)
}

fn api<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RateLimit, D::Error> {
    over(deserializer, |limits| limits.api)
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            push: RateLimit { rate: Rate::per_second(5), burst: 10, wait_milliseconds: 10_000 },
            pull: RateLimit { rate: Rate::OFF, burst: 10, wait_milliseconds: 0 },
            login: RateLimit { rate: Rate::per_minute(20), burst: 20, wait_milliseconds: 0 },
            api: RateLimit { rate: Rate::per_second(20), burst: 100, wait_milliseconds: 2_000 },
            exempt: vec![loopback_v4(), loopback_v6()],
            exempt_callers: Vec::new(),
            nodes: 1,
        }
    }
}

fn loopback_v4() -> IpNet {
    IpNet::V4(ipnet::Ipv4Net::new_assert(std::net::Ipv4Addr::new(127, 0, 0, 0), 8))
}

fn loopback_v6() -> IpNet {
    IpNet::from(std::net::IpAddr::V6(std::net::Ipv6Addr::LOCALHOST))
}

impl RateLimits {
    /// Finds what no server can work with: the key below `http`, the value, and what to write instead.
    pub(crate) fn problem(&self) -> Option<(&'static str, String, &'static str)> {
        if !(1..=10_000).contains(&self.nodes) {
            return Some(("rate_limits.nodes", self.nodes.to_string(), "use 1 to 10000"));
        }
        for (burst_key, wait_key, limit) in [
            ("rate_limits.push.burst", "rate_limits.push.wait_milliseconds", &self.push),
            ("rate_limits.pull.burst", "rate_limits.pull.wait_milliseconds", &self.pull),
            ("rate_limits.login.burst", "rate_limits.login.wait_milliseconds", &self.login),
            ("rate_limits.api.burst", "rate_limits.api.wait_milliseconds", &self.api),
        ] {
            if !(1..=1_000_000).contains(&limit.burst) {
                return Some((burst_key, limit.burst.to_string(), "use 1 to 1000000"));
            }
            if limit.wait_milliseconds > 60_000 {
                return Some((wait_key, limit.wait_milliseconds.to_string(), "use 60000 or less"));
            }
        }
        let waits = self.login.wait_milliseconds;
        (waits > 0).then(|| {
            (
                "rate_limits.login.wait_milliseconds",
                waits.to_string(),
                "use 0: failed logins are not held back",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<RateLimits, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn what_is_left_out_stays_as_it_is() {
        let read =
            read(r#"{"push": {"rate": "50/s"}, "pull": {"rate": "1/s"}, "api": {"burst": 7}}"#).unwrap();
        let default = RateLimits::default();
        assert_eq!(read.push, RateLimit { rate: Rate::per_second(50), ..default.push });
        assert_eq!(read.pull, RateLimit { rate: Rate::per_second(1), ..default.pull });
        assert_eq!(read.api, RateLimit { burst: 7, ..default.api });
        assert_eq!(read.login, default.login);
    }

    #[test]
    fn round_trips_and_refuses_what_it_does_not_know() {
        let written = serde_json::to_string(&RateLimits::default()).unwrap();
        assert_eq!(read(&written).unwrap(), RateLimits::default());
        let error = read(r#"{"push": {"brust": 1}}"#).unwrap_err().to_string();
        assert!(error.contains("unknown field `brust`"), "{error}");
    }
}

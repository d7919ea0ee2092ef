//! Redirect: a client gets a blob's bytes from the store itself, by a link that is good for a while.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use berth_blobs::Location;
use berth_catalog::blob::{Blob, Placement};
use berth_oci::Digest;

use crate::cache::Known;
use crate::{Redirect, Registry};

/// No store makes links that are good for longer: a week.
const MOST_SECONDS: u64 = 604_800;

impl Registry {
    /// Makes a link to a blob in the store, if this client is to be sent there. `None` says: serve it yourself.
    pub(crate) async fn link(
        &self,
        known: &Known<Arc<Blob>>,
        digest: &Digest,
        client: IpAddr,
        user_agent: Option<&str>,
    ) -> Option<String> {
        let storage = &self.0.config.storage;
        let blob = &known.content;
        let Placement::Stored(location) = &blob.placement else { return None };
        // What is to be verified has to pass through here, and a link can't be labelled as stale.
        if known.is_stale()
            || blob.size < storage.redirect.from_bytes
            || storage.verify_on_read
            || !storage.redirect.is_for(client, user_agent)
        {
            return None;
        }
        let valid = Duration::from_secs(storage.redirect.valid_seconds.clamp(1, MOST_SECONDS));
        self.0.blobs.link(&Location::from(location.as_str()), valid).await.unwrap_or_else(|error| {
            tracing::warn!(%digest, %error, "could not make a link to a blob, serving it instead");
            None
        })
    }
}

impl Redirect {
    /// Tells whether this client is one to be sent on.
    fn is_for(&self, client: IpAddr, user_agent: Option<&str>) -> bool {
        let calls_itself = |names: &[String]| {
            let user_agent = user_agent.unwrap_or_default();
            names.iter().any(|name| user_agent.starts_with(name.as_str()))
        };
        self.from_bytes > 0
            && (self.networks.is_empty() || self.networks.iter().any(|network| network.contains(&client)))
            && (self.clients.is_empty() || calls_itself(&self.clients))
            && !calls_itself(&self.except_clients)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_sent_on_is_a_matter_of_network_and_name() {
        let redirect = Redirect {
            from_bytes: 1,
            networks: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
            clients: vec!["containerd/".into(), "docker/".into()],
            except_clients: vec!["containerd/1.2".into()],
            ..Redirect::default()
        };
        let is_for = |client: &str, name| redirect.is_for(client.parse().unwrap(), name);
        assert!(is_for("10.1.2.3", Some("containerd/2.0")));
        assert!(is_for("2001:db8::7", Some("docker/28.0 go/go1.24")));
        assert!(!is_for("192.0.2.1", Some("containerd/2.0")), "another network");
        assert!(!is_for("10.1.2.3", Some("skopeo/1.0")), "another client");
        assert!(!is_for("10.1.2.3", None), "no name");
        assert!(!is_for("10.1.2.3", Some("containerd/1.2.9")), "an exception");

        let all = Redirect { from_bytes: 1, ..Redirect::default() };
        assert!(all.is_for("192.0.2.1".parse().unwrap(), None));
        assert!(!Redirect::default().is_for("192.0.2.1".parse().unwrap(), None), "off");
    }
}

//! What a client sees: one server, or several behind a balancer.

use anyhow::Result;

use super::{Api, Cluster, Server};

/// A registry that clients can be sent to.
pub(crate) trait Registry {
    /// Host and port, as image references begin.
    fn host(&self) -> &str;

    /// A client of it, with the credentials that it wants.
    fn api(&self) -> Result<Api>;
}

impl Registry for Server {
    fn host(&self) -> &str {
        self.host()
    }

    fn api(&self) -> Result<Api> {
        self.api()
    }
}

impl Registry for Cluster {
    fn host(&self) -> &str {
        self.host()
    }

    fn api(&self) -> Result<Api> {
        self.api()
    }
}

//! What is killed: a server with its directory, or servers that share a database and a bucket.

use anyhow::Result;

use super::check;
use super::client::Client;
use crate::harness::{Api, Cluster, Random, Server};

/// A registry that can be killed and started again.
pub(crate) trait Deployment {
    /// What clients talk to.
    fn api(&self) -> Result<Api>;

    /// Ends processes at once, as a power switch would.
    fn kill(&mut self, random: &mut Random) -> Result<()>;

    /// Starts what was killed.
    async fn restart(&mut self) -> Result<()>;

    /// The server whose configuration commands take.
    fn commands(&self) -> &Server;

    /// Fails if bytes are left of uploads that no client could continue.
    async fn no_litter(&self, clients: &[Client]) -> Result<()>;
}

impl Deployment for Server {
    fn api(&self) -> Result<Api> {
        self.api()
    }

    fn kill(&mut self, _random: &mut Random) -> Result<()> {
        self.kill()
    }

    async fn restart(&mut self) -> Result<()> {
        self.start().await
    }

    fn commands(&self) -> &Server {
        self
    }

    async fn no_litter(&self, clients: &[Client]) -> Result<()> {
        check::no_litter(self, clients).await
    }
}

impl Deployment for Cluster {
    fn api(&self) -> Result<Api> {
        self.api()
    }

    /// Kills one node, or now and then all of them.
    fn kill(&mut self, random: &mut Random) -> Result<()> {
        let all = random.chance(30);
        let one = usize::try_from(random.between(0, Self::NODES as u64))?;
        for number in (0..Self::NODES).filter(|&number| all || number == one) {
            self.node_mut(number).kill()?;
        }
        Ok(())
    }

    async fn restart(&mut self) -> Result<()> {
        self.heal().await
    }

    fn commands(&self) -> &Server {
        self.node(0)
    }

    /// Uploads leave no files on the nodes.
    async fn no_litter(&self, _clients: &[Client]) -> Result<()> {
        for node in self.nodes() {
            let files = if node.uploads_dir().exists() { node.upload_files()? } else { Vec::new() };
            anyhow::ensure!(files.is_empty(), "a node with a bucket keeps files of uploads: {files:?}");
        }
        Ok(())
    }
}

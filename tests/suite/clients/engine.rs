//! A container engine of the test's own: a daemon that is waited for and ended.

use std::fs::File;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::process::Child;

use crate::harness::Home;

const LIMIT: Duration = Duration::from_secs(90);

/// A daemon. Dropping it kills it and unmounts what it mounted over its own directory.
pub(crate) struct Engine {
    child: Child,
    name: String,
    mounted: Option<String>,
}

impl Engine {
    /// Starts a daemon and waits until `probe` succeeds.
    pub(super) async fn start(home: &Home, command: &[&str], probe: &[&str]) -> Result<Self> {
        let log = File::create(home.path().join("engine.log"))?;
        let mut daemon = home.command(command[0]);
        daemon.args(&command[1..]).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut child = daemon.spawn()?;
        let begin = Instant::now();
        while !home.outcome(probe[0], &probe[1..]).await?.success {
            if child.try_wait()?.is_some() || begin.elapsed() > LIMIT {
                let log = std::fs::read_to_string(home.path().join("engine.log"))?;
                bail!("{} does not come up:\n{log}", command[0]);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(Self { child, name: command[0].to_owned(), mounted: None })
    }

    /// Names a directory that the daemon mounts over itself and leaves so.
    pub(super) fn that_mounts(mut self, directory: String) -> Self {
        self.mounted = Some(directory);
        self
    }

    /// Asks the daemon to end, so that it unmounts what it mounted, and waits.
    pub(crate) async fn stop(mut self, home: &Home) -> Result<()> {
        if let Some(pid) = self.child.id() {
            home.run("kill", &["-TERM", &pid.to_string()]).await?;
        }
        if tokio::time::timeout(LIMIT, self.child.wait()).await.is_err() {
            bail!("{} does not end", self.name);
        }
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Neither can fail in a way that a test could mend.
        let _ = self.child.start_kill();
        if let Some(directory) = &self.mounted {
            let _ = std::process::Command::new("umount").args(["-l", directory]).output();
        }
    }
}

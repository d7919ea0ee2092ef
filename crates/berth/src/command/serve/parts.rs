//! What runs beside the server, and has to run as long as it does.

use std::collections::HashMap;
use std::future;

use anyhow::{Error, Result};
use tokio::task::{Id, JoinError, JoinSet};

/// Tasks that end when they are told to, or when they have nothing to do.
///
/// One that fails or panics before that ends the server: without it nothing would be recorded, or no right withdrawn, and nothing tells
/// what it left half done. A start is the way back that every crash takes, and who supervises the process makes it.
#[derive(Default)]
pub(super) struct Parts {
    tasks: JoinSet<Result<()>>,
    names: HashMap<Id, &'static str>,
}

impl Parts {
    /// Lets a part run that can't fail.
    pub(super) fn spawn(&mut self, name: &'static str, part: impl Future<Output = ()> + Send + 'static) {
        self.try_spawn(name, async {
            part.await;
            Ok(())
        });
    }

    /// Lets a part run.
    pub(super) fn try_spawn(
        &mut self,
        name: &'static str,
        part: impl Future<Output = Result<()>> + Send + 'static,
    ) {
        let task = self.tasks.spawn(part);
        self.names.insert(task.id(), name);
    }

    /// Returns when a part has failed, and says which.
    pub(super) async fn failed(&mut self) -> Error {
        loop {
            match self.tasks.join_next_with_id().await {
                Some(Ok((_, Ok(())))) => {}
                Some(Ok((id, Err(error)))) => return self.error(id, error),
                Some(Err(error)) => return self.panicked(error),
                None => future::pending().await,
            }
        }
    }

    /// Waits until all have ended by themselves. What fails now is said in the log, and keeps no other from its end.
    pub(super) async fn end(mut self) {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            let error = match ended {
                Ok((_, Ok(()))) => continue,
                Ok((id, Err(error))) => self.error(id, error),
                Err(error) => self.panicked(error),
            };
            tracing::error!("{error:#}");
        }
    }

    fn panicked(&self, error: JoinError) -> Error {
        self.error(error.id(), error.into())
    }

    fn error(&self, id: Id, error: Error) -> Error {
        error.context(format!("the {} ended early", self.names.get(&id).copied().unwrap_or("part")))
    }
}

#[cfg(test)]
mod tests;

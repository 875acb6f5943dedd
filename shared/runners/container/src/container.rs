//! A container that runs, and its end.

use std::future::pending;
use std::io::ErrorKind;
use std::pin::pin;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::query_parameters::{KillContainerOptionsBuilder, StatsOptionsBuilder, WaitContainerOptionsBuilder};
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::engine::status;
use crate::fault::Fault;

/// How long the kernel may take to end what was killed.
const KILL_PATIENCE: Duration = Duration::from_secs(60);

/// A container that an engine has made.
#[derive(Clone, Copy)]
pub(crate) struct Container<'a> {
    pub(crate) docker: &'a Docker,
    pub(crate) name: &'a str,
}

impl Container<'_> {
    /// Waits until the container's processes have together used the processor time that they may use. The engine tells that once a
    /// second; a single process ends earlier, by its own limit.
    pub(crate) async fn processor_time_is_over(&self, limit: Option<Duration>) {
        let Some(limit) = limit else {
            return pending().await;
        };
        let options = StatsOptionsBuilder::default().stream(true).build();
        let mut samples = pin!(self.docker.stats(self.name, Some(options)));
        while let Some(Ok(sample)) = samples.next().await {
            let used = sample.cpu_stats.and_then(|cpu| cpu.cpu_usage?.total_usage);
            if used.is_some_and(|nanoseconds| Duration::from_nanos(nanoseconds) >= limit) {
                return;
            }
        }
        pending::<()>().await;
    }

    /// Asks the container to end, and kills it after the grace period.
    pub(crate) async fn end(&self, grace: Duration) -> Result<i64, Fault> {
        self.signal("SIGTERM").await?;
        if let Ok(ended) = timeout(grace, self.exit_code()).await {
            return ended;
        }
        self.signal("SIGKILL").await?;
        timeout(KILL_PATIENCE, self.exit_code())
            .await
            .unwrap_or(Err(Fault::Alive))
    }

    async fn signal(&self, signal: &str) -> Result<(), Fault> {
        let options = KillContainerOptionsBuilder::default().signal(signal).build();
        match self.docker.kill_container(self.name, Some(options)).await {
            // it has ended by itself
            Err(error) if matches!(status(&error), Some(404 | 409)) => Ok(()),
            signaled => signaled.map_err(|error| Fault::Engine("stop the container", error)),
        }
    }

    /// Waits until the container has ended; returns its exit code.
    pub(crate) async fn exit_code(&self) -> Result<i64, Fault> {
        loop {
            let options = WaitContainerOptionsBuilder::default().condition("not-running").build();
            let mut waiting = pin!(self.docker.wait_container(self.name, Some(options)));
            match waiting.next().await {
                Some(Ok(ended)) => return Ok(ended.status_code),
                Some(Err(Error::DockerContainerWaitError { code, .. })) => return Ok(code),
                // some engines answer only when the container has ended
                Some(Err(Error::RequestTimeoutError)) => {}
                Some(Err(error)) => return Err(Fault::Engine("wait for the container", error)),
                None => {
                    let err = ErrorKind::UnexpectedEof.into();
                    return Err(Fault::Engine("wait for the container", Error::IOError { err }));
                }
            }
        }
    }

    /// Returns whether the kernel has ended something in the container for want of memory.
    pub(crate) async fn ran_out_of_memory(&self) -> Result<bool, Fault> {
        let seen = self.docker.inspect_container(self.name, None).await;
        let seen = seen.map_err(|error| Fault::Engine("show the container", error))?;
        Ok(seen.state.and_then(|state| state.oom_killed) == Some(true))
    }
}

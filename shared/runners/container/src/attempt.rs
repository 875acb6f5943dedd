//! One run of a container: made, compared with what was asked for, started, read, and ended.

use std::convert::Infallible;
use std::future::pending;
use std::io::ErrorKind;
use std::pin::pin;
use std::time::Duration;

use bollard::Docker;
use bollard::container::AttachContainerResults;
use bollard::errors::Error;
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, KillContainerOptionsBuilder,
    WaitContainerOptionsBuilder,
};
use callboard_core::base::store_error::StoreError;
use callboard_core::run::Stop;
use futures_util::{FutureExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::select;
use tokio::time::{Instant, sleep_until, timeout};

use crate::create::Wanted;
use crate::engine::status;
use crate::printed::Printed;
use crate::verify::Verified;

/// How long the kernel may take to end what was killed.
const KILL_PATIENCE: Duration = Duration::from_secs(60);

/// One run of a container.
pub(crate) struct Attempt<'a> {
    pub(crate) docker: &'a Docker,
    pub(crate) name: &'a str,
    pub(crate) wanted: &'a Wanted<'a>,
    /// What the container gets on its standard input, if it gets anything.
    pub(crate) stdin: Option<&'a [u8]>,
    pub(crate) grace: Duration,
    pub(crate) deadline: Instant,
}

/// How a container ended.
pub(crate) struct End {
    pub(crate) exit_code: i64,
    pub(crate) out_of_memory: bool,
    pub(crate) cause: Cause,
}

/// Why a container ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cause {
    Itself,
    Stopped,
    Deadline,
}

/// Why a container could not be run, or not to its end.
pub(crate) enum Fault {
    /// The engine failed; the first says what it was to do.
    Engine(&'static str, Error),
    /// The engine does not make such a container.
    Refused(Error),
    /// What was killed does not end.
    Alive,
    Store(StoreError),
}

impl Attempt<'_> {
    /// Makes the container, and returns what it is isolated by.
    pub(crate) async fn create(&self) -> Result<Verified, Fault> {
        let body = self.wanted.body();
        let options = CreateContainerOptionsBuilder::default().name(self.name).build();
        let created = self.docker.create_container(Some(options), body.clone()).await;
        created.map_err(|error| match status(&error) {
            Some(400 | 404) => Fault::Refused(error),
            _ => Fault::Engine("make the container", error),
        })?;
        let made = self.docker.inspect_container(self.name, None).await;
        let made = made.map_err(|error| Fault::Engine("show the container", error))?;
        Ok(Verified::of(&body, &made, &self.wanted.policy.isolation))
    }

    /// Runs the container that was made; `None` if it was to be stopped before it began.
    pub(crate) async fn run(&self, mut stop: Stop, printed: &mut Printed<'_>) -> Result<Option<End>, Fault> {
        let attached = self.attach().await?;
        if stop.requested().now_or_never().is_some() {
            return Ok(None);
        }
        let started = self.docker.start_container(self.name, None).await;
        started.map_err(|error| match status(&error) {
            Some(400 | 404) => Fault::Refused(error),
            _ => Fault::Engine("start the container", error),
        })?;
        let (exit_code, cause) = self.watch(attached, stop, printed).await?;
        let out_of_memory = exit_code != 0 && self.ran_out_of_memory().await?;
        Ok(Some(End {
            exit_code,
            out_of_memory,
            cause,
        }))
    }

    async fn attach(&self) -> Result<AttachContainerResults, Fault> {
        let options = AttachContainerOptionsBuilder::default()
            .stream(true)
            .stdin(self.stdin.is_some())
            .stdout(true)
            .stderr(true);
        let attached = self.docker.attach_container(self.name, Some(options.build())).await;
        attached.map_err(|error| Fault::Engine("attach to the container", error))
    }

    /// Waits for the end, and brings it about where the container must be stopped.
    async fn watch(
        &self,
        attached: AttachContainerResults,
        mut stop: Stop,
        printed: &mut Printed<'_>,
    ) -> Result<(i64, Cause), Fault> {
        let mut running = pin!(self.follow(attached, printed));
        let cause = select! {
            ended = &mut running => return Ok((ended?, Cause::Itself)),
            () = stop.requested() => Cause::Stopped,
            () = sleep_until(self.deadline) => Cause::Deadline,
        };
        let stopping = async {
            match self.end().await {
                Ok(_) => pending().await,
                Err(fault) => fault,
            }
        };
        select! {
            ended = running => Ok((ended?, cause)),
            fault = stopping => Err(fault),
        }
    }

    /// Reads what the container prints until it has ended; returns its exit code.
    async fn follow(&self, attached: AttachContainerResults, printed: &mut Printed<'_>) -> Result<i64, Fault> {
        let AttachContainerResults { mut output, mut input } = attached;
        let reading = async {
            while let Some(chunk) = output.next().await {
                match chunk {
                    Ok(chunk) => printed.take(chunk).await.map_err(Fault::Store)?,
                    // Podman ends so where its container has not read all of its input
                    Err(error) if self.stdin.is_some() && is_reset(&error) => break,
                    Err(error) => return Err(Fault::Engine("read what the container prints", error)),
                }
            }
            printed.finish().await.map_err(Fault::Store)
        };
        // a program may end, or go on, without reading its input
        let feeding = async {
            if let Some(bytes) = self.stdin {
                let _unread = input.write_all(bytes).await;
                let _closed = input.shutdown().await;
            }
            pending::<Infallible>().await
        };
        let ending = async { tokio::try_join!(reading, self.exit_code()) };
        select! {
            ended = ending => ended.map(|((), code)| code),
            never = feeding => match never {},
        }
    }

    /// Asks the container to end, and kills it after the grace period.
    async fn end(&self) -> Result<i64, Fault> {
        self.signal("SIGTERM").await?;
        if let Ok(ended) = timeout(self.grace, self.exit_code()).await {
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

    async fn exit_code(&self) -> Result<i64, Fault> {
        loop {
            let options = WaitContainerOptionsBuilder::default().condition("not-running").build();
            let mut waiting = pin!(self.docker.wait_container(self.name, Some(options)));
            match waiting.next().await {
                Some(Ok(ended)) => return Ok(ended.status_code),
                Some(Err(Error::DockerContainerWaitError { code, .. })) => return Ok(code),
                // some engines answer only when the container has ended
                Some(Err(Error::RequestTimeoutError)) => {}
                Some(Err(error)) => return Err(Fault::Engine("wait for the container", error)),
                None => return Err(Fault::Engine("wait for the container", Error::RequestTimeoutError)),
            }
        }
    }

    async fn ran_out_of_memory(&self) -> Result<bool, Fault> {
        let seen = self.docker.inspect_container(self.name, None).await;
        let seen = seen.map_err(|error| Fault::Engine("show the container", error))?;
        Ok(seen.state.and_then(|state| state.oom_killed) == Some(true))
    }
}

fn is_reset(error: &Error) -> bool {
    matches!(error, Error::IOError { err } if err.kind() == ErrorKind::ConnectionReset)
}

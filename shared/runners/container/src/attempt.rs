//! One run of a container: made, compared with what was asked for, started, read, and ended.

use std::convert::Infallible;
use std::future::pending;
use std::io::ErrorKind;
use std::pin::pin;
use std::time::Duration;

use bollard::container::AttachContainerResults;
use bollard::errors::Error;
use bollard::query_parameters::{AttachContainerOptionsBuilder, CreateContainerOptionsBuilder};
use callboard_core::run::Stop;
use futures_util::{FutureExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::select;
use tokio::time::{Instant, sleep_until};

use crate::container::Container;
use crate::create::Wanted;
use crate::engine::status;
use crate::fault::Fault;
use crate::printed::Printed;
use crate::verify::Verified;

/// One run of a container.
pub(crate) struct Attempt<'a> {
    pub(crate) container: Container<'a>,
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
    ProcessorTime,
}

impl Attempt<'_> {
    /// Makes the container, and returns what it is isolated by.
    pub(crate) async fn create(&self) -> Result<Verified, Fault> {
        let body = self.wanted.body();
        let options = CreateContainerOptionsBuilder::default()
            .name(self.container.name)
            .build();
        let created = self
            .container
            .docker
            .create_container(Some(options), body.clone())
            .await;
        created.map_err(|error| match status(&error) {
            Some(400 | 404) => Fault::Refused(error),
            _ => Fault::Engine("make the container", error),
        })?;
        let made = self.container.docker.inspect_container(self.container.name, None).await;
        let made = made.map_err(|error| Fault::Engine("show the container", error))?;
        Ok(Verified::of(&body, &made, &self.wanted.policy.isolation))
    }

    /// Runs the container that was made; `None` if it was to be stopped before it began.
    pub(crate) async fn run(&self, mut stop: Stop, printed: &mut Printed<'_>) -> Result<Option<End>, Fault> {
        let attached = self.attach().await?;
        if stop.requested().now_or_never().is_some() {
            return Ok(None);
        }
        let started = self.container.docker.start_container(self.container.name, None).await;
        started.map_err(|error| match status(&error) {
            Some(400 | 404) => Fault::Refused(error),
            _ => Fault::Engine("start the container", error),
        })?;
        let (exit_code, cause) = self.watch(attached, stop, printed).await?;
        let out_of_memory = exit_code != 0 && self.container.ran_out_of_memory().await?;
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
        let attached = self
            .container
            .docker
            .attach_container(self.container.name, Some(options.build()))
            .await;
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
            () = self.container.processor_time_is_over(self.wanted.bounds.cpu_seconds) => Cause::ProcessorTime,
        };
        let stopping = async {
            match self.container.end(self.grace).await {
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
        let ending = async { tokio::try_join!(reading, self.container.exit_code()) };
        select! {
            ended = ending => ended.map(|((), code)| code),
            never = feeding => match never {},
        }
    }
}

fn is_reset(error: &Error) -> bool {
    matches!(error, Error::IOError { err } if err.kind() == ErrorKind::ConnectionReset)
}

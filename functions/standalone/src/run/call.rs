//! `callboard run --service`: calls an operation of a service.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use callboard_core::base::fields::FieldError;
use callboard_core::base::id::JobId;
use callboard_core::base::json;
use callboard_core::job::JobStore;
use callboard_core::output::{LogKey, LogStore, Stream};
use callboard_core::request::Lane;
use callboard_core::run::Runners;
use callboard_core::submit::SubmitError;
use callboard_kind_ansible::catalog::Elsewhere;
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use super::{HEARTBEAT, execute, finish, record};
use crate::cli::{Call, RunArguments};
use crate::jobs::print;
use crate::own::own;
use crate::parts::{LEASE, Parts};
use crate::services::Source;
use crate::signals::Signals;

/// How often new output is looked for.
const POLL: Duration = Duration::from_millis(100);
/// How much output is read at a time.
const CHUNK_BYTES: u64 = 256 * 1024;

/// Makes the request of a call; `None` if the arguments ask for none.
pub(super) fn request(call: &Call) -> anyhow::Result<Option<Value>> {
    let (Some(service), Some(operation)) = (&call.service, &call.operation) else {
        return Ok(None);
    };
    let input = match &call.input {
        Some(text) => input(text)?,
        None => Value::Object(Map::new()),
    };
    Ok(Some(
        json!({"service": service, "operation": operation, "input": input}),
    ))
}

fn input(text: &str) -> anyhow::Result<Value> {
    let text = match text.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("the input {file} cannot be read"))?,
        None if text == "-" => {
            let mut read = String::new();
            std::io::stdin().read_to_string(&mut read)?;
            read
        }
        None => text.to_owned(),
    };
    json::parse(text.as_bytes()).context("the input is not acceptable JSON")
}

/// Calls the operation, prints its output, and returns the exit code.
pub(super) async fn run(arguments: &RunArguments, mut request: Value) -> anyhow::Result<ExitCode> {
    let common = &arguments.common;
    if let Some(timeout) = arguments.timeout {
        request["options"] = json!({"timeout": timeout});
    }
    let services = Source::open(common.services.as_deref())?;
    let parts = Parts::open(common)?;
    let mut signals = Signals::listen()?;
    let kinds = parts
        .policies
        .clone()
        .kinds(Arc::new(Elsewhere), services.in_force(), Lane::Programs);
    let submitter = parts.submitter(common, kinds, u32::MAX);
    let request = match submitter.check(&own(), request).await {
        Ok(request) => request,
        Err(SubmitError::Invalid(faults)) => bail!("the call is not valid\n{}", told(&faults)),
        Err(error) => return Err(error.into()),
    };
    let job = record(&parts, &submitter, request).await?;
    let instance = format!("run-{}", job.id);
    let calls = parts.call_runners(common, Parts::folders(common)?, instance)?;
    let runners = Runners::new(calls.runners);
    let worker = parts.worker(common, runners, job.request.lane, HEARTBEAT, Some(LEASE));
    let mut shown = Shown::of(job.id, arguments.json);
    let ending = {
        let running = execute(&worker, &parts, &job, &mut signals);
        tokio::pin!(running);
        loop {
            tokio::select! {
                ending = &mut running => break ending?,
                () = sleep(POLL) => shown.print(&parts).await?,
            }
        }
    };
    shown.print(&parts).await?;
    let code = finish(&parts, job.id, arguments.json, ending).await;
    parts.database.close().await;
    code
}

/// How far the output of a job has been printed.
struct Shown {
    key: LogKey,
    offset: u64,
    to_stderr: bool,
}

impl Shown {
    fn of(job: JobId, to_stderr: bool) -> Self {
        let key = LogKey {
            job,
            attempt: 1,
            stream: Stream::Stdout,
        };
        Self {
            key,
            offset: 0,
            to_stderr,
        }
    }

    /// Prints what has been added, by every attempt so far.
    async fn print(&mut self, parts: &Parts) -> anyhow::Result<()> {
        let last = parts.store.get(self.key.job, parts.clock.now()).await?.state.attempt;
        loop {
            let bytes = parts
                .logs
                .read(self.key, self.offset..self.offset + CHUNK_BYTES)
                .await?;
            self.offset += bytes.len() as u64;
            if self.to_stderr {
                std::io::stderr().write_all(&bytes)?;
            } else {
                print(&bytes)?;
            }
            if bytes.is_empty() && self.key.attempt >= last {
                return Ok(());
            }
            if bytes.is_empty() {
                (self.key.attempt, self.offset) = (self.key.attempt + 1, 0);
            }
        }
    }
}

/// Formats the faults of a call, one per line.
fn told(faults: &[FieldError]) -> String {
    let told = faults.iter().map(|fault| format!("{} {}", fault.pointer, fault.detail));
    told.collect::<Vec<_>>().join("\n")
}

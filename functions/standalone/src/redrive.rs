//! `callboard redrive`: jobs that the queue has given up are queued again.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use callboard_core::dispatch::dispatch;
use callboard_core::id::JobId;
use callboard_core::ports::{DueJob, JobStore, StoreError};
use callboard_core::time::{Clock, SystemClock};
use callboard_embedded::{SqliteJobStore, SqliteQueue};

use crate::cli::{LogFormat, RedriveArguments};
use crate::{logging, parts, setup};

const MAX_AT_ONCE: u32 = 10_000;

/// Redrives the jobs that are named, or all that wait for it.
pub(crate) async fn redrive(arguments: &RedriveArguments) -> anyhow::Result<ExitCode> {
    logging::start(LogFormat::Text, "warn");
    let database = parts::database(&setup::data(&arguments.data)?)?;
    let store = SqliteJobStore::new(database.clone());
    let queue = SqliteQueue::new(database, Arc::new(SystemClock));
    let named = arguments.jobs.iter().map(|text| {
        let id: Result<JobId, _> = text.parse();
        id.with_context(|| format!("{text:?} is no job id"))
    });
    let mut jobs: Vec<JobId> = named.collect::<anyhow::Result<_>>()?;
    if jobs.is_empty() {
        jobs = store.buried(MAX_AT_ONCE).await?;
    }
    if jobs.is_empty() {
        println!("The queue has given no job up: there is nothing to redrive.");
    }
    for id in jobs {
        match store.redrive(id, SystemClock.now()).await {
            Ok(job) => {
                if let Some(due) = job.state.due {
                    dispatch(&store, &queue, DueJob { id, due }, Duration::ZERO).await?;
                }
                println!("{id} is queued again");
            }
            Err(StoreError::NotFound) => bail!("there is no job {id} in the data folder"),
            Err(StoreError::Conflict) => bail!("the job {id} does not wait: it runs, or has ended"),
            Err(error) => return Err(error).with_context(|| format!("the job {id} could not be redriven")),
        }
    }
    Ok(ExitCode::SUCCESS)
}

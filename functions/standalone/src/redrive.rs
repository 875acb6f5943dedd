//! `callboard redrive`: queues jobs again that the queue has given up.

use std::process::ExitCode;

use anyhow::{Context, bail};
use callboard_core::audit::{Deed, NewEntry, note};
use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::{Clock, SystemClock};
use callboard_core::care::{DeadLetters, Redriver};
use callboard_core::job::MAX_LIMIT;
use callboard_embedded::SqliteJobStore;

use crate::cli::{LogFormat, RedriveArguments};
use crate::own::own;
use crate::{logging, parts, setup};

/// Redrives the named jobs, or all dead-lettered ones.
pub(crate) async fn redrive(arguments: &RedriveArguments) -> anyhow::Result<ExitCode> {
    logging::start(LogFormat::Text, "warn");
    let database = parts::database_there(&setup::data_there(&arguments.data)?)?;
    let (audit, own) = (parts::audit(database.clone()), own());
    let redriver = Redriver {
        store: &SqliteJobStore::new(database),
        clock: &SystemClock,
        // it knows the quotas
        dispatcher: None,
        by: &own.caller.name,
    };
    let told = async |id: JobId| {
        note(&audit, NewEntry::of(&own, Deed::JobRedrive, Some(id.to_string()))).await;
        println!("{id} is queued again");
    };
    if arguments.jobs.is_empty() {
        all(redriver, arguments, &told).await?;
    }
    for text in &arguments.jobs {
        let id: JobId = text.parse().with_context(|| format!("{text:?} is not a job id"))?;
        let queued = match redriver.store.get(id, SystemClock.now()).await {
            Ok(job) => redriver.job(&job.tenant, id).await,
            Err(error) => Err(error),
        };
        match queued {
            Ok(_) => told(id).await,
            Err(StoreError::NotFound) => bail!("there is no job {id} in the data folder"),
            Err(StoreError::Conflict) => bail!("the job {id} is not waiting: it is running or has ended"),
            Err(error) => return Err(error).with_context(|| format!("the job {id} could not be redriven")),
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn all(redriver: Redriver<'_>, arguments: &RedriveArguments, told: impl AsyncFn(JobId)) -> anyhow::Result<()> {
    let mut wanted = DeadLetters {
        tenant: arguments.tenant.clone(),
        title: arguments.playbook.clone(),
        limit: MAX_LIMIT,
        before: None,
    };
    let mut none = true;
    loop {
        let redriven = redriver.dead_letters(&wanted).await;
        let redriven = redriven.context("the jobs that the queue has given up could not be redriven")?;
        for id in &redriven.jobs {
            told(*id).await;
        }
        none &= redriven.jobs.is_empty();
        wanted.before = redriven.next;
        if wanted.before.is_none() {
            break;
        }
    }
    if none {
        println!("The queue has not given up any such job: there is nothing to redrive.");
    }
    Ok(())
}

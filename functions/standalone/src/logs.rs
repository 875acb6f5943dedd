//! `callboard logs`: prints the output of a job, byte for byte.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use callboard_core::base::time::{Clock, SystemClock};
use callboard_core::job::JobStore;
use callboard_core::output::{LogKey, LogStore, Stream};
use tokio::time::sleep;

use crate::cli::LogsArguments;
use crate::jobs::{Jobs, print};

const POLL: Duration = Duration::from_millis(100);
const CHUNK_BYTES: u64 = 256 * 1024;

/// Prints the output of an attempt; with `--follow` also new output, including that of later attempts.
pub(crate) async fn logs(arguments: &LogsArguments) -> anyhow::Result<ExitCode> {
    let jobs = Jobs::open(&arguments.data)?;
    let mut job = jobs.find(&arguments.job).await?;
    let started = job.state.attempt;
    if let Some(wanted) = arguments.attempt.filter(|wanted| *wanted > started) {
        bail!(
            "the job {} has no attempt {wanted}; the last one so far is {started}",
            job.id
        );
    }
    let mut key = LogKey {
        job: job.id,
        attempt: arguments.attempt.unwrap_or(started).max(1),
        stream: Stream::Stdout,
    };
    let mut offset = 0;
    // read the job before its output, so that no output can appear between the last read and the end
    while let Some(end) = print_from(&jobs, key, offset).await? {
        let is_over = key.attempt < job.state.attempt || job.state.status.is_final();
        if is_over {
            check_whole(&jobs, key, end).await?;
        }
        if !arguments.follow {
            break;
        }
        offset = end;
        if key.attempt < job.state.attempt && arguments.attempt.is_none() {
            (key.attempt, offset) = (key.attempt + 1, 0);
        } else if is_over {
            break;
        } else {
            sleep(POLL).await;
            job = jobs.store.get(job.id, SystemClock.now()).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Fails if an attempt that is over printed more than the `end` bytes that are left.
async fn check_whole(jobs: &Jobs, key: LogKey, end: u64) -> anyhow::Result<()> {
    let manifest = jobs.logs.sound_manifest(key.job, key.attempt).await?;
    if let Some(missing) = manifest.and_then(|manifest| manifest.missing_of_stdout(end)) {
        bail!("only {missing}; `callboard verify {}` says what is wrong", key.job);
    }
    Ok(())
}

/// Prints the output from an offset. Returns the offset where it ends, or `None` if nobody is reading any more.
async fn print_from(jobs: &Jobs, key: LogKey, mut offset: u64) -> anyhow::Result<Option<u64>> {
    loop {
        let bytes = jobs.logs.read(key, offset..offset + CHUNK_BYTES).await?;
        if bytes.is_empty() {
            return Ok(Some(offset));
        }
        if !print(&bytes)? {
            return Ok(None);
        }
        offset += bytes.len() as u64;
    }
}

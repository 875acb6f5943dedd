//! `callboard verify`: whether a job's output is what was written.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use callboard_core::id::JobId;
use callboard_core::ports::{JobStore, LogStore, Manifest};
use callboard_core::segment::SegmentHead;
use callboard_core::time::{Clock, SystemClock};
use callboard_core::verify::{Check, Findings};
use callboard_embedded::{FileLogStore, SqliteJobStore};

use crate::cli::{Common, VerifyArguments};
use crate::{logging, parts, setup};

/// Exit code for output that is not what was written.
const FAULTY: u8 = 2;

/// Checks every attempt of a job, or the copy of one; says what is wrong.
pub(crate) async fn verify(common: &Common, arguments: VerifyArguments) -> anyhow::Result<ExitCode> {
    logging::start(common.log_format, "warn");
    let sound = match (arguments.folder, arguments.job) {
        (Some(folder), _) => report(&folder.display().to_string(), &copied(&folder)?),
        (None, Some(job)) => kept(common, &job).await?,
        (None, None) => bail!("name a job, or a folder with --folder"),
    };
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAULTY)
    })
}

async fn kept(common: &Common, job: &str) -> anyhow::Result<bool> {
    let id: JobId = job.parse().with_context(|| format!("{job:?} is no job id"))?;
    let data = setup::data(common)?;
    let store = SqliteJobStore::new(parts::database(&data)?);
    let found = store.get(id, SystemClock.now()).await;
    let job = found.with_context(|| format!("there is no job {id} in the data folder {}", data.display()))?;
    let logs = FileLogStore::new(data.join("logs"));
    if job.state.attempt == 0 {
        println!("{id}: it never started, so it has no output");
    }
    let mut sound = true;
    for attempt in 1..=job.state.attempt {
        if attempt == job.state.attempt && !job.state.status.is_final() {
            println!("{id}, attempt {attempt}: it has not ended, so its output is not sealed yet");
            continue;
        }
        let mut check = Check::new();
        for head in logs.segments(id, attempt).await? {
            check.add(&head, &logs.content(id, attempt, &head).await?);
        }
        let findings = check.finish(logs.manifest(id, attempt).await?.as_ref());
        sound &= report(&format!("{id}, attempt {attempt}"), &findings);
    }
    Ok(sound)
}

/// Checks a folder of segments, each a file of its name, as the bucket has them.
fn copied(folder: &Path) -> anyhow::Result<Findings> {
    let unreadable = || format!("the folder {} cannot be read", folder.display());
    let mut heads = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(unreadable)? {
        let name = entry.with_context(unreadable)?.file_name();
        heads.extend(name.to_str().and_then(SegmentHead::parse));
    }
    heads.sort_by_key(|head| head.number);
    let mut check = Check::new();
    for head in heads {
        check.add(
            &head,
            &std::fs::read(folder.join(head.to_string())).with_context(unreadable)?,
        );
    }
    let manifest: Option<Manifest> = match std::fs::read(folder.join("manifest.json")) {
        Ok(text) => Some(serde_json::from_slice(&text).context("manifest.json is no manifest")?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(unreadable),
    };
    Ok(check.finish(manifest.as_ref()))
}

/// Prints what was found; tells whether nothing is wrong.
fn report(what: &str, findings: &Findings) -> bool {
    for told in findings.notes.iter().chain(&findings.faults) {
        println!("{what}: {told}");
    }
    if findings.faults.is_empty() {
        println!("{what}: complete, {} segments as they were written", findings.sound);
    }
    findings.faults.is_empty()
}

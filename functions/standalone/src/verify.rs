//! `callboard verify`: checks whether a job's output is intact, or the audit log.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use callboard_core::base::causes::causes;
use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::output::{Check, Manifest, SegmentHead, Verified};
use callboard_embedded::AttemptFolder;

use crate::audit;
use crate::cli::VerifyArguments;
use crate::jobs::{Jobs, parse};

/// The exit code for what is not intact.
const FAULTY: u8 = 2;

/// Checks every attempt of a job, the folder of one attempt, or the audit log, and prints what is wrong.
pub(crate) async fn verify(arguments: &VerifyArguments) -> anyhow::Result<ExitCode> {
    let sound = match (&arguments.audit, &arguments.folder, &arguments.job) {
        (Some(files), _, _) => audit::verify(&arguments.data, files, arguments.partial).await?,
        (None, Some(folder), _) => given(folder)?,
        (None, None, Some(job)) => kept(&Jobs::open(&arguments.data)?, job).await?,
        (None, None, None) => bail!("name a job, or a folder with --folder"),
    };
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAULTY)
    })
}

async fn kept(jobs: &Jobs, id: &str) -> anyhow::Result<bool> {
    let job = match jobs.find(id).await {
        Ok(job) => job,
        Err(error) => match error.downcast_ref() {
            Some(damage @ StoreError::Corrupt(_)) => return without_record(jobs, parse(id)?, damage),
            _ => return Err(error),
        },
    };
    let (id, state) = (job.id, job.state);
    if state.attempt == 0 {
        println!("{id}: it never started, so it has no output");
    }
    let mut sound = true;
    for attempt in 1..=state.attempt {
        if attempt == state.attempt && !state.status.is_final() {
            println!("{id}, attempt {attempt}: it has not ended, so its output is not sealed yet");
            continue;
        }
        sound &= output(jobs, id, attempt)?;
    }
    Ok(sound)
}

/// Reports what is wrong with a record, and checks the output that exists.
fn without_record(jobs: &Jobs, id: JobId, error: &StoreError) -> anyhow::Result<bool> {
    println!("{id}: its record in callboard.db is damaged: {}", causes(error));
    let attempts = (1..).take_while(|attempt| jobs.logs.folder(id, *attempt).is_there());
    for attempt in attempts {
        output(jobs, id, attempt)?;
    }
    Ok(false)
}

fn output(jobs: &Jobs, id: JobId, attempt: u32) -> anyhow::Result<bool> {
    let findings = in_place(&jobs.logs.folder(id, attempt));
    let findings = findings.with_context(|| format!("the output of {id}, attempt {attempt}, cannot be read"))?;
    Ok(report(&format!("{id}, attempt {attempt}"), &findings))
}

/// Checks a folder, which is an attempt in a data folder or a copy of one in a bucket, and prints which.
fn given(folder: &Path) -> anyhow::Result<bool> {
    let unreadable = || format!("the folder {} cannot be read", folder.display());
    let attempt = AttemptFolder::new(folder.to_owned());
    let heads = segment_files(folder).with_context(unreadable)?;
    let manifest = manifest(&attempt).with_context(unreadable)?;
    // old releases that kept no journal wrote manifests without segment hashes
    let is_of_old = matches!(&manifest, Found::Sound(found) if found.segments_sha256.is_empty());
    let (kind, findings) = if attempt.has_journal() || (heads.is_empty() && is_of_old) {
        ("an attempt of a data folder", check_streams(&attempt, &manifest))
    } else if !heads.is_empty() || !matches!(manifest, Found::Nothing) {
        let findings = check_files(folder, &heads, &manifest);
        ("an attempt of a bucket", findings)
    } else {
        bail!(
            "{} is neither an attempt of a data folder (it has no journal `segments`) nor a copy of one in a bucket (it has no segments \
             and no manifest.json); name a folder such as logs/JOB/1",
            folder.display()
        );
    };
    let what = format!("{}, {kind}", folder.display());
    Ok(report(&what, &findings.with_context(unreadable)?))
}

/// A manifest, if there is one.
enum Found {
    Nothing,
    Sound(Manifest),
    Damaged(serde_json::Error),
}

fn manifest(folder: &AttemptFolder) -> std::io::Result<Found> {
    let text = folder.manifest()?;
    let manifest = text.map(|text| serde_json::from_slice(&text));
    Ok(manifest.map_or(Found::Nothing, |read| read.map_or_else(Found::Damaged, Found::Sound)))
}

fn in_place(folder: &AttemptFolder) -> std::io::Result<Verified> {
    check_streams(folder, &manifest(folder)?)
}

/// Checks streams that are stored as files, against the journal next to them.
fn check_streams(folder: &AttemptFolder, manifest: &Found) -> std::io::Result<Verified> {
    let mut check = Check::new();
    for head in folder.segments()? {
        check.add(&head, &folder.content(&head)?);
    }
    Ok(finish(check, manifest))
}

/// Checks segments that are stored as files, each against its own name.
fn check_files(folder: &Path, heads: &[SegmentHead], manifest: &Found) -> std::io::Result<Verified> {
    let mut check = Check::new();
    for head in heads {
        check.add(head, &std::fs::read(folder.join(head.to_string()))?);
    }
    Ok(finish(check, manifest))
}

fn finish(check: Check, manifest: &Found) -> Verified {
    match manifest {
        Found::Nothing => check.finish(None),
        Found::Sound(manifest) => check.finish(Some(manifest)),
        Found::Damaged(error) => check.finish_without(format!("manifest.json is damaged: {error}.")),
    }
}

fn segment_files(folder: &Path) -> std::io::Result<Vec<SegmentHead>> {
    let mut heads = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        heads.extend(entry?.file_name().to_str().and_then(SegmentHead::parse));
    }
    heads.sort_by_key(|head| head.number);
    Ok(heads)
}

/// Prints the findings; returns whether nothing is wrong.
fn report(what: &str, findings: &Verified) -> bool {
    for told in findings.notes.iter().chain(&findings.faults) {
        println!("{what}: {told}");
    }
    if findings.faults.is_empty() {
        println!("{what}: complete, {} segments as they were written", findings.sound);
    }
    findings.faults.is_empty()
}

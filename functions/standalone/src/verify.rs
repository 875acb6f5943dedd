//! `callboard verify`: whether a job's output is what was written.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use callboard_core::ports::Manifest;
use callboard_core::segment::SegmentHead;
use callboard_core::verify::{Check, Findings};
use callboard_embedded::AttemptFolder;

use crate::cli::VerifyArguments;
use crate::jobs::Jobs;

/// Exit code for output that is not what was written.
const FAULTY: u8 = 2;

/// Checks every attempt of a job, or the folder of one; says what is wrong.
pub(crate) async fn verify(arguments: &VerifyArguments) -> anyhow::Result<ExitCode> {
    let sound = match (&arguments.folder, &arguments.job) {
        (Some(folder), _) => given(folder)?,
        (None, Some(job)) => kept(&Jobs::open(&arguments.data)?, job).await?,
        (None, None) => bail!("name a job, or a folder with --folder"),
    };
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAULTY)
    })
}

async fn kept(jobs: &Jobs, id: &str) -> anyhow::Result<bool> {
    let job = jobs.find(id).await?;
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
        let folder = jobs.logs.folder(id, attempt);
        let findings = check_streams(&folder, manifest(&folder)?.as_ref());
        let findings = findings.with_context(|| format!("the output of {id}, attempt {attempt}, cannot be read"))?;
        sound &= report(&format!("{id}, attempt {attempt}"), &findings);
    }
    Ok(sound)
}

/// Checks a folder that is an attempt's of a data folder, or a copy of a bucket's; says which.
fn given(folder: &Path) -> anyhow::Result<bool> {
    let unreadable = || format!("the folder {} cannot be read", folder.display());
    let attempt = AttemptFolder::new(folder.to_owned());
    let heads = segment_files(folder).with_context(unreadable)?;
    let manifest = manifest(&attempt)?;
    // a release that kept no journal wrote manifests that say nothing of segments
    let is_of_old = manifest.as_ref().is_some_and(|found| found.segments_sha256.is_empty());
    let (kind, findings) = if attempt.has_journal() || (heads.is_empty() && is_of_old) {
        let findings = check_streams(&attempt, manifest.as_ref());
        ("an attempt of a data folder", findings)
    } else if !heads.is_empty() || manifest.is_some() {
        let findings = check_files(folder, &heads, manifest.as_ref());
        ("an attempt of a bucket", findings)
    } else {
        bail!(
            "{} is no attempt of a data folder (it has no journal `segments`) and no copy of a bucket's (it has no segments \
             and no manifest.json); name a folder such as logs/JOB/1",
            folder.display()
        );
    };
    let what = format!("{}, {kind}", folder.display());
    Ok(report(&what, &findings.with_context(unreadable)?))
}

fn manifest(folder: &AttemptFolder) -> anyhow::Result<Option<Manifest>> {
    let text = folder.manifest().context("manifest.json cannot be read")?;
    let manifest = text.map(|text| serde_json::from_slice(&text)).transpose();
    manifest.context("manifest.json is no manifest")
}

/// Checks streams that are files, by the journal beside them.
fn check_streams(folder: &AttemptFolder, manifest: Option<&Manifest>) -> std::io::Result<Findings> {
    let mut check = Check::new();
    for head in folder.segments()? {
        check.add(&head, &folder.content(&head)?);
    }
    Ok(check.finish(manifest))
}

/// Checks segments that are files, each of its name.
fn check_files(folder: &Path, heads: &[SegmentHead], manifest: Option<&Manifest>) -> std::io::Result<Findings> {
    let mut check = Check::new();
    for head in heads {
        check.add(head, &std::fs::read(folder.join(head.to_string()))?);
    }
    Ok(check.finish(manifest))
}

fn segment_files(folder: &Path) -> std::io::Result<Vec<SegmentHead>> {
    let mut heads = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        heads.extend(entry?.file_name().to_str().and_then(SegmentHead::parse));
    }
    heads.sort_by_key(|head| head.number);
    Ok(heads)
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

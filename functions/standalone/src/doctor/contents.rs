//! Checks the contents of the data folder for damage.

use std::path::{Path, PathBuf};

use callboard_core::base::causes::causes;
use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::care::{Finding, some};
use callboard_embedded::{Examination, FileLogStore, Records};

use crate::parts;

/// Checks the database, and compares the output with it.
pub(super) fn look(data: &Path) -> Vec<Finding> {
    // list the folders before reading the records: a job is recorded before it prints
    let folders = parts::logs(data).jobs();
    match Examination::open(&parts::database_file(data)) {
        Ok(None) => vec![Finding::ok("database", "No job has been kept yet.")],
        Ok(Some(database)) => contents(data, &database, &folders),
        Err(error) => vec![unreadable("database", &error)],
    }
}

fn contents(data: &Path, database: &Examination, folders: &[JobId]) -> Vec<Finding> {
    let (file, is_of_this_release) = file(database);
    let mut findings = vec![file];
    if !is_of_this_release {
        return findings;
    }
    match database.records() {
        Ok(found) => {
            findings.extend([records(&found), queue(&found)]);
            findings.extend(running(&found));
            findings.extend(output(&parts::logs(data), folders, &found));
        }
        Err(error) => findings.push(unreadable("records", &error)),
    }
    findings.push(credentials(database, parts::key_file(data)));
    findings
}

/// Checks the database file. Also returns whether its tables are the ones this release knows.
fn file(database: &Examination) -> (Finding, bool) {
    let known = Examination::SCHEMA_VERSION;
    let found = match database.schema_version() {
        Ok(found) => found,
        Err(error) => return (unreadable("database", &error), false),
    };
    if found > known {
        let detail = format!("callboard.db has schema version {found}, and this release knows {known}.");
        return (Finding::fault("database", detail, "Use the newer release."), false);
    }
    if found < known {
        let detail =
            format!("callboard.db has schema version {found}, of an earlier release; this one writes {known}.");
        let remedy =
            "The next `callboard serve` or `callboard run` upgrades it; run `callboard doctor` again after that.";
        return (Finding::warning("database", detail, remedy), false);
    }
    let finding = match database.faults() {
        Ok(told) if told.is_empty() => Finding::ok(
            "database",
            format!("callboard.db has schema version {found}, and SQLite finds it sound."),
        ),
        Ok(told) => Finding::fault(
            "database",
            format!("SQLite finds callboard.db damaged: {}.", told.join("; ")),
            "Stop the service, and put back a copy of the data folder.",
        ),
        Err(error) => unreadable("database", &error),
    };
    (finding, true)
}

fn records(found: &Records) -> Finding {
    let ids: Vec<String> = found.damaged.iter().map(|(id, _)| id.clone()).collect();
    match found.damaged.as_slice() {
        [] => Finding::ok("records", format!("The record of every job can be read ({}).", found.ids.len())),
        [(id, why), ..] => Finding::fault(
            "records",
            format!("Records that cannot be read: {}. Of {id}: {why}.", some(&ids)),
            "`callboard verify JOB` says what is left of one; put back a copy of callboard.db, or delete the rows while the service is \
             stopped.",
        )
        .about(ids),
    }
}

fn queue(found: &Records) -> Finding {
    let ids: Vec<String> = found.dead_letters.iter().map(JobId::to_string).collect();
    if ids.is_empty() {
        return Finding::ok("queue", "The queue has given up no job that waits.");
    }
    Finding::warning(
        "queue",
        format!("Waiting jobs that the queue has given up: {}.", some(&ids)),
        "`callboard show JOB` says why; once that is cured, `callboard redrive` queues them again.",
    )
    .about(ids)
}

/// Names the jobs that run. Whether a worker still has one, its lease tells only with time.
fn running(found: &Records) -> Option<Finding> {
    let ids: Vec<String> = found.running.iter().map(JobId::to_string).collect();
    let detail = format!(
        "Jobs recorded as running: {}. Where the worker of one is gone, `callboard serve` ends it as `lost`, or runs it again, within a \
         minute.",
        some(&ids)
    );
    (!ids.is_empty()).then(|| Finding::ok("running", detail).about(ids))
}

/// Looks for output that is incomplete, and for output that belongs to no job.
fn output(logs: &FileLogStore, folders: &[JobId], found: &Records) -> Vec<Finding> {
    let is_open = |(id, attempt): &&(JobId, u32)| !logs.folder(*id, *attempt).is_sealed();
    let open = found.ended.iter().filter(is_open).map(|(id, _)| id.to_string());
    let is_lost = |id: &&JobId| !found.ids.contains(*id) && logs.has(**id);
    let lost = folders.iter().filter(is_lost).map(JobId::to_string);
    let (open, lost): (Vec<String>, Vec<String>) = (open.collect(), lost.collect());
    let fault = |(id, attempt): &(JobId, u32)| Some((id.to_string(), logs.folder(*id, *attempt).fault()?));
    let damaged: Vec<(String, String)> = found.ended.iter().filter_map(fault).collect();
    let mut findings = Vec::new();
    if let Some((first, why)) = damaged.first() {
        let ids: Vec<String> = damaged.iter().map(|(id, _)| id.clone()).collect();
        let detail = format!("Jobs whose output is damaged: {}. Of {first}: {why}.", some(&ids));
        findings.push(Finding::fault("output", detail, "`callboard verify JOB` says what is left.").about(ids));
    }
    if !open.is_empty() {
        let detail = format!(
            "Jobs that have ended and whose output has no manifest: {}.",
            some(&open)
        );
        findings.push(Finding::warning("output", detail, "`callboard verify JOB` says what is left.").about(open));
    }
    if !lost.is_empty() {
        let detail = format!(
            "Folders in {} that belong to no job: {}.",
            logs.root().display(),
            some(&lost)
        );
        let remedy = "Delete them, unless you want to put back a copy of callboard.db that has their jobs.";
        findings.push(Finding::warning("output", detail, remedy).about(lost));
    }
    if findings.is_empty() {
        let told = "The output of every job that has ended has its manifest and its size, and there is no output without a job.";
        findings.push(Finding::ok("output", told));
    }
    findings
}

fn credentials(database: &Examination, key_file: PathBuf) -> Finding {
    let found = match database.credentials(key_file) {
        Ok(found) => found,
        Err(error) => return unreadable("credentials", &error),
    };
    let closed = found.iter().filter_map(|(name, why)| Some((name, why.as_ref()?)));
    let closed: Vec<(&String, &String)> = closed.collect();
    let names: Vec<String> = closed.iter().map(|(name, _)| (*name).clone()).collect();
    match closed.first() {
        None if found.is_empty() => Finding::ok("credentials", "No credential is stored."),
        None => Finding::ok(
            "credentials",
            format!("The key file opens every stored credential ({}).", found.len()),
        ),
        Some((name, why)) => {
            let names = some(&names);
            let detail = format!("Credentials that cannot be opened: {names}. Of {name}: {why}");
            Finding::error("credentials", detail)
        }
    }
    .about(names)
}

fn unreadable(check: &'static str, error: &StoreError) -> Finding {
    Finding::error(check, causes(error.cause()))
}

//! What it costs to find out who asks, and to write down what they do.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use callboard_core::access::Requester;
use callboard_core::audit::{AuditLog, Deed, NewEntry};
use callboard_core::base::id::Tenant;
use callboard_core::base::time::SystemClock;
use callboard_embedded::{Database, SqliteAuditLog};
use callboard_tests::{Client, Service};

use crate::jobs::hello;
use crate::report::{Report, Target, median};

const ROUNDS: usize = 3000;
const SUBMISSIONS: usize = 300;
/// How many other keys there are.
const KEYS: usize = 2000;

/// GET of a job's record, with a key and without, in turn.
pub(crate) async fn key(report: &mut Report) -> anyhow::Result<()> {
    let (open, _data) = Service::start(&[])?;
    let (closed, _other) = Service::start(&[])?;
    let made = closed
        .client()
        .post("/api/v1/keys", r#"{"name": "a", "scopes": ["admin"]}"#)
        .await?;
    let shown = made.body["key"].as_str().context("a key")?;
    let closed = closed.client().showing(shown);
    for number in 0..KEYS {
        let body = format!(r#"{{"name": "other-{number}", "scopes": ["jobs:read"]}}"#);
        ensure!(closed.post("/api/v1/keys", body).await?.status == 201);
    }
    let (open, mut without, mut with) = (open.client(), Vec::new(), Vec::new());
    let paths = (path(&open).await?, path(&closed).await?);
    for _ in 0..ROUNDS {
        without.push(get(&open, &paths.0).await?);
        with.push(get(&closed, &paths.1).await?);
    }
    let (with, without) = (median(with), median(without));
    let reference = format!("{with:.3} ms against {without:.3} ms without keys, {KEYS} other keys");
    report.add(
        "GET of a job with a key, added",
        with - without,
        "ms",
        Target::AtMost(0.1),
        reference,
    );
    Ok(())
}

/// An entry of the audit log, against the submission that it is of.
pub(crate) async fn audit(report: &mut Report) -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let (client, folder, mut submissions, mut entries) =
        (service.client(), tempfile::tempdir()?, Vec::new(), Vec::new());
    let database = Database::open(&folder.path().join("callboard.db"))?;
    let (log, by) = (
        SqliteAuditLog::new(database, Arc::new(SystemClock)),
        Requester::own(Tenant::default(), "key:bench"),
    );
    for _ in 0..SUBMISSIONS {
        let start = Instant::now();
        let id = client.submit(&hello()).await?;
        submissions.push(start.elapsed().as_secs_f64() * 1e3);
        let start = Instant::now();
        log.append(NewEntry::of(&by, Deed::JobSubmit, Some(id))).await?;
        entries.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let (entry, submission) = (median(entries), median(submissions));
    let reference = format!("{entry:.3} ms of {submission:.3} ms");
    let part = entry / submission * 100.0;
    report.add(
        "an entry of the audit log, of a submission",
        part,
        "%",
        Target::AtMost(20.0),
        reference,
    );
    Ok(())
}

async fn path(client: &Client) -> anyhow::Result<String> {
    let id = client.submit(&hello()).await?;
    client.ended(&id).await?;
    Ok(format!("/api/v1/jobs/{id}"))
}

async fn get(client: &Client, path: &str) -> anyhow::Result<f64> {
    let start = Instant::now();
    let answer = client.get(path).await?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

//! What it costs to find out who asks, and to write down what they do.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use callboard_core::access::{Authenticator, KeyStore, Presented, Requester};
use callboard_core::audit::{AuditLog, Deed, NewEntry};
use callboard_core::base::id::Tenant;
use callboard_core::base::time::SystemClock;
use callboard_embedded::{Database, SqliteAuditLog, SqliteKeyStore};
use callboard_testkit::calls::Authority;
use callboard_tests::contract::key_store::{create, key_of};
use callboard_tests::issuer::Issuer;
use callboard_tests::{Client, Service, callboard, playbooks};
use futures_util::future::try_join_all;

use crate::jobs::hello;
use crate::report::{Report, Target, median};

const ROUNDS: usize = 3000;
const SUBMISSIONS: usize = 300;
/// How many other keys there are.
const KEYS: usize = 100_000;
/// How many of them there are before.
const FEW: usize = 100;

/// GET of a job's record, with a key, with a session and without, in turn; and lists of keys.
pub(crate) async fn key(report: &mut Report) -> anyhow::Result<()> {
    let (open, _data) = Service::start(&[])?;
    let (closed, data) = Service::start(&[])?;
    let made = closed
        .client()
        .post("/api/v1/keys", r#"{"name": "a", "scopes": ["admin"]}"#)
        .await?;
    let shown = made.body["key"].as_str().context("a key")?;
    let closed = closed.client().showing(shown);
    add_keys(data.path(), FEW).await?;
    let few = list_of_keys(&closed).await?;
    add_keys(data.path(), KEYS - FEW).await?;
    let many = list_of_keys(&closed).await?;
    report.add(
        "list of 100 keys out of 100,000, against 100",
        many / few,
        "",
        Target::AtMost(1.15),
        format!("{many:.3} ms against {few:.3} ms"),
    );
    let (open, page) = (open.client(), closed.begin_session().await?);
    let (here, there) = (path(&open).await?, path(&closed).await?);
    let (without, with) = in_turn((&open, &here), (&closed, &there)).await?;
    report.add(
        "GET of a job with a key, added",
        with - without,
        "ms",
        Target::AtMost(0.1),
        format!("{with:.3} ms against {without:.3} ms without keys, {KEYS} other keys"),
    );
    let (without, with) = in_turn((&open, &here), (&page, &there)).await?;
    report.add(
        "GET of a job with a session, added",
        with - without,
        "ms",
        Target::AtMost(0.1),
        format!("{with:.3} ms against {without:.3} ms without keys"),
    );
    Ok(())
}

/// GET of a job's record, with a token whose issuer's keys are known and without, in turn.
pub(crate) async fn token(report: &mut Report) -> anyhow::Result<()> {
    let (authority, folder) = (Authority::new()?, tempfile::tempdir()?);
    let issuer = Issuer::start(&authority, 3600).await?;
    let trusted = folder.path().join("ca.crt");
    std::fs::write(&trusted, authority.pem())?;
    let mut command = callboard(folder.path())?;
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--playbooks"])
        .arg(playbooks())
        .args(["--oidc-issuer", &issuer.url, "--oidc-audience", "callboard"])
        .args(["--oidc-subject", "repo:acme/web:**", "--oidc-scope", "admin"])
        .env("SSL_CERT_FILE", trusted);
    let (closed, (open, _data)) = (Service::spawn(command)?, Service::start(&[])?);
    let (closed, open) = (closed.client().showing(&issuer.token(None)), open.client());
    let (here, there) = (path(&open).await?, path(&closed).await?);
    let (without, with) = in_turn((&open, &here), (&closed, &there)).await?;
    report.add(
        "GET of a job with a token, added",
        with - without,
        "ms",
        Target::AtMost(0.2),
        format!("{with:.3} ms against {without:.3} ms without keys"),
    );
    Ok(())
}

/// A wrong secret of a key that there is, and a key that there is not, in turn: the time must not tell which.
pub(crate) async fn guesses(report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let store = SqliteKeyStore::new(Database::open(&folder.path().join("callboard.db"))?);
    let key = create(&store, &Tenant::default()).await?;
    let (store, clock) = (Arc::new(store), Arc::new(SystemClock));
    let authenticator = Authenticator::new(store, None, clock);
    let (mut wrong, mut unknown) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        wrong.push(guess(&authenticator, &Presented::renewed(key.id.clone())?).await?);
        unknown.push(guess(&authenticator, &Presented::generate()?).await?);
    }
    let (wrong, unknown) = (median(wrong), median(unknown));
    report.add(
        "a wrong secret refused, against an unknown key",
        (wrong - unknown).abs(),
        "ms",
        Target::AtMost(0.01),
        format!("{wrong:.4} ms against {unknown:.4} ms, of requests of some 0.3 ms"),
    );
    Ok(())
}

async fn guess(authenticator: &Authenticator, shown: &Presented) -> anyhow::Result<f64> {
    let text = shown.text();
    let start = Instant::now();
    ensure!(authenticator.caller(text.expose()).await.is_err());
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

/// Gets a path of one service and one of another in turn, and returns how long each took.
async fn in_turn(one: (&Client, &str), other: (&Client, &str)) -> anyhow::Result<(f64, f64)> {
    let (mut of_one, mut of_other) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        of_one.push(get(one.0, one.1).await?);
        of_other.push(get(other.0, other.1).await?);
    }
    Ok((median(of_one), median(of_other)))
}

/// Adds keys beside the service.
async fn add_keys(data: &Path, number: usize) -> anyhow::Result<()> {
    let database = Database::open(&data.join("callboard.db"))?;
    let (store, tenant) = (SqliteKeyStore::new(database.clone()), Tenant::default());
    let keys = (0..number)
        .map(|_| key_of(&tenant))
        .collect::<anyhow::Result<Vec<_>>>()?;
    for some in keys.chunks(1000) {
        try_join_all(some.iter().map(|key| store.create(key))).await?;
    }
    database.close().await;
    Ok(())
}

async fn list_of_keys(client: &Client) -> anyhow::Result<f64> {
    let mut taken = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        let page = client.get("/api/v1/keys?limit=100").await?;
        taken.push(start.elapsed().as_secs_f64() * 1e3);
        ensure!(page.body["keys"].as_array().map(Vec::len) == Some(100), "{page:?}");
    }
    Ok(median(taken))
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

//! The service is killed again and again under load.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use callboard_tests::{Client, Service, processes, wait};
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::json;

const KILLS: usize = 50;
const JOBS_BETWEEN: usize = 4;
/// Alone it takes two to three minutes, and longer beside other tests; more than this means that something waits for ever.
const TIME_BOX: Duration = Duration::from_secs(1500);

#[tokio::test]
async fn fifty_kills_under_load_lose_no_job_and_run_none_twice() -> anyhow::Result<()> {
    let (begun, seed) = (Instant::now(), RandomState::new().hash_one(()));
    let data = tempfile::tempdir()?;
    let file = data.path().join("lines").display().to_string();
    let mut accepted: BTreeMap<String, usize> = BTreeMap::new();
    for kill in 0..KILLS {
        ensure!(
            begun.elapsed() < TIME_BOX,
            "seed {seed}: {kill} kills took {:?}",
            begun.elapsed()
        );
        let mut service = Service::start_in(data.path(), &["--workers", "3"])?;
        let client = service.client();
        for number in kill * JOBS_BETWEEN..(kill + 1) * JOBS_BETWEEN {
            accepted.insert(submit(&client, &file, number).await?, number);
        }
        tokio::time::sleep(pause(seed, kill)).await;
        service.signal(Signal::KILL)?;
        service.wait()?;
        let gone = || processes::with_marker(&file).is_empty();
        wait::until("what the killed service started is gone", gone).await?;
    }
    let connection = Connection::open(data.path().join("callboard.db"))?;
    let integrity: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    ensure!(integrity == "ok", "seed {seed}: {integrity}");
    drop(connection);

    let service = Service::start_in(data.path(), &["--workers", "3"])?;
    let client = service.client();
    ensure!(
        accepted.len() == KILLS * JOBS_BETWEEN,
        "seed {seed}: {} jobs",
        accepted.len()
    );
    let (mut ends, mut ended) = (BTreeMap::<String, usize>::new(), Vec::new());
    for (id, number) in &accepted {
        let job = client.ended(id).await.with_context(|| format!("seed {seed}"))?;
        let end = job["reason"].as_str().unwrap_or("successful").to_owned();
        ended.push((*number, end.clone(), job["attempt"].clone()));
        *ends.entry(end).or_default() += 1;
    }
    let total = client.get("/api/v1/jobs?limit=1").await?.body["total"].clone();
    ensure!(total == accepted.len(), "seed {seed}: {total} jobs are recorded");
    let lines = std::fs::read_to_string(&file)?;
    for (number, end, attempt) in ended {
        let times = lines.lines().filter(|line| *line == format!("line {number}")).count();
        ensure!(
            attempt.as_u64() <= Some(1),
            "seed {seed}: job {number} was started {attempt} times"
        );
        match end.as_str() {
            "successful" => ensure!(times == 1, "seed {seed}: job {number} succeeded and ran {times} times"),
            "lost" => ensure!(times <= 1, "seed {seed}: job {number} is lost and ran {times} times"),
            other => anyhow::bail!("seed {seed}: job {number} ended {other}"),
        }
    }
    println!("seed {seed}: {ends:?} in {:?}", begun.elapsed());
    Ok(())
}

/// Submits with a key, so that a submission whose answer is lost can be sent again.
async fn submit(client: &Client, file: &str, number: usize) -> anyhow::Result<String> {
    let body = json!({"playbook": "append.yml", "extra_vars": {"file": file, "line": format!("line {number}")}});
    let answer = client
        .post_once("/api/v1/jobs", &format!("job-{number}"), &body)
        .await?;
    ensure!(answer.status == 202, "{answer:?}");
    Ok(answer.body["job_id"].as_str().unwrap_or_default().to_owned())
}

/// How long the service lives before a kill: up to 0.9 s, the same for the same seed.
fn pause(seed: u64, kill: usize) -> Duration {
    let mut hasher = DefaultHasher::new();
    (seed, kill).hash(&mut hasher);
    Duration::from_millis(hasher.finish() % 900)
}

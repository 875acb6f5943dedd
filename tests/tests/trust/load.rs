//! As many jobs at once as may wait.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use callboard_tests::Service;
use callboard_tests::processes::resident_kib;
use serde_json::json;
use tokio::task::JoinSet;

const JOBS: usize = 5_000;
const CLIENTS: usize = 50;
/// Two cores take six to fifteen minutes, with other tests beside it.
const TIME_BOX: Duration = Duration::from_secs(2400);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_jobs_of_fifty_clients_are_all_done_in_the_same_memory() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let (begun, mut clients) = (Instant::now(), JoinSet::new());
    for _ in 0..CLIENTS {
        let client = service.client();
        clients.spawn(async move {
            let mut ids = Vec::new();
            for _ in 0..JOBS / CLIENTS {
                ids.push(client.submit(&json!({"playbook": "nothing.yml"})).await?);
            }
            anyhow::Ok(ids)
        });
    }
    let mut ids = HashSet::new();
    while let Some(submitted) = clients.join_next().await {
        ids.extend(submitted??);
    }
    ensure!(ids.len() == JOBS, "{} ids", ids.len());
    let (submitted, client) = (begun.elapsed(), service.client());
    let waiting = async |status: &str| {
        let answer = client.get(&format!("/api/v1/jobs?limit=1&status={status}")).await?;
        answer.body["total"].as_u64().context("a total")
    };
    let mut memory = Vec::new();
    loop {
        ensure!(begun.elapsed() < TIME_BOX, "jobs are left after {:?}", begun.elapsed());
        memory.push(resident_kib(service.pid())?);
        let running = waiting("running").await?;
        ensure!(running <= 100, "{running} jobs run");
        if running + waiting("pending").await? == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let drained = begun.elapsed();
    let (mut done, mut cursor) = (HashSet::new(), String::new());
    loop {
        let page = client.get(&format!("/api/v1/jobs?limit=100{cursor}")).await?.body;
        for job in page["jobs"].as_array().into_iter().flatten() {
            ensure!(job["status"] == "successful", "{job}");
            ensure!(
                done.insert(job["job_id"].as_str().unwrap_or_default().to_owned()),
                "{job} is listed twice"
            );
        }
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    ensure!(done == ids, "{} jobs are recorded", done.len());
    let (early, late) = (memory[memory.len() / 4], memory.last().copied().unwrap_or(0));
    ensure!(
        late < early + early / 4 + 8 * 1024,
        "the service grows from {early} KiB to {late} KiB while its queue is drained"
    );
    println!("submitted in {submitted:?}, done in {drained:?}; {early} KiB, then {late} KiB");
    Ok(())
}

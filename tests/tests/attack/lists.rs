//! Many who ask at once.

use anyhow::ensure;
use callboard_tests::raw::{allow_connections, ask, request};
use serde_json::json;
use tokio::task::JoinSet;

/// A list is read from several files: not all who ask can be answered at once.
const FILES: u32 = 512;
const CLIENTS: usize = 400;
const ROUNDS: usize = 5;
const JOBS: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_hundred_clients_list_jobs_at_once_and_each_is_answered() -> anyhow::Result<()> {
    allow_connections(2048)?;
    let (service, data) = crate::start_within(FILES, &["--workers", "1"])?;
    let (client, address) = (service.client(), service.address()?);
    let file = data.path().join("never");
    for _ in 0..JOBS {
        client
            .submit(&json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}}))
            .await?;
    }
    let list = request("GET /api/v1/jobs?limit=100 HTTP/1.1", &["Host: localhost"], b"");
    for _ in 0..ROUNDS {
        let mut asking = JoinSet::new();
        for _ in 0..CLIENTS {
            let list = list.clone();
            asking.spawn(async move {
                let mut answer = ask(address, &list).await?;
                // a client that is slow to send its request may have to make room for another
                while answer.status == 0 {
                    answer = ask(address, &list).await?;
                }
                anyhow::Ok(answer)
            });
        }
        while let Some(answer) = asking.join_next().await {
            let answer = answer??;
            ensure!(answer.status == 200 && answer.body["total"] == JOBS, "{answer:?}");
        }
    }
    ensure!(!service.log().contains("ERROR"), "{}", service.log());
    Ok(())
}

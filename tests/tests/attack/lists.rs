//! Many who ask at once.

use anyhow::ensure;
use callboard_tests::Service;
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

const CLIENTS: usize = 400;
const REQUESTS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_hundred_clients_list_jobs_at_once_and_each_is_answered() -> anyhow::Result<()> {
    crate::allow_connections(2048)?;
    let (service, _data) = Service::start(&[])?;
    let request = json!({"playbook": "nothing.yml"});
    let ids = [
        service.client().submit(&request).await?,
        service.client().submit(&request).await?,
    ];
    for id in ids {
        service.client().ended(&id).await?;
    }
    let mut asking = JoinSet::new();
    for _ in 0..CLIENTS {
        let client = service.client();
        asking.spawn(async move {
            for _ in 0..REQUESTS {
                let answer = client.send(client.request(Method::GET, "/api/v1/jobs")).await?;
                ensure!(answer.status == 200 && answer.body["total"] == 2, "{answer:?}");
            }
            anyhow::Ok(())
        });
    }
    while let Some(asked) = asking.join_next().await {
        asked??;
    }
    ensure!(!service.log().contains("ERROR"), "{}", service.log());
    Ok(())
}

//! Concurrency keys and quotas: which jobs wait for which.

use anyhow::{Context, ensure};
use callboard_core::base::time::Timestamp;
use callboard_tests::{Client, wait};
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use tempfile::TempDir;

const KEYED: &str = "host:db1";
const QUOTAS: &str = "/api/v1/quotas";

/// A job with the concurrency key that works until its file is there.
fn waiting(folder: &TempDir, file: &str) -> Value {
    let file = folder.path().join(file);
    keyed(
        json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}, "inventory": "localhost,"}),
        None,
    )
}

fn keyed(mut request: Value, policy: Option<&str>) -> Value {
    request["options"] = json!({"concurrency_key": KEYED});
    if let Some(policy) = policy {
        request["options"]["concurrency_policy"] = json!(policy);
    }
    request
}

fn hello(policy: Option<&str>) -> Value {
    keyed(json!({"playbook": "hello.yml"}), policy)
}

async fn running(client: &Client, request: &Value) -> anyhow::Result<String> {
    let job = client.submit(request).await?;
    client.until(&job, |job| job["status"] == "running").await?;
    Ok(job)
}

/// Waits until the job says which job it waits for; returns that without the time since when.
async fn blocked(client: &Client, job: &str) -> anyhow::Result<Value> {
    let mut record = client.until(job, |job| job["blocked_on"]["job_id"].is_string()).await?;
    ensure!(record["status"] == "pending" && record["attempt"] == 0, "{record}");
    let mut on = record["blocked_on"].take();
    let since = on["since"].take();
    ensure!(since.as_str() >= record["created_at"].as_str(), "{since}: {record}");
    Ok(on)
}

fn on_job(what: &str, key: Option<&str>, job: &str) -> Value {
    json!({"type": what, "since": null, "concurrency_key": key, "job_id": job, "due_at": null})
}

fn is(record: &Value, status: &str) -> anyhow::Result<()> {
    ensure!(
        record["status"] == status && record["blocked_on"].is_null(),
        "not {status}: {record}"
    );
    Ok(())
}

#[tokio::test]
async fn jobs_with_one_concurrency_key_run_one_after_the_other() -> anyhow::Result<()> {
    let (service, folder) = crate::start(&["--workers", "2"])?;
    let client = service.client();
    let first = running(&client, &waiting(&folder, "first")).await?;
    let second = client.submit(&hello(None)).await?;
    let third = client.submit(&hello(None)).await?;
    let expected = on_job("concurrency_key", Some(KEYED), &first);
    for job in [&second, &third] {
        ensure!(blocked(&client, job).await? == expected);
    }
    // what has another key, or none, does not wait
    let mut other = hello(None);
    other["options"]["concurrency_key"] = json!("host:db2");
    for free in [other, json!({"playbook": "hello.yml"})] {
        is(&client.ended(&client.submit(&free).await?).await?, "successful")?;
    }
    ensure!(blocked(&client, &second).await? == expected);
    std::fs::write(folder.path().join("first"), "")?;
    let (first, second, third) = (
        client.ended(&first).await?,
        client.ended(&second).await?,
        client.ended(&third).await?,
    );
    for record in [&first, &second, &third] {
        is(record, "successful")?;
    }
    let order = [
        &first["finished_at"],
        &second["started_at"],
        &second["finished_at"],
        &third["started_at"],
    ];
    ensure!(order.is_sorted_by_key(|at| at.as_str()), "{order:?}");
    Ok(())
}

#[tokio::test]
async fn a_job_may_be_skipped_or_cancel_those_with_its_concurrency_key() -> anyhow::Result<()> {
    let (service, folder) = crate::start(&["--workers", "2"])?;
    let client = service.client();
    let first = running(&client, &waiting(&folder, "never")).await?;
    let skipped = client.submit(&hello(Some("skip"))).await?;
    let record = client.ended(&skipped).await?;
    is(&record, "canceled")?;
    let told = format!("job {first} has the concurrency key \"{KEYED}\"");
    ensure!(record["reason"] == "skipped" && record["attempt"] == 0, "{record}");
    ensure!(record["error"].as_str().unwrap_or_default().contains(&told), "{record}");

    // one that waits and is canceled never starts, and the next one does not wait for it
    let given_up = client.submit(&hello(None)).await?;
    blocked(&client, &given_up).await?;
    let canceled = client.delete(&format!("/api/v1/jobs/{given_up}")).await?;
    ensure!(
        canceled.status == 200 && canceled.body["status"] == "canceled",
        "{canceled:?}"
    );

    let waits = client.submit(&hello(None)).await?;
    blocked(&client, &waits).await?;
    let newest = client.submit(&hello(Some("cancel_running"))).await?;
    for job in [&first, &waits] {
        let record = client.ended(job).await?;
        is(&record, "canceled")?;
        ensure!(record["reason"] == "canceled_by_request", "{record}");
    }
    is(&client.ended(&newest).await?, "successful")?;
    let told = client
        .get(&format!("/api/v1/audit?action=job.cancel&object={first}"))
        .await?
        .body;
    ensure!(told["entries"][0]["outcome"] == "done", "{told}");

    // of many at once, the newest is not canceled by an older one
    let first = running(&client, &waiting(&folder, "never")).await?;
    let request = hello(Some("cancel_running"));
    let mut jobs = try_join_all((0..6).map(|_| client.submit(&request))).await?;
    jobs.sort();
    is(&client.ended(&jobs[5]).await?, "successful")?;
    for job in jobs.iter().chain([&first]) {
        client.ended(job).await?;
    }
    // nobody has the key now
    is(
        &client.ended(&client.submit(&hello(Some("skip"))).await?).await?,
        "successful",
    )
}

#[tokio::test]
async fn whoever_may_not_cancel_may_not_have_it_done_by_a_job() -> anyhow::Result<()> {
    let (service, folder, admin) = crate::start_with_key().await?;
    let admin = service.client().showing(&admin);
    let key = async |name: &str, scopes: Value| admin.make_key(&json!({"name": name, "scopes": scopes})).await;
    let runs = key("runs", json!(["jobs:run", "jobs:read"])).await?;
    let refused = runs
        .post("/api/v1/jobs", hello(Some("cancel_running")).to_string())
        .await?;
    ensure!(refused.status == 403, "{refused:?}");
    ensure!(
        refused.body["detail"]
            .as_str()
            .unwrap_or_default()
            .contains("jobs:cancel"),
        "{refused:?}"
    );

    // others' jobs go on, and the new one waits for them
    let own = key("own", json!(["jobs:run", "jobs:read", "jobs:cancel[own]"])).await?;
    let first = running(&admin, &waiting(&folder, "others")).await?;
    let mine = own.submit(&hello(None)).await?;
    blocked(&own, &mine).await?;
    let newest = own.submit(&hello(Some("cancel_running"))).await?;
    is(&own.ended(&mine).await?, "canceled")?;
    ensure!(blocked(&own, &newest).await?["job_id"] == first.as_str());
    std::fs::write(folder.path().join("others"), "")?;
    is(&admin.ended(&first).await?, "successful")?;
    is(&own.ended(&newest).await?, "successful")
}

#[tokio::test]
async fn what_is_no_concurrency_key_is_refused() -> anyhow::Result<()> {
    let (service, _folder) = crate::start(&[])?;
    for (options, pointer) in [
        (json!({"concurrency_policy": "skip"}), "/options/concurrency_policy"),
        (
            json!({"concurrency_key": "a", "concurrency_policy": "replace"}),
            "/options/concurrency_policy",
        ),
        (json!({"concurrency_key": "two words"}), "/options/concurrency_key"),
        (json!({"concurrency_key": "k".repeat(256)}), "/options/concurrency_key"),
        (json!({"concurrency_key": 7}), "/options/concurrency_key"),
    ] {
        let body = json!({"playbook": "hello.yml", "options": options});
        let answer = service.client().post("/api/v1/jobs", body.to_string()).await?;
        let told = &answer.body["errors"][0]["pointer"];
        ensure!(answer.status == 422 && told == pointer, "{body}: {answer:?}");
    }
    Ok(())
}

/// A key of the tenant for which there are quotas.
fn web() -> Value {
    json!({"name": "web", "scopes": ["admin"], "tenant": "web"})
}

#[tokio::test]
async fn a_tenant_runs_and_queues_no_more_jobs_than_its_quota() -> anyhow::Result<()> {
    let policy = json!({"quotas": {"web": {"running": 1, "waiting": 2}}});
    let (service, folder, operator) = crate::start_with_policy(&policy).await?;
    let operator = service.client().showing(&operator);
    let web = operator.make_key(&web()).await?;
    let mut request = waiting(&folder, "go");
    request["options"] = json!({});
    let first = running(&web, &request).await?;
    let hello = json!({"playbook": "hello.yml"});
    let (second, third) = (web.submit(&hello).await?, web.submit(&hello).await?);
    let on = blocked(&web, &second).await?;
    ensure!(on == on_job("running_quota", None, &first), "{on}");
    let refused = web.post("/api/v1/jobs", hello.to_string()).await?;
    ensure!(
        refused.status == 429 && refused.body["type"] == "urn:callboard:problem:quota-exceeded",
        "{refused:?}"
    );
    ensure!(
        refused.header("retry-after") == "10" && refused.header("ratelimit").is_empty(),
        "{refused:?}"
    );
    let used = web.get(QUOTAS).await?.body;
    let none = json!({"limit": null, "used": null, "remaining": null});
    for (name, expected) in [
        ("tenant", json!("web")),
        ("running", json!({"limit": 1, "used": 1, "remaining": 0})),
        ("waiting", json!({"limit": 2, "used": 2, "remaining": 0})),
        ("submissions_per_minute", none.clone()),
        ("stored_bytes", none.clone()),
    ] {
        ensure!(used[name] == expected, "{name}: {used}");
    }
    let next: Timestamp = serde_json::from_value(used["next_minute_at"].clone())?;
    ensure!(next.as_millis() % 60_000 == 0, "{used}");
    ensure!(operator.get(QUOTAS).await?.body["running"] == none);
    // another tenant has no part in that
    is(&operator.ended(&operator.submit(&hello).await?).await?, "successful")?;
    blocked(&web, &third).await?;
    std::fs::write(folder.path().join("go"), "")?;
    for job in [&first, &second, &third] {
        is(&web.ended(job).await?, "successful")?;
    }
    Ok(())
}

#[tokio::test]
async fn a_tenant_submits_and_stores_no_more_than_its_quota() -> anyhow::Result<()> {
    let policy = json!({"quotas": {"*": {"submissions_per_minute": 3}, "web": {"stored_bytes": 1, "submissions_per_minute": 1000}}});
    let (service, _folder, operator) = crate::start_with_policy(&policy).await?;
    let operator = service.client().showing(&operator);
    let web = operator.make_key(&web()).await?;
    let hello = json!({"playbook": "hello.yml"}).to_string();
    // a minute may end meanwhile
    let mut refused = None;
    for _ in 0..8 {
        let answer = operator.post("/api/v1/jobs", hello.as_str()).await?;
        ensure!(
            answer.header("ratelimit-policy") == "\"submissions\";q=3;w=60",
            "{answer:?}"
        );
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
        ensure!(
            answer.status == 202 && answer.header("ratelimit").starts_with("\"submissions\";r="),
            "{answer:?}"
        );
    }
    let refused = refused.context("8 jobs were taken in a minute or two")?;
    ensure!(
        refused.body["type"] == "urn:callboard:problem:quota-exceeded",
        "{refused:?}"
    );
    let seconds: u64 = refused.header("retry-after").parse()?;
    ensure!((1..=60).contains(&seconds), "{refused:?}");
    let left = format!("\"submissions\";r=0;t={seconds}");
    ensure!(refused.header("ratelimit") == left, "{refused:?}");
    let used = operator.get(QUOTAS).await?.body;
    ensure!(used["submissions_per_minute"]["limit"] == 3, "{used}");

    let job = web.submit(&json!({"playbook": "hello.yml"})).await?;
    is(&web.ended(&job).await?, "successful")?;
    // the output is counted just after the job has ended, and looked at every few seconds
    wait::until_async("the output is counted", async || {
        Ok(web.post("/api/v1/jobs", hello.as_str()).await?.status == 429)
    })
    .await?;
    let answer = web.post("/api/v1/jobs", hello.as_str()).await?;
    let detail = answer.body["detail"].as_str().unwrap_or_default();
    ensure!(answer.status == 429 && detail.contains("stored output"), "{answer:?}");
    ensure!(answer.header("retry-after") == "3600", "{answer:?}");
    let used = web.get(QUOTAS).await?.body;
    let stored = &used["stored_bytes"];
    ensure!(stored["used"].as_u64() > Some(1) && stored["remaining"] == 0, "{used}");
    Ok(())
}

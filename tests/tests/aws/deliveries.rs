//! Messages of the jobs queue: delivered twice, or naming no job.

use callboard_tests::aws::{Queue, Resources, Stack, StackSettings};
use serde_json::{Value, json};

use crate::{messages, start, until_messages};

#[tokio::test]
async fn a_failing_playbook_is_told() -> anyhow::Result<()> {
    let stack = start()?;
    let client = stack.client();
    let hosts = json!({"good": {"ansible_connection": "local"}, "bad": {"ansible_connection": "local"}});
    let inventory = json!({"type": "inline", "data": {"all": {"hosts": hosts}}});
    let request = json!({"playbook": "features/failing.yml", "inventory": inventory});
    let job = client.run(&request).await?;
    assert_eq!(
        (&job["status"], &job["reason"]),
        (&json!("failed"), &json!("playbook_failed")),
        "{job}"
    );
    assert_eq!(job["result"]["rc"], 2);
    let missing = client.run(&json!({"playbook": "no_such.yml"})).await?;
    assert_eq!(missing["reason"], "source_unavailable", "{missing}");
    let resources = &stack.resources;
    until_messages(resources, &resources.jobs, 0).await?;
    assert_eq!(messages(resources, &resources.dead_jobs).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_job_that_is_delivered_twice_runs_once() -> anyhow::Result<()> {
    let stack = start()?;
    let (client, resources) = (stack.client(), &stack.resources);
    let id = client
        .submit(&json!({"playbook": "sleep.yml", "extra_vars": {"seconds": 2}}))
        .await?;
    client.until(&id, |job| job["status"] == "running").await?;
    send(resources, &body(&id)).await?;
    let ended = client.ended(&id).await?;
    assert_eq!((&ended["status"], &ended["attempt"]), (&json!("successful"), &json!(1)));
    send(resources, &body(&id)).await?;
    until_messages(resources, &resources.jobs, 0).await?;
    assert_eq!(client.job(&id).await?, ended);
    assert_eq!(nothing_to_do(&stack), 2, "{}", stack.log());
    Ok(())
}

#[tokio::test]
async fn a_message_that_names_no_job_is_given_up_leaves_a_record_and_keeps_nobody_waiting() -> anyhow::Result<()> {
    let stack = start()?;
    let (client, resources) = (stack.client(), &stack.resources);
    for poison in ["{}", "\u{1F480}", r#"{"job_id": "../../etc"}"#] {
        send(resources, poison).await?;
    }
    let job = client.run(&json!({"playbook": "hello.yml"})).await?;
    assert_eq!(job["status"], "successful");
    let given_up = async || {
        let list = client.get("/api/v1/jobs?status=failed").await?;
        anyhow::Ok(list.body["jobs"].as_array().map_or(0, Vec::len))
    };
    let begun = std::time::Instant::now();
    while given_up().await? < 3 {
        anyhow::ensure!(begun.elapsed().as_secs() < 120, "{}", stack.log());
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    until_messages(resources, &resources.dead_jobs, 0).await?;
    until_messages(resources, &resources.jobs, 0).await?;
    // an id that is nobody's is no fault of the queue: its job was deleted
    send(resources, &body("01a1faf8-50a0-70a1-801c-2d3e4f506172")).await?;
    until_messages(resources, &resources.jobs, 0).await?;
    assert_eq!(
        (given_up().await?, messages(resources, &resources.dead_jobs).await?),
        (3, 0)
    );
    Ok(())
}

#[tokio::test]
async fn jobs_that_were_given_up_are_listed_and_counted_until_they_are_redriven() -> anyhow::Result<()> {
    let settings = StackSettings {
        workers: 1,
        ..StackSettings::default()
    };
    let stack = Stack::start(&settings)?;
    let (client, resources, folder) = (stack.client(), &stack.resources, tempfile::tempdir()?);
    let file = folder.path().join("go");
    let busy = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}, "inventory": "waiting,"});
    let busy = client.submit(&busy).await?;
    client.until(&busy, |job| job["status"] == "running").await?;
    let mut dead = Vec::new();
    for _ in 0..3 {
        dead.insert(0, client.submit(&json!({"playbook": "hello.yml"})).await?);
        send_to(resources, &resources.dead_jobs, &body(&dead[0])).await?;
        client.until(&dead[0], |job| job["dead_letter"].is_object()).await?;
    }
    let list = client.get("/api/v1/jobs?dead_letter=true").await?.body;
    let listed = list["jobs"].as_array().into_iter().flatten().map(|job| &job["job_id"]);
    assert_eq!(listed.collect::<Vec<_>>(), dead.iter().collect::<Vec<_>>(), "{list}");
    assert_eq!(client.get("/api/v1/jobs?status=pending").await?.body["total"], 3);
    until_counted(&stack, 3).await?;
    let some = client.post("/api/v1/jobs/redrive?limit=2", "").await?;
    assert_eq!(
        (some.status.as_u16(), &some.body["redriven"]),
        (200, &json!(dead[..2])),
        "{some:?}"
    );
    let cursor = some.body["next_cursor"].as_str().unwrap_or_default();
    let rest = client
        .post(&format!("/api/v1/jobs/redrive?cursor={cursor}"), "")
        .await?
        .body;
    assert_eq!(rest, json!({"redriven": dead[2..], "next_cursor": null}));
    std::fs::write(&file, "")?;
    for id in &dead {
        let job = client.ended(id).await?;
        assert_eq!(
            (&job["status"], &job["attempt"]),
            (&json!("successful"), &json!(1)),
            "{job}"
        );
    }
    until_counted(&stack, 0).await
}

/// Waits until the metric that an alarm of the template has says so many.
async fn until_counted(stack: &Stack, count: u32) -> anyhow::Result<()> {
    let alarm = stack.resources.template.properties("DeadLettersAlarm")?;
    let (namespace, name) = (alarm.text("/Namespace")?, alarm.text("/MetricName")?);
    let told = |line: &Value| {
        line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == namespace
            && line["FunctionName"] == "SubmitFunction"
            && line[name] == count
    };
    callboard_tests::wait::until("the jobs are counted", || {
        let log = stack.submit.log();
        // the log is that of one environment after the other
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let last = lines.max_by_key(|line| line["_aws"]["Timestamp"].as_u64());
        last.is_some_and(|line| told(&line))
    })
    .await
}

async fn send(resources: &Resources, body: &str) -> anyhow::Result<()> {
    send_to(resources, &resources.jobs, body).await
}

async fn send_to(resources: &Resources, queue: &Queue, body: &str) -> anyhow::Result<()> {
    let send = resources.sqs().send_message().queue_url(&queue.url);
    Ok(send.message_body(body).send().await.map(drop)?)
}

fn body(id: &str) -> String {
    json!({"job_id": id}).to_string()
}

fn nothing_to_do(stack: &Stack) -> usize {
    let log = stack.worker.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|line| {
            line["message"]
                .as_str()
                .is_some_and(|text| text.contains("nothing to do"))
        })
        .count()
}

//! Jobs whose children do what they should not.

use std::time::{Duration, Instant};

use anyhow::ensure;
use callboard_tests::{Service, processes};
use serde_json::{Value, json};

#[tokio::test]
async fn children_that_will_not_go_are_gone_when_their_job_has_ended() -> anyhow::Result<()> {
    let (service, data) = Service::start(&["--workers", "4"])?;
    let client = service.client();
    let scripts = [
        ("deaf", "trap '' TERM HUP INT; while :; do sleep 0.1; done"),
        (
            "twice",
            "(setsid sh -c '(sleep 600; :) & (sleep 600; :)' \"$0\" &); while :; do sleep 0.1; done",
        ),
        ("closed", "exec >&- 2>&- <&-; while :; do sleep 0.1; done"),
        ("asleep", "sleep 600; :"),
    ];
    let mut jobs = Vec::new();
    for (name, script) in scripts {
        let marker = data.path().join(name).display().to_string();
        let vars = json!({"script": script, "marker": marker});
        let request = json!({"playbook": "hostile.yml", "extra_vars": vars, "options": {"timeout": 4}});
        jobs.push((name, marker, client.submit(&request).await?));
    }
    for (name, marker, id) in jobs {
        let job = client.ended(&id).await?;
        let left = processes::with_marker(&marker);
        ensure!(left.is_empty(), "{name}: {left:?} are alive");
        ensure!(job["status"] == "failed" && job["reason"] == "timeout", "{name}: {job}");
        ensure!(job["result"]["log"]["complete"] == true, "{name}: {job}");
    }
    Ok(())
}

/// Closes its output and is done: the job's end does not wait for more.
#[tokio::test]
async fn a_child_that_closes_its_output_ends_well() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let vars = json!({"script": "exec >&- 2>&-; sleep 0.2", "marker": "closed"});
    let job = service
        .client()
        .run(&json!({"playbook": "hostile.yml", "extra_vars": vars}))
        .await?;
    ensure!(job["status"] == "successful", "{job}");
    Ok(())
}

/// Ansible keeps what a command prints until it ends; so this prints by tasks, more than is kept.
#[tokio::test]
async fn output_without_end_is_cut_and_the_job_goes_on_and_both_say_so() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&["--max-output", "20000", "--max-events", "100"])?;
    let client = service.client();
    let request = json!({"playbook": "count.yml", "extra_vars": {"numbers": 1000}});
    let job = client.run(&request).await?;
    ensure!(job["status"] == "successful", "{job}");
    let (log, id) = (&job["result"]["log"], job["job_id"].as_str().unwrap_or_default());
    ensure!(
        log["truncated"] == true && log["complete"] == true && log["events"].as_u64() <= Some(100),
        "{log}"
    );
    let text = String::from_utf8(client.logs(id).await?)?;
    let (kept, notice) = text.split_at(20_000);
    ensure!(kept.contains("Number 1"), "{kept}");
    ensure!(
        notice.starts_with("\n[truncated: Callboard keeps 20000 bytes of a job's output"),
        "{notice}"
    );
    let events = client.events(id).await?.len() as u64;
    ensure!(events == log["events"], "{events} events; {log}");
    Ok(())
}

#[tokio::test]
async fn a_cancel_is_honoured_within_ten_seconds() -> anyhow::Result<()> {
    let (service, data) = Service::start(&[])?;
    let client = service.client();
    let marker = data.path().join("marker").display().to_string();
    let vars = json!({"script": "trap '' TERM; while :; do sleep 0.1; done", "marker": marker});
    let id = client
        .submit(&json!({"playbook": "hostile.yml", "extra_vars": vars}))
        .await?;
    client
        .until(&id, |job: &Value| job["progress"]["current_task"] == "Be hostile")
        .await?;
    let asked = Instant::now();
    client.delete(&format!("/api/v1/jobs/{id}")).await?;
    let job = client.ended(&id).await?;
    // a promise of the product, not a measure of speed
    ensure!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    ensure!(
        job["status"] == "canceled" && job["cancel"]["outcome"] == "stopped",
        "{job}"
    );
    Ok(())
}

//! `POST /api/v1/jobs`, and the record of a job through its life.

use anyhow::ensure;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::names;

const RECORD: [&str; 30] = [
    "job_id",
    "status",
    "kind",
    "playbook",
    "source",
    "commit",
    "extra_vars",
    "inventory",
    "credentials",
    "options",
    "created_at",
    "submitted_by",
    "source_ip",
    "request_id",
    "relaunch_of",
    "relaunched_as",
    "started_at",
    "finished_at",
    "duration_seconds",
    "attempt",
    "attempts",
    "progress",
    "cancel",
    "blocked_on",
    "dead_letter",
    "redrive",
    "reason",
    "error",
    "usage",
    "result",
];

#[tokio::test]
async fn a_record_tells_the_whole_request_and_what_becomes_of_it() -> anyhow::Result<()> {
    let (service, data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    let file = data.path().join("go");
    let before = json!({
        "playbook": "wait_for_file.yml",
        "extra_vars": {"file": file},
        "inventory": "passing,failing,waiting,",
    });
    let before = client.submit(&before).await?;
    let request = full_request();
    let accepted = client.post("/api/v1/jobs", request.to_string()).await?;
    ensure!(accepted.status == StatusCode::ACCEPTED, "{accepted:?}");
    ensure!(
        names(&accepted.body) == ["job_id", "status", "created_at"],
        "{accepted:?}"
    );
    let id = accepted.body["job_id"].as_str().unwrap_or_default();
    ensure!(accepted.header("location") == format!("/api/v1/jobs/{id}"));

    let pending = client.job(id).await?;
    let mut expected = json!({
        "job_id": id, "status": "pending", "kind": "ansible", "created_at": accepted.body["created_at"],
        "submitted_by": pending["submitted_by"], "source_ip": "127.0.0.1", "request_id": accepted.header("x-request-id"),
        "relaunch_of": null, "relaunched_as": [],
        "started_at": null, "finished_at": null, "duration_seconds": null, "attempt": 0, "attempts": [],
        "progress": null, "cancel": null, "reason": null, "error": null, "usage": null, "result": null,
        "source": null, "commit": null, "credentials": {}, "blocked_on": {
            "type": "worker", "since": accepted.body["created_at"], "concurrency_key": null, "job_id": null, "due_at": null,
        }, "dead_letter": null, "redrive": null,
    });
    for (name, value) in request.as_object().into_iter().flatten() {
        expected[name] = value.clone();
    }
    assert_eq!(pending, expected);

    check_progress(&client.until(&before, is_waiting).await?)?;
    std::fs::write(&file, "")?;
    check_failed(&client.ended(&before).await?)?;
    check_successful(&client.ended(id).await?, &pending)
}

fn full_request() -> Value {
    json!({
        "playbook": "hello.yml",
        "extra_vars": {"greeting": "Callboard", "more": {"list": [1, 2.5, null, true]}},
        "inventory": {"type": "inline", "data": {
            "web": {"hosts": {"web1": {"port": 80}, "web2": null}, "vars": {"colour": "blue"}},
            "all": {"children": {"web": null}},
        }},
        "options": {
            "check": true, "diff": true, "tags": ["all"], "skip_tags": ["never"], "limit": "web1",
            "verbosity": 1, "forks": 2, "timeout": 600, "idle_timeout": 600, "max_attempts": 2,
            "template_extra_vars": true,
        },
    })
}

fn is_waiting(job: &Value) -> bool {
    job["progress"]["current_task"] == "Wait until the file is there" && job["progress"]["hosts_ok"] == 1
}

fn check_progress(running: &Value) -> anyhow::Result<()> {
    ensure!(names(running) == RECORD, "{running}");
    ensure!(
        running["status"] == "running" && running["attempt"] == 1 && running["started_at"].is_string(),
        "{running}"
    );
    let progress = json!({
        "current_play": "Wait for a file", "current_task": "Wait until the file is there",
        "hosts_ok": 1, "hosts_failed": 1, "hosts_pending": 1,
    });
    assert_eq!(running["progress"], progress);
    ensure!(
        running["finished_at"].is_null() && running["result"].is_null(),
        "{running}"
    );
    Ok(())
}

fn check_failed(job: &Value) -> anyhow::Result<()> {
    ensure!(job["status"] == "failed" && job["reason"] == "playbook_failed", "{job}");
    let error = job["error"].as_str().unwrap_or_default();
    for part in ["1 of 3 hosts failed", "failing", "This host was to fail."] {
        ensure!(error.contains(part), "{error}");
    }
    ensure!(job["result"]["rc"] == 2, "{job}");
    let progress = json!({
        "current_play": "Wait for a file", "current_task": "Say that the file is there",
        "hosts_ok": 2, "hosts_failed": 1, "hosts_pending": 0,
    });
    assert_eq!(job["progress"], progress);
    assert_eq!(job["result"]["failures"][0]["host"], "failing");
    let counts = &job["result"]["stats"]["failing"];
    let expected = json!({
        "ok": 0, "changed": 0, "failures": 1, "dark": 0, "skipped": 0, "rescued": 0, "ignored": 0, "processed": 1,
    });
    assert_eq!(*counts, expected);
    Ok(())
}

fn check_successful(job: &Value, pending: &Value) -> anyhow::Result<()> {
    ensure!(names(job) == RECORD, "{job}");
    for name in ["job_id", "playbook", "extra_vars", "inventory", "options", "created_at"] {
        assert_eq!(job[name], pending[name], "{name}");
    }
    ensure!(job["status"] == "successful" && job["attempt"] == 1, "{job}");
    ensure!(job["reason"].is_null() && job["error"].is_null(), "{job}");
    let times: Vec<_> = ["created_at", "started_at", "finished_at"]
        .into_iter()
        .map(|name| job[name].as_str().unwrap_or_default())
        .collect();
    ensure!(
        times.is_sorted() && times.iter().all(|time| time.ends_with('Z')),
        "{times:?}"
    );
    ensure!(job["duration_seconds"].as_f64() > Some(0.0), "{job}");
    let attempt = json!({
        "attempt": 1, "started_at": times[1], "finished_at": times[2], "reason": null, "error": null,
        "retried": false,
    });
    ensure!(job["attempts"] == json!([attempt]), "{job}");
    let result = &job["result"];
    let stdout = result["stdout"].as_str().unwrap_or_default();
    ensure!(
        stdout.contains("Hello, Callboard!") && !stdout.contains("web2"),
        "{stdout}"
    );
    let expected = json!({
        "rc": 0, "stdout": stdout, "stdout_truncated": false, "stdout_bytes": stdout.len(),
        "stdout_url": format!("/api/v1/jobs/{}/logs", job["job_id"].as_str().unwrap_or_default()),
        "stats": {"web1": {
            "ok": 1, "changed": 0, "failures": 0, "dark": 0, "skipped": 0, "rescued": 0, "ignored": 0, "processed": 1,
        }},
        "inventory": {"hosts": 2, "groups": 1, "group_hosts": {"web": 2}, "host_names": ["web1", "web2"]},
        "failures": [], "output": null, "output_truncated": false,
        "log": result["log"],
    });
    assert_eq!(*result, expected);
    let log = &result["log"];
    ensure!(log["complete"] == true && log["truncated"] == false, "{log}");
    ensure!(
        log["stdout_sha256"].as_str().is_some_and(|hash| hash.len() == 64) && log["segments"].as_u64() > Some(0),
        "{log}"
    );
    Ok(())
}

#[tokio::test]
async fn a_synchronous_request_answers_with_the_record_or_with_202_when_the_wait_is_over() -> anyhow::Result<()> {
    let (service, data) = crate::start(&["--sync-wait", "2"])?;
    let client = service.client();
    let hello = json!({"playbook": "hello.yml"}).to_string();
    let done = client.post("/api/v1/jobs?sync=true", hello.clone()).await?;
    ensure!(
        done.status == StatusCode::OK && done.content_type == "application/json",
        "{done:?}"
    );
    let path = format!("/api/v1/jobs/{}", done.body["job_id"].as_str().unwrap_or_default());
    let record = client.get(&path).await?;
    assert_eq!(done.body, record.body);
    for name in ["etag", "link", "content-type"] {
        ensure!(
            !done.header(name).is_empty() && done.header(name) == record.header(name),
            "{name}: {done:?}"
        );
    }
    let result = &done.body["result"];
    ensure!(result["rc"] == 0 && result["stats"]["localhost"]["ok"] == 1, "{done:?}");

    let file = data.path().join("go");
    let waiting = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}}).to_string();
    let late = client.post("/api/v1/jobs?sync=true", waiting).await?;
    ensure!(
        late.status == StatusCode::ACCEPTED && late.body["status"] == "running",
        "{late:?}"
    );
    let id = late.body["job_id"].as_str().unwrap_or_default();
    ensure!(late.header("location") == format!("/api/v1/jobs/{id}"), "{late:?}");
    std::fs::write(&file, "")?;
    ensure!(client.ended(id).await?["status"] == "successful");

    let failing = json!({"playbook": "wait_for_file.yml", "inventory": "failing,"}).to_string();
    let failed = client.post("/api/v1/jobs?sync=True", failing).await?;
    ensure!(
        failed.status == StatusCode::OK && failed.body["status"] == "failed" && failed.body["result"]["rc"] == 2,
        "{failed:?}"
    );
    let async_ = client.post("/api/v1/jobs?sync=FALSE", hello).await?;
    ensure!(async_.status == StatusCode::ACCEPTED, "{async_:?}");
    Ok(())
}

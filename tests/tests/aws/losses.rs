//! Workers that end before their jobs do.

use anyhow::Context;
use callboard_tests::{processes, wait};
use serde_json::json;

use crate::{start, start_with, text};

#[tokio::test]
async fn a_job_whose_worker_is_killed_is_lost_or_tried_again() -> anyhow::Result<()> {
    let stack = start()?;
    let client = stack.client();
    let sleep = |options| json!({"playbook": "sleep.yml", "extra_vars": {"seconds": 3600}, "options": options});
    let once = client.submit(&sleep(json!({}))).await?;
    let twice = client.submit(&sleep(json!({"max_attempts": 2}))).await?;
    for id in [&once, &twice] {
        client
            .until(id, |job| job["progress"]["current_task"] == "Wait")
            .await?;
    }
    for function in stack.worker.functions() {
        function.kill()?;
    }
    let lost = client.ended(&once).await?;
    assert_eq!(
        (&lost["status"], &lost["reason"]),
        (&json!("failed"), &json!("lost")),
        "{lost}"
    );
    assert!(text(&lost["result"], "stdout")?.contains("TASK [Wait]"), "{lost}");
    client
        .until(&twice, |job| job["attempt"] == 2 && job["status"] == "running")
        .await?;
    let answer = client.delete(&format!("/api/v1/jobs/{twice}")).await?;
    assert_eq!(answer.status, 202);
    let canceled = client.ended(&twice).await?;
    assert_eq!(canceled["status"], "canceled", "{canceled}");
    assert!(
        text(&canceled["cancel"], "by")?.starts_with("arn:aws:iam::"),
        "{canceled}"
    );
    Ok(())
}

#[tokio::test]
async fn a_job_is_stopped_before_the_deadline_and_tells_which_hosts_it_had_not_reached() -> anyhow::Result<()> {
    let stack = start_with(&[
        ("AWS_LAMBDA_FUNCTION_TIMEOUT", "30"),
        ("CALLBOARD_DEADLINE_MARGIN", "20"),
    ])?;
    let client = stack.client();
    let marker = format!("/tmp/deadline-{}", std::process::id());
    let hosts = |name: &str| (name.to_owned(), json!({"ansible_connection": "local"}));
    let hosts: serde_json::Map<_, _> = ["first", "second", "third"].map(hosts).into_iter().collect();
    let id = client
        .submit(&json!({
            "playbook": "one_by_one.yml",
            "inventory": {"type": "inline", "data": {"all": {"hosts": hosts}}},
            "extra_vars": {"marker": marker},
        }))
        .await?;
    let job = client.ended(&id).await?;
    assert_eq!(
        (&job["status"], &job["reason"]),
        (&json!("failed"), &json!("deadline")),
        "{job}"
    );
    let error = text(&job, "error")?;
    assert!(
        error.contains("1 of 3 hosts was reached; not reached: second, third."),
        "{error}"
    );
    let stats = &job["result"]["stats"];
    assert_eq!(
        (&stats["first"]["ok"], &stats["first"]["processed"]),
        (&json!(1), &json!(1)),
        "{stats}"
    );
    assert_eq!(stats["third"]["processed"], 0, "{stats}");
    assert!(text(&job["result"], "stdout")?.contains("ok: [first]"), "{job}");
    wait::until("nothing of the job is left", || {
        processes::with_marker(&marker).is_empty()
    })
    .await?;
    let next = client.run(&json!({"playbook": "hello.yml"})).await?;
    assert_eq!(next["status"], "successful");
    Ok(())
}

#[tokio::test]
async fn a_warm_worker_keeps_nothing_of_a_job_for_the_next() -> anyhow::Result<()> {
    let stack = start()?;
    let client = stack.client();
    let marker = format!("left-{}", std::process::id());
    let leave = json!({"playbook": "isolation/leave.yml", "extra_vars": {"marker": marker}});
    for _ in 0..4 {
        let job = client.run(&leave).await?;
        assert_eq!(job["status"], "successful", "{job}");
        assert!(processes::with_marker(&marker).is_empty());
    }
    for function in stack.worker.functions() {
        let Some(pid) = function.pid() else { continue };
        let user = rustix::process::getuid().as_raw();
        let folder = format!("/tmp/cb-{user}/{pid}");
        let left = std::fs::read_dir(&folder).context(folder)?;
        let left: Vec<_> = left.flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left, ["host"]);
    }
    Ok(())
}

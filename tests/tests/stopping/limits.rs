//! `options.timeout` and `options.idle_timeout`.

use anyhow::ensure;
use callboard_tests::{Service, daemon};
use serde_json::json;

use crate::{check_end, nothing_lives};

#[tokio::test]
async fn a_job_past_one_of_its_limits_is_stopped_with_all_that_it_started() -> anyhow::Result<()> {
    let (service, data) = Service::start(&[])?;
    let client = service.client();
    let mut jobs = Vec::new();
    for reason in ["timeout", "idle_timeout"] {
        let marker = data.path().join(reason).display().to_string();
        let id = daemon::start(&client, &marker, &json!({reason: 20})).await?;
        jobs.push((reason, marker, id));
    }
    for (_, marker, id) in &jobs {
        daemon::runs(&client, id, marker).await?;
    }
    for (reason, marker, id) in &jobs {
        let job = client.ended(id).await?;
        nothing_lives(marker)?;
        check_end(&job, "failed", reason)?;
        ensure!(
            job["error"].as_str().is_some_and(|error| error.contains("20 s")),
            "{job}"
        );
        let stdout = job["result"]["stdout"].as_str().unwrap_or_default();
        ensure!(stdout.contains("TASK [Go on until stopped]"), "{stdout}");
    }
    let generous = json!({"playbook": "hello.yml", "options": {"timeout": 600, "idle_timeout": 600}});
    ensure!(client.run(&generous).await?["status"] == "successful");
    Ok(())
}

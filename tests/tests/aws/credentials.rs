//! Credentials and jobs that name them, where nobody waits for an answer.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::{event, messages, start, text, until_messages};

#[tokio::test]
async fn an_event_that_names_a_credential_which_is_not_there_or_of_another_kind_is_a_refused_job() -> anyhow::Result<()>
{
    let stack = start()?;
    let (client, resources) = (stack.client(), &stack.resources);
    let token = json!({"name": "a-token", "kind": "bearer", "token": "text"});
    ensure!(client.post("/api/v1/credentials", token.to_string()).await?.status == 201);
    let credentials = json!({"ssh": "a-token", "password": "none"});
    let request = json!({"playbook": "hello.yml", "credentials": credentials});
    let mut scheduled = event("scheduler-job.json")?;
    scheduled["job"] = request.clone();
    let mut ruled = event("eventbridge-job.json")?;
    ruled["detail"] = request.clone();
    for event in [request.clone(), scheduled, ruled] {
        let refused = stack.submit.invoke(event).await?;
        check(&client.job(text(&refused, "job_id")?).await?)?;
    }
    let send = resources.sqs().send_message().queue_url(&resources.intake.url);
    send.message_body(request.to_string()).send().await?;
    until_messages(resources, &resources.intake, 0).await?;
    let jobs = crate::jobs(&client).await?;
    assert_eq!(jobs.len(), 4);
    for job in &jobs {
        check(&client.job(text(job, "job_id")?).await?)?;
    }
    assert_eq!(messages(resources, &resources.jobs).await?, 0);
    Ok(())
}

fn check(job: &Value) -> anyhow::Result<()> {
    ensure!(job["status"] == "failed" && job["reason"] == "request_invalid", "{job}");
    ensure!(job["attempt"] == 0 && job["playbook"] == "hello.yml", "{job}");
    let error = text(job, "error")?;
    ensure!(
        error.contains("/credentials/ssh is a credential of kind bearer"),
        "{error}"
    );
    ensure!(
        error.contains("/credentials/password names a credential that does not exist"),
        "{error}"
    );
    Ok(())
}

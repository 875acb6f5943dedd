//! The audit log on AWS: what is in it, however a job came, and its copies that nobody can change.

use std::path::Path;

use anyhow::{Context, ensure};
use callboard_tests::aws::{Function, Resources};
use callboard_tests::program::{Finished, callboard};
use serde_json::{Value, json};

use crate::{event, start, text};

/// Checks files with lines of the audit log, as whoever has copies does.
fn verify(folder: &Path) -> anyhow::Result<Finished> {
    let data = tempfile::tempdir()?;
    let checked = callboard(data.path())?
        .args(["verify", "--audit"])
        .arg(folder)
        .output()?;
    Ok(Finished::from(checked))
}

#[tokio::test]
async fn whoever_submits_cancels_or_is_refused_is_in_the_log_and_in_the_record() -> anyhow::Result<()> {
    let stack = start()?;
    let client = stack.client();
    let sent = stack.submit.invoke(event("eventbridge-job.json")?).await?;
    let refused = stack.submit.invoke(json!({"playbok": "hello.yml"})).await?;
    let (sent, refused) = (text(&sent, "job_id")?.to_owned(), text(&refused, "job_id")?.to_owned());
    let job = client
        .submit(&json!({"playbook": "sleep.yml", "extra_vars": {"seconds": 60}}))
        .await?;
    ensure!(
        client
            .post(&format!("/api/v1/jobs/{job}/cancel"), "")
            .await?
            .status
            .is_success()
    );
    let record = client.ended(&job).await?;
    ensure!(client.delete(&format!("/api/v1/jobs/{job}")).await?.status == 409);
    let page = client.get("/api/v1/audit?limit=100").await?;
    let entries = page.body["entries"].as_array().context("entries")?;
    let of = |job: &str, action: &str, problem: Value| {
        let of_job =
            |entry: &&Value| entry["object"] == job && entry["action"] == action && entry["problem"] == problem;
        entries
            .iter()
            .find(of_job)
            .with_context(|| format!("no {action} of {job}: {page:?}"))
    };
    ensure!(of(&sent, "job.submit", Value::Null)?["by"] == "eventbridge");
    of(&refused, "job.submit", json!("request_invalid"))?;
    of(&job, "job.cancel", json!("job-ended"))?;
    let canceled = of(&job, "job.cancel", Value::Null)?;
    ensure!(
        canceled["by"] == record["cancel"]["by"] && canceled["by"].is_string(),
        "{canceled} {record}"
    );
    ensure!(
        canceled["by"] == of(&job, "job.submit", Value::Null)?["by"],
        "{canceled}"
    );

    let folder = tempfile::tempdir()?;
    let lines: Vec<String> = entries.iter().map(Value::to_string).collect();
    std::fs::write(folder.path().join("page.jsonl"), lines.join("\n"))?;
    let checked = verify(folder.path())?;
    ensure!(checked.code == 0, "{checked:?}");
    ensure!(
        checked.stdout.contains(&format!("{} entries", lines.len())),
        "{checked:?}"
    );
    Ok(())
}

#[tokio::test]
async fn new_entries_are_copied_once_to_where_nobody_can_delete_them() -> anyhow::Result<()> {
    let resources = Resources::create().await?;
    let (bucket, s3) = (resources.create_audit_bucket().await?, resources.s3());
    let mut environment = resources.environment("NotifyFunction")?;
    environment.insert("CALLBOARD_AUDIT_BUCKET".to_owned(), bucket.clone());
    let function = Function::start("notify", &environment).await?;
    let (batch, mut other) = (event("dynamodb-audit.json")?, event("dynamodb-audit.json")?);
    // what is no entry, and what leaves the table, is not copied
    other["Records"][0]["eventName"] = json!("REMOVE");
    other["Records"][1]["dynamodb"]["NewImage"] = json!({"pk": {"S": "JOB#1"}});
    other["Records"][1]["dynamodb"]["SequenceNumber"] = json!("529700000000123456789");
    for (batch, count) in [(&batch, 2), (&batch, 2), (&other, 0)] {
        ensure!(function.invoke(batch).await? == json!({"entries": count}));
    }
    let versions = s3.list_object_versions().bucket(&bucket).send().await?;
    let [version] = versions.versions() else {
        anyhow::bail!("expected one version of one object: {versions:?}")
    };
    let key = version.key().context("a key")?;
    assert_eq!(key, "audit/5297000000001234567801-5297000000001234567802.jsonl");
    let delete = s3.delete_object().bucket(&bucket).key(key);
    let deleted = delete
        .set_version_id(version.version_id().map(str::to_owned))
        .send()
        .await;
    ensure!(deleted.is_err(), "{deleted:?}");
    let body = s3
        .get_object()
        .bucket(&bucket)
        .key(key)
        .send()
        .await?
        .body
        .collect()
        .await?;
    let folder = tempfile::tempdir()?;
    std::fs::create_dir(folder.path().join("audit"))?;
    std::fs::write(folder.path().join(key), body.into_bytes())?;
    let checked = verify(folder.path())?;
    ensure!(
        checked.code == 0 && checked.stdout.contains("2 entries in 1 chain,"),
        "{checked:?}"
    );
    Ok(())
}

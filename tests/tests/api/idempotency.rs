//! `Idempotency-Key`.

use anyhow::ensure;
use futures_util::future::try_join_all;
use serde_json::json;

#[tokio::test]
async fn a_submission_that_is_sent_again_gets_the_first_answer() -> anyhow::Result<()> {
    let (service, _data) = crate::start(&[])?;
    let (client, jobs) = (service.client(), "/api/v1/jobs");
    let hello = json!({"playbook": "hello.yml", "extra_vars": {"greeting": "once", "b": 1}});
    let first = client.post_once(jobs, "a-key", &hello).await?;
    ensure!(
        first.status == 202 && first.header("idempotency-replayed").is_empty(),
        "{first:?}"
    );
    let id = first.body["job_id"].as_str().unwrap_or_default();
    let same = json!({"extra_vars": {"b": 1, "greeting": "once"}, "playbook": "hello.yml"});
    for (key, body) in [("a-key", &hello), ("\"a-key\"", &same)] {
        let again = client.post_once(jobs, key, body).await?;
        ensure!((again.status, &again.body) == (first.status, &first.body), "{again:?}");
        ensure!(again.header("idempotency-replayed") == "true", "{again:?}");
        ensure!(again.header("location") == first.header("location"), "{again:?}");
    }
    ensure!(client.ended(id).await?["attempt"] == 1);
    let late = client.post_once(jobs, "a-key", &hello).await?;
    ensure!((late.status, &late.body) == (first.status, &first.body), "{late:?}");

    let other = client
        .post_once(jobs, "a-key", &json!({"playbook": "hello.yml"}))
        .await?;
    ensure!(
        other.status == 422 && other.content_type == "application/problem+json",
        "{other:?}"
    );
    let invalid = client
        .post_once(jobs, "b-key", &json!({"playbook": "hello.yml", "colour": 1}))
        .await?;
    ensure!(invalid.status == 422, "{invalid:?}");
    ensure!(
        client.post_once(jobs, "b-key", &hello).await?.status == 202,
        "a refused request keeps its key"
    );
    for bad in ["", "two words", &"k".repeat(256)] {
        let refused = client.post_once(jobs, bad, &hello).await?;
        let place = &refused.body["errors"][0]["header"];
        ensure!(
            refused.status == 400 && place == "Idempotency-Key",
            "{bad:?}: {refused:?}"
        );
    }
    let in_body = json!({"playbook": "hello.yml", "idempotency_key": "a-key"});
    let told = client.post(jobs, in_body.to_string()).await?;
    ensure!(
        told.status == 422 && told.body.to_string().contains("Idempotency-Key"),
        "{told:?}"
    );
    Ok(())
}

/// What the request names was there when it was accepted; whether it is there still is not asked again.
#[tokio::test]
async fn a_replay_gets_its_answer_although_its_credential_is_gone() -> anyhow::Result<()> {
    let (service, _data) = crate::start(&[])?;
    let (client, jobs) = (service.client(), "/api/v1/jobs");
    let password = json!({"name": "become", "kind": "password", "password": "long enough"});
    let stored = client.post("/api/v1/credentials", password.to_string()).await?;
    ensure!(stored.status == 201, "{stored:?}");
    let request = json!({"playbook": "hello.yml", "credentials": {"become_password": "become"}});
    let first = client.post_once(jobs, "a-key", &request).await?;
    ensure!(first.status == 202, "{first:?}");
    let id = first.body["job_id"].as_str().unwrap_or_default();
    client.ended(id).await?;
    let removed = client.delete("/api/v1/credentials/become").await?;
    ensure!(removed.status == 204, "{removed:?}");
    let again = client.post_once(jobs, "a-key", &request).await?;
    ensure!((again.status, &again.body) == (first.status, &first.body), "{again:?}");
    let anew = client.post_once(jobs, "b-key", &request).await?;
    ensure!(anew.status == 422, "{anew:?}");
    // what was refused keeps no key
    let other = client
        .post_once(jobs, "b-key", &json!({"playbook": "hello.yml"}))
        .await?;
    ensure!(other.status == 202, "{other:?}");
    Ok(())
}

#[tokio::test]
async fn of_many_submissions_at_once_one_is_accepted() -> anyhow::Result<()> {
    let (service, _data) = crate::start(&[])?;
    let client = service.client();
    let hello = json!({"playbook": "hello.yml"});
    let answers = try_join_all((0..8).map(|_| client.post_once("/api/v1/jobs", "a-key", &hello))).await?;
    let accepted: Vec<_> = answers.iter().filter(|answer| answer.status == 202).collect();
    ensure!(
        !accepted.is_empty()
            && accepted
                .iter()
                .all(|one| one.body["job_id"] == accepted[0].body["job_id"]),
        "{answers:?}"
    );
    for answer in answers.iter().filter(|answer| answer.status != 202) {
        ensure!(
            answer.status == 409 && !answer.header("retry-after").is_empty(),
            "{answer:?}"
        );
    }
    let id = accepted[0].body["job_id"].as_str().unwrap_or_default();
    ensure!(client.ended(id).await?["attempt"] == 1);
    ensure!(client.get("/api/v1/jobs?limit=1").await?.body["total"] == 1);
    Ok(())
}

#[tokio::test]
async fn a_second_submission_is_told_while_the_first_waits_for_its_job() -> anyhow::Result<()> {
    let (service, data) = crate::start(&["--sync-wait", "20"])?;
    let (client, path, file) = (service.client(), "/api/v1/jobs?sync=true", data.path().join("go"));
    let waiting = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}, "inventory": "waiting,"});
    let first = async { client.post_once(path, "a-key", &waiting).await };
    let second = async {
        while client.get("/api/v1/jobs?status=running&limit=1").await?.body["total"] != 1 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let second = client.post_once(path, "a-key", &waiting).await?;
        std::fs::write(&file, "")?;
        anyhow::Ok(second)
    };
    let (first, second) = tokio::try_join!(first, second)?;
    ensure!(
        second.status == 409 && !second.header("retry-after").is_empty(),
        "{second:?}"
    );
    ensure!(first.status == 200 && first.body["status"] == "successful", "{first:?}");
    let again = client.post_once(path, "a-key", &waiting).await?;
    ensure!(
        (again.status, &again.body["job_id"]) == (first.status, &first.body["job_id"]),
        "{again:?}"
    );
    Ok(())
}

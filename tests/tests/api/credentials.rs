//! `/api/v1/credentials`.

use std::path::Path;

use anyhow::{Context, ensure};
use callboard_tests::Client;
use callboard_tests::client::Answer;
use callboard_tests::contract::credential_store::bodies;
use reqwest::Method;
use serde_json::{Value, json};

const PATH: &str = "/api/v1/credentials";
const CANARY: &str = "c4n4ry-value-that-nobody-is-shown";

#[tokio::test]
async fn a_credential_is_stored_shown_rotated_and_removed() -> anyhow::Result<()> {
    let (service, _data) = crate::start(&[])?;
    let client = service.client();
    ensure!(client.get(PATH).await?.body == json!({"credentials": [], "limit": 20, "next_cursor": null}));
    let body = json!({"name": "prod-db", "kind": "password", "password": "first-value"});
    let created = client.post(PATH, body.to_string()).await?;
    ensure!(
        created.status == 201 && created.header("location") == "/api/v1/credentials/prod-db",
        "{created:?}"
    );
    let summary = created.body;
    assert_eq!(crate::names(&summary), ["name", "kind", "created_at", "updated_at"]);
    ensure!(
        summary["name"] == "prod-db" && summary["kind"] == "password" && summary["created_at"] == summary["updated_at"]
    );
    ensure!(client.get(&format!("{PATH}/prod-db")).await?.body == summary);
    ensure!(client.get(PATH).await?.body["credentials"] == json!([summary]));
    check(&client.post(PATH, body.to_string()).await?, 409, "prod-db")?;

    let rotated = put(
        &client,
        "prod-db",
        &json!({"kind": "password", "password": "second-value"}),
    )
    .await?;
    ensure!(
        rotated.status == 200 && rotated.body["created_at"] == summary["created_at"],
        "{rotated:?}"
    );
    ensure!(
        rotated.body["updated_at"].as_str() > summary["updated_at"].as_str(),
        "{rotated:?}"
    );
    ensure!(client.get(&format!("{PATH}/prod-db")).await?.body == rotated.body);
    let other = put(&client, "prod-db", &json!({"kind": "bearer", "token": "a-token"})).await?;
    check(&other, 409, "not of kind bearer")?;

    let removed = client.delete(&format!("{PATH}/prod-db")).await?;
    ensure!(removed.status == 204 && removed.body.is_null(), "{removed:?}");
    check(&client.get(&format!("{PATH}/prod-db")).await?, 404, "prod-db")?;
    check(&client.delete(&format!("{PATH}/prod-db")).await?, 404, "prod-db")?;
    let gone = put(
        &client,
        "prod-db",
        &json!({"kind": "password", "password": "third-value"}),
    )
    .await?;
    check(&gone, 404, "prod-db")?;
    ensure!(client.post(PATH, body.to_string()).await?.status == 201);
    Ok(())
}

#[tokio::test]
async fn credentials_of_every_kind_are_taken_and_listed_by_name() -> anyhow::Result<()> {
    let (service, _data) = crate::start(&[])?;
    let client = service.client();
    let mut expected = Vec::new();
    for (number, mut body) in bodies().into_iter().enumerate().rev() {
        let name = format!("c{number:02}");
        body["name"] = json!(name);
        let created = client.post(PATH, body.to_string()).await?;
        ensure!(
            created.status == 201 && created.body["kind"] == body["kind"],
            "{number}: {created:?}"
        );
        expected.insert(0, created.body);
    }
    ensure!(client.get(PATH).await?.body["credentials"] == json!(expected));
    check_pages(&client, &expected).await
}

/// Every page leads to the next, in its body and in its header; what is no cursor of the list is refused like any parameter.
async fn check_pages(client: &Client, expected: &[Value]) -> anyhow::Result<()> {
    let (mut found, mut path) = (Vec::new(), format!("{PATH}?limit=4"));
    loop {
        let page = client.get(&path).await?;
        ensure!(page.status == 200 && page.body["limit"] == 4, "{page:?}");
        found.extend(page.body["credentials"].as_array().cloned().unwrap_or_default());
        let next = page.header("link").split(", ").nth(1);
        let Some(cursor) = page.body["next_cursor"].as_str() else {
            ensure!(next.is_none(), "{page:?}");
            break;
        };
        path = format!("{PATH}?limit=4&cursor={cursor}");
        ensure!(
            next == Some(&format!("<{PATH}?limit=4&cursor={cursor}>; rel=\"next\"")),
            "{page:?}"
        );
        ensure!(found.len() < expected.len(), "the pages have no end: {page:?}");
    }
    ensure!(found == expected, "{found:?}");
    for (query, parameter) in [
        ("cursor=x", "cursor"),
        ("cursor=", "cursor"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
    ] {
        let refused = client.get(&format!("{PATH}?{query}")).await?;
        ensure!(
            refused.status == 422 && refused.body["errors"][0]["parameter"] == parameter,
            "{refused:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_value_is_in_no_answer_no_log_line_and_no_file() -> anyhow::Result<()> {
    let (service, data) = crate::start(&[])?;
    let client = service.client();
    let good = json!({"name": "a", "kind": "password", "password": CANARY});
    let bearer = json!({"kind": "bearer", "token": CANARY});
    let mut answers = vec![
        client.post(PATH, good.to_string()).await?,
        client.post(PATH, good.to_string()).await?,
        put(
            &client,
            "a",
            &json!({"kind": "password", "password": format!("{CANARY}-2")}),
        )
        .await?,
        put(&client, "a", &bearer).await?,
        put(&client, "b", &bearer).await?,
        client.get(&format!("{PATH}/a")).await?,
        client.get(PATH).await?,
    ];
    for bad in [
        json!({"name": "c", "kind": "password", "password": CANARY, "user": 1}),
        json!({"name": "c", "kind": "password", "password": format!("{CANARY}\n")}),
        json!({"name": "c", "kind": "password", "password": CANARY.repeat(1000)}),
        json!({"name": "c", "kind": "password", "password": [CANARY]}),
        json!({"name": "c", "kind": CANARY}),
        json!({"name": "c", "kind": "ssh", "private_key": CANARY, "certificate": CANARY}),
        json!({"name": "c", "kind": "header", "header": "X Y", "value": CANARY}),
        json!({"name": "c", "kind": "cloud", "secret_access_key": CANARY, "region": CANARY}),
        json!(CANARY),
    ] {
        answers.push(client.post(PATH, bad.to_string()).await?);
        answers.push(client.post(PATH, bad.to_string().replace('}', "")).await?);
    }
    let refused = answers
        .iter()
        .filter(|answer| answer.status == 422 || answer.status == 400);
    ensure!(refused.count() == 18, "{answers:?}");
    for answer in answers {
        let headers = format!("{:?}", answer.headers);
        ensure!(
            !answer.body.to_string().contains(CANARY) && !headers.contains(CANARY),
            "{answer:?}"
        );
    }
    ensure!(!service.log().contains(CANARY), "the log has the value");
    for file in files(data.path())? {
        let bytes = std::fs::read(&file)?;
        let found = bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
        ensure!(!found, "{} has the value", file.display());
    }
    Ok(())
}

async fn put(client: &Client, name: &str, body: &Value) -> anyhow::Result<Answer> {
    client
        .send(client.request(Method::PUT, &format!("{PATH}/{name}")).json(body))
        .await
}

fn check(answer: &Answer, status: u16, told: &str) -> anyhow::Result<()> {
    ensure!(
        answer.status == status && answer.content_type == "application/problem+json",
        "{answer:?}"
    );
    let detail = answer.body["detail"].as_str().context("a problem has a detail")?;
    ensure!(detail.contains(told), "{detail}");
    Ok(())
}

fn files(folder: &Path) -> anyhow::Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

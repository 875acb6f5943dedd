//! `GET /api/v1/jobs`.

use anyhow::ensure;
use callboard_tests::Client;
use callboard_tests::client::Answer;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::names;

#[tokio::test]
async fn jobs_are_listed_newest_first_by_status_offset_and_cursor() -> anyhow::Result<()> {
    let (service, _data) = crate::start(&[])?;
    let client = service.client();
    let mut ids = Vec::new();
    for number in 0..5 {
        let hello = json!({"playbook": "hello.yml", "inventory": format!("host{number},")});
        ids.insert(0, client.submit(&hello).await?);
    }
    let failing = json!({
        "playbook": "wait_for_file.yml", "inventory": "failing,", "options": {"labels": {"ticket": "OPS-1"}},
    });
    let failed = client.submit(&failing).await?;
    ids.insert(0, failed.clone());
    for id in &ids {
        client.ended(id).await?;
    }

    let all = list(&client, "").await?;
    assert_eq!(ids_of(&all), ids);
    let fields = ["jobs", "total", "total_relation", "limit", "offset", "next_cursor"];
    assert_eq!(names(&all), fields);
    ensure!(
        all["total"] == 6 && all["total_relation"] == "eq" && all["limit"] == 20 && all["offset"] == 0,
        "{all}"
    );
    ensure!(all["next_cursor"].is_null(), "{all}");
    check_item(&client, &all["jobs"][0]).await?;

    let page = list(&client, "?limit=2&offset=3").await?;
    assert_eq!(ids_of(&page), ids[3..5]);
    ensure!(
        page["limit"] == 2 && page["offset"] == 3 && page["total"] == 6,
        "{page}"
    );
    ensure!(page["next_cursor"].is_string(), "{page}");
    let beyond = list(&client, "?offset=1000").await?;
    ensure!(
        ids_of(&beyond).is_empty() && beyond["next_cursor"].is_null() && beyond["total"] == 6,
        "{beyond}"
    );

    let failures = list(&client, "?status=failed").await?;
    assert_eq!(ids_of(&failures), [failed.as_str()]);
    ensure!(failures["total"] == 1, "{failures}");
    ensure!(list(&client, "?status=canceled").await?["total"] == 0);

    assert_eq!(walk(&client, "").await?, ids);
    let successful = ids_of(&list(&client, "?status=successful").await?);
    ensure!(successful.len() == 6 && !successful.contains(&failed));
    assert_eq!(walk(&client, "status=successful&").await?, successful);
    Ok(())
}

/// Goes from page to page by cursor, while another job comes: it belongs to none of the later pages.
async fn walk(client: &Client, filter: &str) -> anyhow::Result<Vec<String>> {
    let mut page = list(client, &format!("?{filter}limit=2")).await?;
    let mut found = ids_of(&page);
    client.run(&json!({"playbook": "hello.yml"})).await?;
    while let Some(cursor) = page["next_cursor"].as_str() {
        let answer = client
            .get(&format!("/api/v1/jobs?{filter}limit=2&cursor={cursor}"))
            .await?;
        check_links(&answer)?;
        page = answer.body;
        found.extend(ids_of(&page));
        ensure!(found.len() < 20, "the pages have no end: {found:?}");
    }
    Ok(found)
}

/// The link to a page leads to it, and the link to the next one has its cursor.
fn check_links(page: &Answer) -> anyhow::Result<()> {
    let links: Vec<&str> = page.header("link").split(", ").collect();
    ensure!(
        links[0].starts_with("</api/v1/jobs?") && links[0].ends_with("; rel=\"self\""),
        "{page:?}"
    );
    match (page.body["next_cursor"].as_str(), links.get(1)) {
        (Some(cursor), Some(next)) => {
            ensure!(next.contains(&format!("cursor={cursor}>; rel=\"next\"")), "{page:?}");
        }
        (cursor, next) => ensure!(cursor.is_none() && next.is_none(), "{page:?}"),
    }
    Ok(())
}

async fn check_item(client: &Client, item: &Value) -> anyhow::Result<()> {
    let record = client.job(item["job_id"].as_str().unwrap_or_default()).await?;
    let fields = [
        "job_id",
        "status",
        "kind",
        "playbook",
        "service",
        "operation",
        "labels",
        "reason",
        "error",
        "created_at",
        "started_at",
        "finished_at",
        "duration_seconds",
        "attempt",
    ];
    assert_eq!(names(item), fields);
    for field in fields
        .into_iter()
        .filter(|field| !["labels", "service", "operation"].contains(field))
    {
        assert_eq!(item[field], record[field], "{field}");
    }
    ensure!(item["labels"] == json!({"ticket": "OPS-1"}), "{item}");
    ensure!(item["labels"] == record["options"]["labels"], "{record}");
    ensure!(item["error"].is_string() && item["duration_seconds"].is_f64(), "{item}");
    Ok(())
}

async fn list(client: &Client, query: &str) -> anyhow::Result<Value> {
    let answer = client.get(&format!("/api/v1/jobs{query}")).await?;
    ensure!(answer.status == StatusCode::OK, "{query}: {answer:?}");
    Ok(answer.body)
}

fn ids_of(page: &Value) -> Vec<String> {
    let jobs = page["jobs"].as_array().into_iter().flatten();
    jobs.filter_map(|job| job["job_id"].as_str().map(str::to_owned))
        .collect()
}

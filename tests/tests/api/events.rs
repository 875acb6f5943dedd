//! `GET /api/v1/jobs/{job_id}/events`.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use callboard_tests::Client;
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Far below the longest `wait`, far above what an answer takes.
const AT_ONCE: Duration = Duration::from_secs(15);

#[tokio::test]
async fn events_are_those_of_ansible_runner_and_account_for_every_line_of_the_log() -> anyhow::Result<()> {
    let (service, _data) = crate::start(&[])?;
    let client = service.client();
    let request = json!({"playbook": "count.yml", "inventory": "a,b,", "extra_vars": {"numbers": 20}});
    let job = client.run(&request).await?;
    let id = job["job_id"].as_str().unwrap_or_default();
    let events = client.events(id).await?;
    let log = String::from_utf8(client.logs(id).await?)?;
    check_chain(&events, id)?;
    check_lines(&events, &log)?;
    let count = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    for (name, expected) in [
        ("playbook_on_start", 1),
        ("playbook_on_play_start", 1),
        ("playbook_on_task_start", 1),
        ("runner_on_start", 2),
        ("runner_item_on_ok", 40),
        ("runner_on_ok", 2),
        ("playbook_on_stats", 1),
    ] {
        ensure!(count(name) == expected, "{} {name}", count(name));
    }
    check_pages(&client, id, &events).await
}

/// Every event has its number, its own id, and a parent that came before it.
fn check_chain(events: &[Value], job: &str) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    for (event, counter) in events.iter().zip(1..) {
        ensure!(event["counter"] == counter && event["runner_ident"] == job, "{event}");
        ensure!(event["pid"].is_u64() && event["event_data"].is_object(), "{event}");
        ensure!(
            event["created"].as_str().is_some_and(|time| time.contains('T')),
            "{event}"
        );
        let parent = event.get("parent_uuid").and_then(Value::as_str);
        ensure!(parent.is_none_or(|parent| seen.contains(parent)), "{event}");
        ensure!(parent.is_some() == (counter > 1), "{event}");
        ensure!(seen.insert(event["uuid"].as_str().unwrap_or_default()), "{event}");
    }
    Ok(())
}

/// The events' lines follow each other, are as many as the log's, and hold its text.
fn check_lines(events: &[Value], log: &str) -> anyhow::Result<()> {
    let lines: Vec<&str> = log.split('\n').collect();
    let mut next = 0;
    for event in events {
        ensure!(event["start_line"] == next, "{event}");
        let end = usize::try_from(event["end_line"].as_u64().unwrap_or_default())?;
        let text = lines[next..end].join("\n");
        ensure!(text.trim_end_matches('\n') == event["stdout"], "{event} {text:?}");
        next = end;
    }
    ensure!(next == log.matches('\n').count(), "{next} lines");
    Ok(())
}

async fn check_pages(client: &Client, id: &str, events: &[Value]) -> anyhow::Result<()> {
    let page = page(client, id, "after=3&limit=7").await?;
    assert_eq!(page["events"].as_array().map(Vec::as_slice), Some(&events[3..10]));
    ensure!(
        page["next_after"] == 10 && page["complete"] == false && page["status"] == "successful",
        "{page}"
    );
    let last = self::page(client, id, &format!("after={}&wait=25", events.len() - 2)).await?;
    ensure!(last["complete"] == true && last["next_after"] == events.len(), "{last}");
    let beyond = self::page(client, id, "after=100000&wait=25").await?;
    ensure!(beyond["complete"] == true && beyond["events"] == json!([]), "{beyond}");
    let first = self::page(client, id, "").await?;
    assert_eq!(
        first["events"].as_array().map(Vec::as_slice),
        Some(&events[..events.len().min(100)])
    );
    Ok(())
}

#[tokio::test]
async fn events_are_filtered_by_kind_by_host_and_by_failure() -> anyhow::Result<()> {
    let (service, _data) = crate::start(&[])?;
    let client = service.client();
    let hosts = json!({
        "good": {"ansible_connection": "local"}, "bad": {"ansible_connection": "local"},
        "dark": {"ansible_host": "127.0.0.1", "ansible_port": 1},
    });
    let inventory = json!({"type": "inline", "data": {"all": {"hosts": hosts}}});
    let job = client
        .run(&json!({"playbook": "features/outcomes.yml", "inventory": inventory}))
        .await?;
    ensure!(job["reason"] == "playbook_failed", "{job}");
    let id = job["job_id"].as_str().unwrap_or_default();
    let all = client.events(id).await?;
    let host = |event: &Value| event["event_data"]["host"].clone();
    let is = |event: &Value, name: &str| event["event"] == name;
    let ignored = |event: &Value| event["event_data"]["ignore_errors"] == true;
    for (query, wanted) in [
        (
            "event=runner_on_ok",
            &(|event: &Value| is(event, "runner_on_ok")) as &dyn Fn(&Value) -> bool,
        ),
        ("event=runner_on_failed&event=playbook_on_stats", &|event| {
            is(event, "runner_on_failed") || is(event, "playbook_on_stats")
        }),
        ("event=runner_on_failed,playbook_on_stats", &|event| {
            is(event, "runner_on_failed") || is(event, "playbook_on_stats")
        }),
        ("host=bad", &|event| host(event) == "bad"),
        ("host=bad&event=runner_on_start", &|event| {
            host(event) == "bad" && is(event, "runner_on_start")
        }),
        ("failed=true", &|event| {
            is(event, "runner_on_unreachable") || (is(event, "runner_on_failed") && !ignored(event))
        }),
        ("failed=True&host=dark", &|event| is(event, "runner_on_unreachable")),
        ("event=runner_on_async_poll", &|_| false),
        ("host=nobody", &|_| false),
    ] {
        let expected: Vec<Value> = all.iter().filter(|event| wanted(event)).cloned().collect();
        let page = page(&client, id, query).await?;
        ensure!(page["events"] == json!(expected), "{query}: {page}");
        ensure!(
            page["complete"] == true && page["next_after"] == all.len(),
            "{query}: {page}"
        );
        let mut after = 0;
        for event in &expected {
            let page = self::page(&client, id, &format!("{query}&limit=1&after={after}")).await?;
            ensure!(
                page["events"] == json!([event]) && page["next_after"] == event["counter"],
                "{query}: {page}"
            );
            after = page["next_after"].as_u64().unwrap_or_default();
        }
    }
    let failed = page(&client, id, "failed=true").await?;
    let failed: Vec<Value> = failed["events"].as_array().into_iter().flatten().map(host).collect();
    assert_eq!(failed, ["bad", "dark"]);
    for bad in [
        "event=",
        "event=runner_on_ok,,verbose",
        "event=runner_on_fail",
        "host=",
        "failed=1",
        "host=a&host=b",
    ] {
        let answer = client.get(&format!("/api/v1/jobs/{id}/events?{bad}")).await?;
        ensure!(answer.status == StatusCode::UNPROCESSABLE_ENTITY, "{bad}: {answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_filtered_long_poll_passes_over_what_it_does_not_want() -> anyhow::Result<()> {
    let (service, data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    let file = data.path().join("go");
    let id = wait_for(&client, &file).await?;
    client
        .until(&id, |job| {
            job["progress"]["current_task"] == "Wait until the file is there"
        })
        .await?;
    let nothing = page(&client, &id, "event=playbook_on_stats&wait=1").await?;
    ensure!(
        nothing["events"] == json!([]) && nothing["complete"] == false,
        "{nothing}"
    );
    ensure!(nothing["next_after"].as_u64() > Some(2), "{nothing}");
    let (found, written) = tokio::join!(
        page(&client, &id, "event=playbook_on_stats&wait=25"),
        tokio::fs::write(&file, "")
    );
    written?;
    let found = found?;
    ensure!(found["events"][0]["event"] == "playbook_on_stats", "{found}");
    Ok(())
}

#[tokio::test]
async fn a_long_poll_answers_as_soon_as_an_event_comes_and_empty_when_none_does() -> anyhow::Result<()> {
    let (service, data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    let (first, second) = (data.path().join("first"), data.path().join("second"));
    let running = wait_for(&client, &first).await?;
    let pending = wait_for(&client, &second).await?;
    let none = page(&client, &pending, "wait=1").await?;
    ensure!(
        none == json!({
            "events": [], "next_after": 0, "cursor": format!("1-0-0-{}", &pending[24..]), "attempt": 0, "next_attempt": null, "status": "pending", "complete": false,
        }),
        "{none}"
    );

    let mut after = 0;
    let silent = loop {
        let page = page(&client, &running, &format!("after={after}&wait=2")).await?;
        if page["events"] == json!([]) {
            break page;
        }
        after = page["next_after"].as_u64().unwrap_or_default();
    };
    ensure!(
        silent["next_after"] == after && silent["status"] == "running" && silent["complete"] == false,
        "{silent}"
    );

    let (of_running, of_pending) = tokio::join!(opened(&client, &running, after, &first), polled(&client, &pending, 0));
    ensure!(of_running?["events"][0]["counter"] == after + 1);
    let begun = of_pending?;
    ensure!(
        begun["events"][0]["event"] == "playbook_on_start" && begun["status"] == "running",
        "{begun}"
    );
    std::fs::write(&second, "")?;
    client.ended(&running).await?;
    client.ended(&pending).await?;
    Ok(())
}

/// Polls, and lets the job go on meanwhile.
async fn opened(client: &Client, id: &str, after: u64, file: &Path) -> anyhow::Result<Value> {
    let (page, written) = tokio::join!(polled(client, id, after), tokio::fs::write(file, ""));
    written?;
    page
}

/// Polls with the longest wait.
async fn polled(client: &Client, id: &str, after: u64) -> anyhow::Result<Value> {
    let started = Instant::now();
    let page = page(client, id, &format!("after={after}&wait=25")).await?;
    ensure!(started.elapsed() < AT_ONCE, "the poll sat out its wait");
    Ok(page)
}

async fn wait_for(client: &Client, file: &Path) -> anyhow::Result<String> {
    let request = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}});
    client.submit(&request).await
}

async fn page(client: &Client, id: &str, query: &str) -> anyhow::Result<Value> {
    let answer = client.get(&format!("/api/v1/jobs/{id}/events?{query}")).await?;
    ensure!(answer.status == StatusCode::OK, "{query}: {answer:?}");
    Ok(answer.body)
}

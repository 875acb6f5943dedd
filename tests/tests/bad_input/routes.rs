//! Playbooks that are not there, ids of no job, bad queries, wrong methods and unknown paths.

use std::os::unix::fs::symlink;

use anyhow::{Context, ensure};
use callboard_tests::{Client, Service, playbooks};
use reqwest::Method;
use serde_json::json;

use crate::{check_problem, check_unharmed};

#[tokio::test]
async fn only_a_file_inside_the_playbooks_folder_is_a_playbook() -> anyhow::Result<()> {
    let root = tempfile::tempdir()?;
    let folder = root.path().join("playbooks");
    std::fs::create_dir_all(folder.join("roles"))?;
    std::fs::copy(playbooks().join("hello.yml"), folder.join("hello.yml"))?;
    std::fs::copy(playbooks().join("hello.yml"), root.path().join("outside.yml"))?;
    symlink(root.path().join("outside.yml"), folder.join("link.yml"))?;
    symlink(root.path(), folder.join("up"))?;
    symlink("nowhere.yml", folder.join("dangling.yml"))?;
    let service = Service::start_with(&root.path().join("data"), &folder, &[])?;
    let client = service.client();
    for (playbook, kind) in [
        ("link.yml", "invalid-request"),
        ("up/outside.yml", "invalid-request"),
        ("up/playbooks/../outside.yml", "invalid-request"),
        ("roles", "invalid-request"),
        (".", "invalid-request"),
        ("missing.yml", "no-such-playbook"),
        ("dangling.yml", "no-such-playbook"),
        ("hello.yml/", "no-such-playbook"),
        ("roles/hello.yml", "no-such-playbook"),
        ("--help", "no-such-playbook"),
        ("hello.yml,", "no-such-playbook"),
    ] {
        let answer = client
            .post("/api/v1/jobs", json!({"playbook": playbook}).to_string())
            .await?;
        check_problem(playbook, &answer, kind, &["/playbook"])?;
        let detail = answer.body["detail"].as_str().unwrap_or_default();
        let named = kind == "invalid-request" || detail.contains(playbook);
        ensure!(named, "the answer does not name {playbook}: {detail}");
    }
    check_unharmed(&service, &client).await
}

#[tokio::test]
async fn unknown_jobs_bad_queries_wrong_methods_and_unknown_paths_are_refused() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let client = service.client();
    unknown_jobs(&client).await?;
    unknown_paths(&client).await?;
    wrong_methods(&client).await?;
    check_unharmed(&service, &client).await?;
    client.run(&json!({"playbook": "hello.yml"})).await?;
    let page = client.get("/api/v1/jobs?limit=1").await?.body;
    let id = page["jobs"][0]["job_id"].as_str().context("a listed job has an id")?;
    let cursor = page["next_cursor"].as_str().context("there is a second page")?;
    bad_queries(&client, id).await?;
    bad_cursors(&client, cursor).await
}

async fn unknown_jobs(client: &Client) -> anyhow::Result<()> {
    for id in [
        "019a0000-0000-7000-8000-000000000000",
        "00000000-0000-0000-0000-000000000000",
        "1",
        "not-a-uuid",
        "019a0000-0000-7000-8000-00000000000g",
        "..%2Fcallboard.db",
        "%00",
        "%ff",
        "%E2%98%83",
    ] {
        for (method, rest) in [
            (Method::GET, ""),
            (Method::GET, "/logs"),
            (Method::GET, "/logs?follow=true"),
            (Method::GET, "/events"),
            (Method::GET, "/events?wait=25"),
            (Method::DELETE, ""),
            (Method::POST, "/cancel"),
            (Method::POST, "/redrive"),
        ] {
            let path = format!("/api/v1/jobs/{id}{rest}");
            let answer = client.send(client.request(method.clone(), &path)).await?;
            check_problem(&format!("{method} {path}"), &answer, "no-such-job", &[])?;
        }
    }
    Ok(())
}

async fn unknown_paths(client: &Client) -> anyhow::Result<()> {
    for path in [
        "/",
        "/api/v1",
        "/api/v1/jobs/",
        "/api/v2/jobs",
        "/health",
        "/openapi.yaml",
        "//api/v1/jobs",
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let answer = client.send(client.request(method.clone(), path)).await?;
            check_problem(&format!("{method} {path}"), &answer, "no-such-route", &[])?;
        }
    }
    Ok(())
}

async fn wrong_methods(client: &Client) -> anyhow::Result<()> {
    let job = "/api/v1/jobs/019a0000-0000-7000-8000-000000000000";
    for (method, path, allow) in [
        (Method::PUT, "/api/v1/jobs", "GET,HEAD,POST"),
        (Method::DELETE, "/api/v1/jobs", "GET,HEAD,POST"),
        (Method::POST, job, "GET,HEAD,DELETE"),
        (Method::PATCH, job, "GET,HEAD,DELETE"),
        (Method::POST, &format!("{job}/logs"), "GET,HEAD"),
        (Method::DELETE, &format!("{job}/events"), "GET,HEAD"),
        (Method::GET, &format!("{job}/cancel"), "POST"),
        (Method::DELETE, &format!("{job}/cancel"), "POST"),
        (Method::POST, "/health/live", "GET,HEAD"),
        (Method::POST, "/health/ready", "GET,HEAD"),
        (Method::PUT, "/openapi.json", "GET,HEAD"),
    ] {
        let answer = client.send(client.request(method.clone(), path)).await?;
        let what = format!("{method} {path}");
        check_problem(&what, &answer, "method-not-allowed", &[])?;
        ensure!(
            answer.header("allow") == allow,
            "{what} allows {}",
            answer.header("allow")
        );
    }
    Ok(())
}

async fn bad_queries(client: &Client, id: &str) -> anyhow::Result<()> {
    let job = format!("/api/v1/jobs/{id}");
    for (path, places) in [
        ("/api/v1/jobs?limit=0", vec!["limit"]),
        (
            "/api/v1/jobs?limit=101&offset=-1&status=done",
            vec!["status", "limit", "offset"],
        ),
        ("/api/v1/jobs?limit=2.5", vec!["limit"]),
        ("/api/v1/jobs?limit=", vec!["limit"]),
        ("/api/v1/jobs?limit=99999999999999999999", vec!["limit"]),
        ("/api/v1/jobs?offset=1001", vec!["offset"]),
        ("/api/v1/jobs?status=failed&status=failed", vec!["status"]),
        ("/api/v1/jobs?dead_letter=maybe", vec!["dead_letter"]),
        ("/api/v1/jobs?service=", vec!["service"]),
        ("/api/v1/jobs?service=a&operation=", vec!["operation"]),
        ("/api/v1/jobs?dead_letter=true&status=failed", vec!["dead_letter"]),
        ("/api/v1/jobs?page=2", vec!["page"]),
        ("/api/v1/jobs?cursor=x&offset=1", vec!["offset", "cursor"]),
        (&format!("{job}?verbose=true"), vec!["verbose"]),
        (&format!("{job}/logs?follow=yes"), vec!["follow"]),
        (&format!("{job}/logs?tail=5"), vec!["tail"]),
        (
            &format!("{job}/events?after=-1&limit=1001&wait=26"),
            vec!["after", "limit", "wait"],
        ),
        (&format!("{job}/events?after=1&after=2"), vec!["after"]),
    ] {
        let answer = client.get(path).await?;
        check_problem(path, &answer, "invalid-query", &places)?;
    }
    let hello = json!({"playbook": "hello.yml"}).to_string();
    for query in ["sync=1", "sync", "sync=", "sync=yes", "wait=5", "sync=true&sync=true"] {
        let answer = client.post(&format!("/api/v1/jobs?{query}"), hello.clone()).await?;
        let name = query.split('=').next().unwrap_or_default();
        check_problem(query, &answer, "invalid-query", &[name])?;
    }
    let query = "playbook=&limit=0&cursor=x&all=true";
    let answer = client.post(&format!("/api/v1/jobs/redrive?{query}"), "").await?;
    check_problem(query, &answer, "invalid-query", &["playbook", "limit", "cursor", "all"])?;
    let answer = client.post(&format!("{job}/cancel?force=true"), "").await?;
    check_problem("cancel", &answer, "invalid-query", &["force"])?;
    ensure!(client.get("/api/v1/jobs").await?.body["total"] == 2);
    Ok(())
}

/// A cursor that was altered, or belongs to another list, or is none.
async fn bad_cursors(client: &Client, cursor: &str) -> anyhow::Result<()> {
    ensure!(client.get(&format!("/api/v1/jobs?cursor={cursor}")).await?.status == 200);
    let other_end = if cursor.ends_with('A') { "B" } else { "A" };
    for bad in [
        String::new(),
        "x".to_owned(),
        "%00".to_owned(),
        "A".repeat(32),
        cursor.to_lowercase(),
        format!("{cursor}A"),
        cursor[1..].to_owned(),
        format!("{}{other_end}", &cursor[..cursor.len() - 1]),
        format!("{cursor}&status=successful"),
        format!("{cursor}&dead_letter=true"),
    ] {
        let path = format!("/api/v1/jobs?cursor={bad}");
        check_problem(&path, &client.get(&path).await?, "invalid-query", &["cursor"])?;
    }
    Ok(())
}

//! The audit log: what is in it, who sees it, and how it tells that somebody has changed it.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, bail, ensure};
use callboard_core::base::id::JobId;
use callboard_tests::program::{Finished, callboard};
use callboard_tests::{Client, Service, wait};
use reqwest::Method;
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};

const AUDIT: &str = "/api/v1/audit";
const KEYS: &str = "/api/v1/keys";
const CREDENTIALS: &str = "/api/v1/credentials";

/// Returns all entries that pass a filter, oldest first.
async fn entries(client: &Client, filter: &str) -> anyhow::Result<Vec<Value>> {
    let answer = client.get(&format!("{AUDIT}?limit=100&{filter}")).await?;
    ensure!(
        answer.status == 200 && answer.body["next_cursor"].is_null(),
        "{answer:?}"
    );
    let entries = answer.body["entries"].as_array().context("entries")?;
    Ok(entries.iter().rev().cloned().collect())
}

/// Returns what an entry says in short: action, problem, caller.
fn told(entry: &Value) -> (&str, &str, &str) {
    let text = |name: &str| entry[name].as_str().unwrap_or("-");
    (text("action"), text("problem"), text("by"))
}

/// Checks the log with the command line; returns the exit code and what it prints.
fn verify(data: &Path) -> anyhow::Result<Finished> {
    Ok(Finished::from(callboard(data)?.args(["verify", "--audit"]).output()?))
}

/// Stores a credential.
async fn store(client: &Client, number: u32) -> anyhow::Result<()> {
    let body = json!({"name": format!("c{number}"), "kind": "password", "password": "a secret"});
    let answer = client.post(CREDENTIALS, body.to_string()).await?;
    ensure!(answer.status == 201, "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn what_is_changed_and_what_is_refused_is_in_the_log_with_who_it_was() -> anyhow::Result<()> {
    let (service, data, key) = crate::start_with_key().await?;
    let admin = service.client().showing(&key);
    let ci = admin
        .make_key(&json!({"name": "ci", "scopes": ["jobs:run[playbook=hello.yml]", "jobs:read[own]"]}))
        .await?;
    let job = ci.submit(&json!({"playbook": "hello.yml"})).await?;
    ci.ended(&job).await?;
    let credential = json!({"name": "c", "kind": "password", "password": "first"}).to_string();
    let value = json!({"kind": "password", "password": "other"}).to_string();
    let one = format!("{CREDENTIALS}/c");
    for (client, method, path, body, status) in [
        (&admin, Method::POST, CREDENTIALS, &*credential, 201),
        (&admin, Method::POST, CREDENTIALS, &credential, 409),
        (&admin, Method::PUT, &one, &value, 200),
        (&ci, Method::DELETE, &one, "", 403),
        (&ci, Method::POST, "/api/v1/jobs", r#"{"playbook": "count.yml"}"#, 403),
        (&admin, Method::POST, "/api/v1/jobs", r#"{"playbok": "x"}"#, 422),
        (&admin, Method::DELETE, &format!("/api/v1/jobs/{job}"), "", 409),
        (&ci, Method::GET, AUDIT, "", 403),
        (&service.client(), Method::GET, "/api/v1/jobs", "", 401),
        (&admin, Method::DELETE, &one, "", 204),
        // what asks and is let in is no entry, nor is what is not there
        (&admin, Method::GET, "/api/v1/jobs", "", 200),
        (&admin, Method::GET, &one, "", 404),
        (&admin, Method::POST, "/api/v1/jobs/redrive", "", 200),
    ] {
        let request = client
            .request(method.clone(), path)
            .header("content-type", "application/json");
        let answer = client.send(request.body(body.to_owned())).await?;
        ensure!(answer.status == status, "{method} {path} {body}: {answer:?}");
    }
    let all = entries(&admin, "").await?;
    // while the service finds out that there is a key, the test asks without one
    let first = all
        .iter()
        .position(|entry| told(entry) == ("key.create", "-", "key:admin"));
    let listed: Vec<_> = all.iter().skip(first.context("the second key")?).map(told).collect();
    assert_eq!(
        listed,
        [
            ("key.create", "-", "key:admin"),
            ("job.submit", "-", "key:ci"),
            ("credential.create", "-", "key:admin"),
            ("credential.create", "credential-exists", "key:admin"),
            ("credential.replace", "-", "key:admin"),
            ("credential.delete", "forbidden", "key:ci"),
            ("job.submit", "forbidden", "key:ci"),
            ("job.submit", "invalid-request", "key:admin"),
            ("job.cancel", "job-ended", "key:admin"),
            ("audit.read", "forbidden", "key:ci"),
            ("job.read", "unauthenticated", "-"),
            ("credential.delete", "-", "key:admin"),
        ]
    );
    let of_job = entries(&admin, &format!("object={job}")).await?;
    assert_eq!(of_job.iter().map(told).collect::<Vec<_>>(), [listed[1], listed[8]]);
    let record = ci.job(&job).await?;
    for (name, expected) in [
        ("by", "submitted_by"),
        ("source_ip", "source_ip"),
        ("request_id", "request_id"),
    ] {
        ensure!(
            of_job[0][name] == record[expected] && record[expected].is_string(),
            "{name}: {of_job:?}"
        );
    }
    for (filter, count) in [
        ("action=credential.*", 5),
        ("action=credential.delete&outcome=refused", 1),
        ("by=key:ci&outcome=done", 1),
        ("object=c&outcome=done", 3),
        ("since=2999-01-01T00:00:00Z", 0),
        ("until=2000-01-01T00:00:00Z", 0),
    ] {
        let found = entries(&admin, filter).await?;
        ensure!(found.len() == count, "{filter}: {found:?}");
    }
    for wrong in [
        "action=job.cancle",
        "outcome=ok",
        "since=today",
        "tenant=%20",
        "limit=0",
        "who=me",
    ] {
        let answer = admin.get(&format!("{AUDIT}?{wrong}")).await?;
        ensure!(answer.status == 422, "{wrong}: {answer:?}");
    }
    let listed = callboard(data.path())?
        .args(["audit", "--object", "c", "--outcome", "refused"])
        .output()?;
    let line: Value = serde_json::from_str(Finished::from(listed).stdout.trim())?;
    ensure!(told(&line) == ("credential.delete", "forbidden", "key:ci"), "{line}");
    let found = verify(data.path())?;
    ensure!(found.code == 0 && found.stdout.contains("in 1 chain,"), "{found:?}");
    Ok(())
}

#[tokio::test]
async fn pages_lead_to_one_another_and_to_no_other_tenant_s_entries() -> anyhow::Result<()> {
    let (service, _data, key) = crate::start_with_key().await?;
    let operator = service.client().showing(&key);
    let web = operator
        .make_key(&json!({"name": "web", "scopes": ["admin"], "tenant": "web"}))
        .await?;
    for number in 0..5 {
        store(&web, number).await?;
    }
    let (mut path, mut names) = (format!("{AUDIT}?limit=2&action=credential.*"), Vec::new());
    loop {
        let page = web.get(&path).await?;
        let found = page.body["entries"].as_array().context("entries")?;
        names.extend(
            found
                .iter()
                .filter_map(|entry| entry["object"].as_str().map(str::to_owned)),
        );
        let link = page.header("link").to_owned();
        let Some(next) = link.split(", ").find(|link| link.ends_with("rel=\"next\"")) else {
            break;
        };
        next.trim_start_matches('<')
            .split('>')
            .next()
            .context("a target")?
            .clone_into(&mut path);
    }
    assert_eq!(names, ["c4", "c3", "c2", "c1", "c0"]);
    ensure!(web.get(&format!("{AUDIT}?tenant=default")).await?.status == 422);
    ensure!(entries(&operator, "action=credential.*").await?.is_empty());
    assert_eq!(entries(&operator, "tenant=web&action=credential.*").await?.len(), 5);
    Ok(())
}

/// What callers send in places where it does not belong reaches no entry.
#[tokio::test]
async fn no_key_no_token_and_no_value_of_a_credential_is_in_an_entry() -> anyhow::Result<()> {
    let (service, data, key) = crate::start_with_key().await?;
    let admin = service.client().showing(&key);
    let (value, token) = ("canary-7d1f", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjYW5hcnkifQ.c2ln");
    let credential = json!({"name": "c", "kind": "password", "password": value}).to_string();
    ensure!(admin.post(CREDENTIALS, credential.clone()).await?.status == 201);
    let nobody = admin
        .make_key(&json!({"name": "reader", "scopes": ["jobs:read"]}))
        .await?;
    let (job, made) = (
        admin.submit(&json!({"playbook": "hello.yml"})).await?,
        admin.get(KEYS).await?,
    );
    ensure!(made.status == 200);
    for secret in [&*key, value, token] {
        for client in [&admin, &nobody, &admin.showing(token), &admin.showing(value)] {
            for (method, path) in [
                (Method::DELETE, format!("{CREDENTIALS}/{secret}")),
                (Method::PUT, format!("{CREDENTIALS}/{secret}")),
                (Method::DELETE, format!("{KEYS}/{secret}")),
                (Method::POST, format!("/api/v1/jobs/{secret}/cancel")),
                (
                    Method::POST,
                    format!("/api/v1/services/{secret}/operations/{secret}/test"),
                ),
                (Method::POST, format!("/api/v1/jobs?token={secret}")),
                (Method::DELETE, format!("/api/v1/jobs/{job}?key={secret}")),
                (Method::GET, format!("{AUDIT}?by={secret}")),
            ] {
                let request = client
                    .request(method, &path)
                    .header("content-type", "application/json")
                    .header("x-request-id", secret.replace(value, "request"))
                    .header("idempotency-key", secret)
                    .header("user-agent", secret)
                    .header("forwarded", format!("for=\"{secret}\""));
                client
                    .send(request.body(json!({"name": secret, "password": secret}).to_string()))
                    .await?;
            }
        }
    }
    let database = Connection::open(data.path().join("callboard.db"))?;
    let mut statement = database.prepare("SELECT * FROM audit")?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        count += 1;
        let text = format!("{row:?}");
        for secret in [&key[4..], value, token] {
            ensure!(!text.contains(secret), "{secret}: {text}");
        }
    }
    ensure!(count > 50, "only {count} entries");
    Ok(())
}

#[tokio::test]
async fn a_flood_of_refusals_does_not_fill_the_log_and_is_counted() -> anyhow::Result<()> {
    let (service, _data, key) = crate::start_with_key().await?;
    let admin = service.client().showing(&key);
    for _ in 0..60 {
        let status = admin.showing("cbk_wrong").get("/api/v1/jobs").await?.status;
        ensure!(status == 401 || status == 429, "{status}");
    }
    let body = json!({"name": "after", "scopes": ["jobs:read"]});
    ensure!(admin.post(KEYS, body.to_string()).await?.status == 201);
    let refused = entries(&admin, "outcome=refused").await?.len();
    let left_out = entries(&admin, "action=key.create&by=key:admin").await?[0]["left_out"].as_u64();
    // the test has asked without a key before, and a minute may have passed
    ensure!((20..=40).contains(&refused), "{refused} entries");
    ensure!(
        left_out.is_some_and(|left_out| left_out + refused as u64 >= 60),
        "{left_out:?} and {refused}"
    );
    Ok(())
}

/// A caller cannot fill the log, nor hide behind its own refusals what the service failed to do.
#[tokio::test]
async fn what_failed_is_in_the_log_behind_a_flood_of_a_caller_s_wrong_requests() -> anyhow::Result<()> {
    let (service, data, key) = crate::start_with_key().await?;
    let admin = service.client().showing(&key);
    let web = json!({"name": "ci", "scopes": ["jobs:*"], "tenant": "web"});
    let ci = admin.make_key(&web).await?;
    let job = ci.submit(&json!({"playbook": "hello.yml"})).await?;
    ci.ended(&job).await?;
    for _ in 0..50 {
        let status = ci.post("/api/v1/jobs", r#"{"playbok": "x"}"#).await?.status;
        ensure!(status == 422, "{status}");
    }
    let database = Connection::open(data.path().join("callboard.db"))?;
    let id: JobId = job.parse()?;
    let changed = database.execute("UPDATE jobs SET request = '{' WHERE id = ?1", [id.as_bytes()])?;
    ensure!(changed == 1);
    let answer = ci.post(&format!("/api/v1/jobs/{job}/cancel"), "").await?;
    ensure!(answer.status == 500, "{answer:?}");
    let refused = entries(&admin, "tenant=web&outcome=refused").await?.len() as u64;
    // a minute may have passed
    ensure!((20..=40).contains(&refused), "{refused} entries");
    let failed = entries(&admin, "tenant=web&outcome=failed").await?;
    let [failed] = &failed[..] else {
        bail!("{failed:?}");
    };
    ensure!(told(failed) == ("job.cancel", "damaged", "key:ci"), "{failed}");
    ensure!(failed["status"] == 500 && failed["object"] == job, "{failed}");
    ensure!(failed["left_out"] == 50 - refused, "{failed}, and {refused}");
    Ok(())
}

/// Nobody escapes the log by hanging up.
#[tokio::test]
async fn what_nobody_waits_for_is_in_the_log_and_a_wait_for_a_job_ends() -> anyhow::Result<()> {
    let (service, _data, key) = crate::start_with_key().await?;
    let admin = service.client().showing(&key);
    let request = admin
        .request(Method::POST, "/api/v1/jobs?sync=true")
        .header("content-type", "application/json")
        .body(json!({"playbook": "sleep.yml", "extra_vars": {"seconds": 60}}).to_string());
    let asked = tokio::spawn(request.send());
    wait::until_async("the job is there", async || {
        Ok(admin.get("/api/v1/jobs").await?.body["total"] == 1)
    })
    .await?;
    asked.abort();
    wait::until_async("the entry is there", async || {
        Ok(entries(&admin, "action=job.submit").await?.len() == 1)
    })
    .await?;
    Ok(())
}

/// Two processes write, and one is killed; the chain is whole.
#[tokio::test]
async fn the_service_the_command_line_and_a_kill_leave_one_whole_chain() -> anyhow::Result<()> {
    let (mut service, data, key) = crate::start_with_key().await?;
    let admin = service.client().showing(&key);
    let make = |name: &str| {
        let mut command = callboard(data.path())?;
        command.args(["keys", "create", "--name", name, "--scope", "jobs:read"]);
        anyhow::Ok(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
    };
    let mut others = vec![make("one")?, make("two")?];
    for number in 0..30 {
        if number % 10 == 0 {
            others.push(make(&format!("made-{number}"))?);
        }
        store(&admin, number).await?;
    }
    let flood = tokio::spawn(async move {
        for number in 30.. {
            if store(&admin, number).await.is_err() {
                break;
            }
        }
    });
    let beside = service.client().showing(&key);
    wait::until_async("the flood has begun", async || {
        Ok(beside.get(&format!("{CREDENTIALS}/c50")).await?.status == 200)
    })
    .await?;
    service.signal(Signal::KILL)?;
    service.wait()?;
    flood.await?;
    for mut other in others {
        ensure!(other.wait()?.success());
    }
    let service = Service::start_in(data.path(), &[])?;
    let admin = service.client().showing(&key);
    ensure!(admin.delete(&format!("{CREDENTIALS}/c0")).await?.status == 204);
    let by_hand = entries(&admin, "action=key.create").await?;
    let by_hand = by_hand
        .iter()
        .filter(|entry| entry["by"].as_str().is_some_and(|by| by.starts_with("cli:")));
    assert_eq!(by_hand.count(), 5);
    let found = verify(data.path())?;
    ensure!(found.code == 0 && found.stdout.contains("in 1 chain,"), "{found:?}");
    Ok(())
}

#[tokio::test]
async fn whoever_changes_the_log_is_noticed_in_the_data_folder_and_in_a_copy() -> anyhow::Result<()> {
    let (service, data, key) = crate::start_with_key().await?;
    let admin = service.client().showing(&key);
    for number in 0..6 {
        store(&admin, number).await?;
    }
    drop(service);
    let file = data.path().join("callboard.db");
    let read = || {
        let database = Connection::open(&file)?;
        let mut statement = database.prepare("SELECT entry FROM audit ORDER BY number")?;
        let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
        anyhow::Ok(lines.collect::<Result<Vec<_>, _>>()?)
    };
    let lines = read()?;
    let last = lines.len();
    let copy = data.path().join("copy");
    std::fs::create_dir(&copy)?;
    let check_copy = |lines: &[String]| {
        std::fs::write(copy.join("audit.jsonl"), lines.join("\n"))?;
        anyhow::Ok(Finished::from(
            callboard(data.path())?
                .args(["verify", "--audit"])
                .arg(&copy)
                .output()?,
        ))
    };
    let whole = check_copy(&lines)?;
    ensure!(whole.code == 0, "{whole:?}");
    let without: Vec<String> = lines.iter().filter(|line| **line != lines[last - 3]).cloned().collect();
    let missing = check_copy(&without)?;
    ensure!(
        missing.code == 2 && missing.stdout.contains(&format!("entry {} of", last - 2)),
        "{missing:?}"
    );

    ensure!(missing.stdout.contains("--partial"), "{missing:?}");
    let check_part = || {
        let mut command = callboard(data.path())?;
        command.args(["verify", "--partial", "--audit"]).arg(&copy);
        anyhow::Ok(Finished::from(command.output()?))
    };
    let part = check_part()?;
    ensure!(
        part.code == 0 && part.stdout.contains("1 entry between them is not there"),
        "{part:?}"
    );
    check_copy(&[&without[..2], &[without[3].replace("key:admin", "key:other")]].concat())?;
    let part = check_part()?;
    ensure!(part.code == 2 && part.stdout.contains("changed"), "{part:?}");

    let change = format!("UPDATE audit SET entry = json_set(entry, '$.by', 'key:other') WHERE number = {last}");
    Connection::open(&file)?.execute_batch(&change)?;
    let changed = verify(data.path())?;
    ensure!(changed.code == 2, "{changed:?}");
    ensure!(changed.stdout.contains(&format!("entry {last} of")), "{changed:?}");
    Ok(())
}

//! Answers as callers read them, kept as snapshots: the kinds of problems that a request can meet, but for those of bodies
//! that are too large or too slow (see `attack`), and the records of jobs.

use std::fmt::Write;

use anyhow::ensure;
use callboard_tests::Service;
use callboard_tests::raw::{Reply, ask, request};
use serde_json::{Value, json};

/// The headers of problems that callers act on.
const HEADERS: [&str; 5] = ["content-type", "retry-after", "allow", "accept-ranges", "content-range"];
const HOST: &str = "Host: localhost";
const JSON: &str = "Content-Type: application/json";

/// A request, and the kind of problem that it meets.
struct Case {
    kind: &'static str,
    line: String,
    headers: Vec<String>,
    body: String,
}

impl Case {
    fn new(kind: &'static str, line: impl Into<String>) -> Self {
        Self {
            kind,
            line: line.into(),
            headers: vec![HOST.to_owned()],
            body: String::new(),
        }
    }

    fn submits(kind: &'static str, body: &impl ToString) -> Self {
        Self::new(kind, "POST /api/v1/jobs").header(JSON).body(body)
    }

    fn header(mut self, line: &str) -> Self {
        self.headers.push(line.to_owned());
        self
    }

    fn only_header(mut self, line: &str) -> Self {
        self.headers = vec![line.to_owned()];
        self
    }

    fn body(mut self, body: &impl ToString) -> Self {
        self.body = body.to_string();
        let length = format!("Content-Length: {}", self.body.len());
        self.header(&length)
    }

    fn bytes(&self) -> Vec<u8> {
        let headers: Vec<&str> = self.headers.iter().map(String::as_str).collect();
        request(&format!("{} HTTP/1.1", self.line), &headers, self.body.as_bytes())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_problem_is_told_as_callers_know_it() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&["--max-queued", "1", "--workers", "1"])?;
    let (client, address) = (service.client(), service.address()?);
    let ended = client.run(&json!({"playbook": "nothing.yml"})).await?;
    let ended = ended["job_id"].as_str().unwrap_or_default();
    for (body, key) in [(json!({"playbook": "hello.yml"}), "used"), (sleeps(), "runs")] {
        let answer = client.post_once("/api/v1/jobs", key, &body).await?;
        ensure!(answer.status == 202, "{answer:?}");
        let id = answer.body["job_id"].as_str().unwrap_or_default();
        client.until(id, |job| job["status"] != "pending").await?;
    }
    ensure!(
        client
            .post("/api/v1/credentials", password("a").to_string())
            .await?
            .status
            == 201
    );
    ensure!(client.post("/api/v1/jobs", sleeps().to_string()).await?.status == 202);

    let mut told = String::new();
    for case in cases(ended) {
        let reply = ask(address, case.bytes()).await?;
        ensure!(reply.problem() == case.kind, "{}: {reply:?}", case.kind);
        write!(told, "{}", section(&case, &reply).replace(ended, "ENDED"))?;
    }
    insta::assert_snapshot!("problems", told);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_have_the_form_that_callers_know() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&["--workers", "1"])?;
    let client = service.client();
    let running = client.submit(&sleeps()).await?;
    client
        .until(&running, |job| job["progress"]["current_task"].is_string())
        .await?;
    let waiting = client
        .submit(&json!({"playbook": "hello.yml", "options": {"tags": ["a"]}}))
        .await?;
    let mut told = record("waiting", client.job(&waiting).await?)?;
    told += &record("running", client.job(&running).await?)?;
    client.delete(&format!("/api/v1/jobs/{running}")).await?;
    told += &record("canceled", client.ended(&running).await?)?;
    told += &record("successful", client.ended(&waiting).await?)?;
    told += &record("failed", client.run(&fails()).await?)?;
    told += &record("list", client.get("/api/v1/jobs?limit=1").await?.body)?;
    insta::assert_snapshot!("records", told);
    Ok(())
}

fn sleeps() -> Value {
    json!({"playbook": "sleep.yml"})
}

fn fails() -> Value {
    let tasks = json!([{"name": "Check the disk", "ansible.builtin.command": "false"}]);
    let plays = json!([{"hosts": "all", "gather_facts": false, "tasks": tasks}]);
    json!({"source": {"type": "inline", "content": plays.to_string()}})
}

fn password(name: &str) -> Value {
    json!({"name": name, "kind": "vault", "password": "of a vault"})
}

fn cases(ended: &str) -> Vec<Case> {
    let job = format!("/api/v1/jobs/{ended}");
    let none = "/api/v1/jobs/01a227cc-ae10-70dc-9a54-f6329e4ad8cb";
    let hello = json!({"playbook": "hello.yml"});
    let wrong = json!({"playbok": "hello.yml", "options": {"forks": 0, "tags": "web"}, "inventory": 7});
    vec![
        Case::submits("malformed-request", &"no chunk\r\n")
            .only_header("Host: localhost\r\nTransfer-Encoding: chunked")
            .header(JSON),
        Case::submits("not-json", &"{\"playbook\": "),
        Case::submits("invalid-header", &hello).header("Idempotency-Key: "),
        Case::new("invalid-query", "GET /api/v1/jobs?limit=0&status=done&colour=blue"),
        Case::submits("invalid-request", &wrong),
        Case::submits("no-such-playbook", &json!({"playbook": "missing.yml"})),
        Case::submits("idempotency-key-reused", &hello).header("Idempotency-Key: runs"),
        Case::new("unsupported-media-type", "POST /api/v1/jobs").body(&hello),
        Case::new("host-not-allowed", "GET /api/v1/jobs").only_header("Host: attacker.example"),
        Case::submits("origin-not-allowed", &hello).header("Origin: https://attacker.example"),
        Case::new("no-such-job", format!("GET {none}")),
        Case::new("no-such-attempt", format!("GET {job}/logs?attempt=7")),
        Case::new("no-such-credential", "GET /api/v1/credentials/missing"),
        Case::new("no-such-route", "GET /api/v2/jobs"),
        Case::new("method-not-allowed", "PATCH /api/v1/jobs"),
        Case::new("job-ended", format!("DELETE {job}")),
        Case::new("job-not-waiting", format!("POST {job}/redrive")),
        Case::new("credential-exists", "POST /api/v1/credentials")
            .header(JSON)
            .body(&password("a")),
        Case::new("range-not-satisfiable", format!("GET {job}/logs")).header("Range: bytes=900000-"),
        Case::submits("queue-full", &hello),
    ]
}

fn section(case: &Case, reply: &Reply) -> String {
    let mut text = format!("## {}\n{}\n{}\n", case.kind, case.line, reply.status);
    for name in HEADERS {
        if !reply.header(name).is_empty() {
            text += &format!("{name}: {}\n", reply.header(name));
        }
    }
    text + &format!("{:#}\n\n", stable(reply.body.clone()))
}

fn record(title: &str, record: Value) -> anyhow::Result<String> {
    ensure!(record.is_object(), "{title}: {record}");
    let canceled_at = record["cancel"]["at"].as_str().unwrap_or("never").to_owned();
    let text = format!("## {title}\n{:#}\n\n", stable(record));
    Ok(text.replace(&canceled_at, "TIME"))
}

/// Replaces what differs from run to run: ids, times, amounts.
fn stable(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                let kind = match (name.as_str(), &*field) {
                    (_, Value::Null) => None,
                    ("job_id" | "request_id", _) => Some("ID"),
                    ("stdout", _) => Some("OUTPUT"),
                    ("stdout_url", _) => Some("URL"),
                    ("next_cursor", _) => Some("CURSOR"),
                    ("at", _) => Some("TIME"),
                    ("segments", _) => Some("AMOUNT"),
                    (name, _) if name.ends_with("_at") || name == "since" => Some("TIME"),
                    (name, _) if name.ends_with("_sha256") => Some("HASH"),
                    (name, _) if name.ends_with("_seconds") || name.ends_with("_bytes") => Some("AMOUNT"),
                    _ => None,
                };
                *field = kind.map_or_else(|| stable(field.take()), Value::from);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = stable(item.take())),
        _ => {}
    }
    value
}

//! Bodies that fill memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::ensure;
use callboard_tests::processes::peak_kib;
use callboard_tests::raw::{allow_connections, ask, connect, request, submission};
use callboard_tests::{Client, Service};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

const MAX_BODY: usize = 6 * 1024 * 1024;
const BODIES: usize = 250;
const OBJECTS: usize = 2_000_000;
/// What the service may take at most, in KiB, built without optimization. Without bounds, it takes some gigabytes.
const MEMORY_KIB: u64 = 200 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_large_bodies_takes_bounded_memory_and_small_ones_are_taken_meanwhile() -> anyhow::Result<()> {
    allow_connections(2048)?;
    let (service, data) = Service::start(&["--workers", "1"])?;
    let (address, client) = (service.address()?, service.client());
    // the only worker is busy, so that what is accepted waits
    let file = data.path().join("never");
    client
        .submit(&json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}}))
        .await?;
    let whole = |filler: usize| json!({"playbook": "nothing.yml", "extra_vars": {"a": "x".repeat(filler)}}).to_string();
    let body = submission(whole(MAX_BODY - whole(0).len()).as_bytes());
    let objects = vec!["{}"; OBJECTS].join(",");
    let objects =
        submission(format!(r#"{{"playbook": "nothing.yml", "extra_vars": {{"a": [{objects}]}}}}"#).as_bytes());
    let many = vec![r#"{"a":0}"#; 49_000].join(",");
    let many = submission(format!(r#"{{"playbook": "nothing.yml", "extra_vars": {{"a": [{many}]}}}}"#).as_bytes());
    let (mut storm, over) = (JoinSet::new(), AtomicBool::new(false));
    for _ in 0..BODIES {
        let body = body.clone();
        storm.spawn(async move { ask(address, body).await });
    }
    let answers = async {
        let mut taken = 0;
        while let Some(answer) = storm.join_next().await {
            let answer = answer??;
            let told = (
                answer.status,
                answer.problem(),
                !answer.header("retry-after").is_empty(),
            );
            ensure!(
                told == (202, "", false) || told == (503, "too-many-bodies", true),
                "{answer:?}"
            );
            taken += usize::from(answer.status == 202);
        }
        ensure!(taken > 0 && taken < BODIES, "{taken} of {BODIES} are taken");
        for _ in 0..20 {
            let answer = ask(address, objects.clone()).await?;
            ensure!(answer.status == 400 && answer.problem() == "not-json", "{answer:?}");
        }
        for _ in 0..20 {
            let answer = ask(address, many.clone()).await?;
            ensure!(answer.status == 202, "{answer:?}");
        }
        over.store(true, Ordering::Relaxed);
        anyhow::Ok(())
    };
    tokio::try_join!(answers, ask_meanwhile(&client, &over))?;
    let peak = peak_kib(service.pid())?;
    println!("at most {peak} KiB");
    ensure!(peak < MEMORY_KIB, "the service has taken {peak} KiB");
    Ok(())
}

/// Asks for health and submits small jobs until the storm is over.
async fn ask_meanwhile(client: &Client, over: &AtomicBool) -> anyhow::Result<()> {
    let mut asked = 0;
    while asked == 0 || !over.load(Ordering::Relaxed) {
        ensure!(client.get("/health/live").await?.status == 200);
        client.submit(&json!({"playbook": "nothing.yml"})).await?;
        asked += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("asked {asked} times meanwhile");
    Ok(())
}

#[tokio::test]
async fn a_body_takes_room_for_its_size_and_only_until_it_is_stored() -> anyhow::Result<()> {
    let (service, data) = Service::start(&["--workers", "1", "--sync-wait", "3600"])?;
    let (address, json) = (service.address()?, "Content-Type: application/json");
    let chunked = |line: &str, body: &str| {
        let body = format!("{:x}\r\n{body}\r\n", body.len());
        request(
            line,
            &["Host: localhost", json, "Transfer-Encoding: chunked"],
            body.as_bytes(),
        )
    };
    // of unknown length, small so far, and never ended
    let line = "POST /api/v1/jobs HTTP/1.1";
    let mut open = Vec::new();
    for _ in 0..4 {
        let mut stream = connect(address).await?;
        stream.write_all(&chunked(line, "{\"playbook\":")).await?;
        open.push(stream);
    }
    // large ones whose jobs do not end
    let file = data.path().join("never");
    let long = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file, "a": "x".repeat(5_000_000)}});
    let body = long.to_string();
    let length = format!("Content-Length: {}", body.len());
    let line = "POST /api/v1/jobs?sync=true HTTP/1.1";
    let waiting = request(line, &["Host: localhost", json, &length], body.as_bytes());
    for jobs in 1..=2 {
        open.push(taken(&service, &waiting, jobs).await?);
    }
    // a job is in the list a moment before its body gives back its room
    while ask(address, submission(body.as_bytes())).await?.status != 202 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Submits a job that does not end, and waits until the service has so many. A body before it may still hold its room: then it is
/// refused, and sent again.
async fn taken(service: &Service, submission: &[u8], jobs: usize) -> anyhow::Result<TcpStream> {
    loop {
        let mut stream = connect(service.address()?).await?;
        stream.write_all(submission).await?;
        let refused = loop {
            if service.client().get("/api/v1/jobs").await?.body["total"] == jobs {
                break false;
            }
            if timeout(Duration::from_millis(20), stream.readable()).await.is_ok() {
                break true;
            }
        };
        if !refused {
            return Ok(stream);
        }
    }
}

#[tokio::test]
async fn what_a_head_says_of_its_body_is_not_believed() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let json = "Content-Type: application/json";
    let body = br#"{"playbook": "nothing.yml"}"#;
    let chunked = |size: &str, data: &str| format!("{size}\r\n{data}\r\n0\r\n\r\n").into_bytes();
    let too_long = "x".repeat(MAX_BODY + 1);
    let cases: [(&str, Vec<u8>, u16); 9] = [
        ("Content-Length: 27", body.to_vec(), 202),
        (
            "Transfer-Encoding: chunked",
            chunked("1b", "{\"playbook\": \"nothing.yml\"}"),
            202,
        ),
        ("Content-Length: 7000000000", Vec::new(), 413),
        ("Content-Length: 99999999999999999999999999", Vec::new(), 400),
        ("Content-Length: -1", Vec::new(), 400),
        ("Content-Length: 26", body.to_vec(), 400),
        ("Content-Length: 27\r\nContent-Length: 28", body.to_vec(), 400),
        ("Transfer-Encoding: chunked", chunked("600001", &too_long), 413),
        ("Transfer-Encoding: chunked", chunked("fffffffffffffffff", "{}"), 400),
    ];
    for (length, body, status) in cases {
        let head = request("POST /api/v1/jobs HTTP/1.1", &["Host: localhost", json, length], &body);
        let answer = ask(service.address()?, head).await?;
        ensure!(answer.status == status, "{length}: {answer:?}");
    }
    ensure!(service.client().get("/api/v1/jobs").await?.body["total"] == 2);
    Ok(())
}

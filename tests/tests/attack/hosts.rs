//! Whom a request names, and whose page it comes from.

use std::net::SocketAddr;

use anyhow::ensure;
use callboard_tests::Service;
use callboard_tests::raw::{ask, request};

/// A name and an origin that the operator lists.
const LISTED: &[&str] = &[
    "--allowed-host",
    "jobs.example.com",
    "--allowed-origin",
    "https://console.example.com",
];
/// What a service on a loopback address is asked as.
const OURS: &[&str] = &[
    "localhost",
    "LocalHost:8080",
    "127.0.0.1",
    "127.9.8.7:65535",
    "[::1]:8080",
    "[0:0:0:0:0:0:0:1]",
    "jobs.example.com",
    "Jobs.Example.Com:443",
];
/// What another name is that leads to a loopback address, or looks like one.
const OTHERS: &[&str] = &[
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "127.0.0.1.nip.io:8080",
    "localtest.me",
    "notlocalhost",
    "localhost.",
    "xjobs.example.com",
    "jobs.example.com.evil.example",
    "192.0.2.1",
    "0.0.0.0",
    "127.1",
    "2130706433",
    "0x7f000001",
    "017700000001",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[2001:db8::1]",
];
/// What is no host at all.
const NONE: &[&str] = &[
    "",
    "localhost@evil.example",
    "evil.example@localhost",
    "user:secret@localhost",
    "localhost, evil.example",
    "localhost evil.example",
    "localhost:8080:8080",
    "localhost:99999",
    "localhost:-1",
    "localhost/",
    "localhost#evil.example",
    "http://localhost",
    "::1",
    "[::1",
    "local\u{e9}host",
];
/// Pages that may ask: the service's own, under the name that it is asked by, and that of the listed origin.
const OWN_ORIGINS: &[(&str, &str)] = &[
    ("localhost:8080", "http://localhost:8080"),
    ("localhost", "http://localhost"),
    ("localhost:80", "HTTP://LOCALHOST"),
    ("[::1]:8080", "http://[::1]:8080"),
    ("jobs.example.com", "https://jobs.example.com"),
    ("jobs.example.com:443", "https://jobs.example.com"),
    ("127.0.0.1:8080", "https://console.example.com"),
];
/// Pages that may not.
const OTHER_ORIGINS: &[(&str, &str)] = &[
    ("localhost:8080", "null"),
    ("localhost:8080", ""),
    ("localhost:8080", "http://evil.example"),
    ("localhost:8080", "http://localhost"),
    ("localhost:8080", "http://localhost:3000"),
    ("localhost:8080", "http://localhost:8080.evil.example"),
    ("localhost:8080", "http://localhost:8080@evil.example"),
    ("localhost:8080", "http://evil.example#localhost:8080"),
    ("localhost:8080", "http://evil.example/localhost:8080"),
    ("localhost:8080", "http://127.0.0.1:8080"),
    ("localhost:8080", "localhost:8080"),
    ("localhost:8080", "file://localhost:8080"),
    ("localhost:8080", "chrome-extension://localhost:8080"),
    ("localhost:8080", "http://localhost:8080, http://localhost:8080"),
    ("jobs.example.com", "https://console.example.com:444"),
    ("jobs.example.com", "http://console.example.com"),
    ("jobs.example.com", "https://console.example.com.evil.example"),
];
const BODY: &[u8] = br#"{"playbook": "nothing.yml"}"#;

#[tokio::test]
async fn on_a_loopback_address_only_this_machine_s_own_names_and_listed_ones_are_answered() -> anyhow::Result<()> {
    let (service, _data) = Service::start(LISTED)?;
    let address = service.address()?;
    for host in OURS {
        ensure!(live(address, &[host]).await? == (200, String::new()), "{host}");
    }
    for host in OTHERS {
        ensure!(
            live(address, &[host]).await? == (421, "host-not-allowed".to_owned()),
            "{host}"
        );
        let headers = [
            &format!("Host: {host}"),
            "Content-Type: application/json",
            "Content-Length: 27",
        ];
        let answer = ask(address, request("POST /api/v1/jobs HTTP/1.1", &headers, BODY)).await?;
        ensure!(answer.problem() == "host-not-allowed", "{host}: {answer:?}");
    }
    for host in NONE {
        ensure!(live(address, &[host]).await?.0 == 400, "{host}");
    }
    for hosts in [&[][..], &["localhost", "localhost"], &["localhost", "evil.example"]] {
        ensure!(
            live(address, hosts).await? == (400, "invalid-header".to_owned()),
            "{hosts:?}"
        );
    }
    let targets = [
        ("http://localhost/health/live", 200),
        ("http://evil.example/health/live", 421),
    ];
    for (target, status) in targets {
        let answer = ask(
            address,
            request(&format!("GET {target} HTTP/1.1"), &["Host: localhost"], b""),
        )
        .await?;
        ensure!(answer.status == status, "{target}: {answer:?}");
    }
    let old = ask(address, "GET /health/live HTTP/1.0\r\n\r\n").await?;
    ensure!(old.status == 200, "{old:?}");
    ensure!(service.client().get("/api/v1/jobs").await?.body["total"] == 0);
    Ok(())
}

#[tokio::test]
async fn elsewhere_any_name_is_answered_until_one_is_listed() -> anyhow::Result<()> {
    let (service, _data) = crate::start_everywhere(&[])?;
    for host in OURS.iter().chain(OTHERS) {
        ensure!(live(service.address()?, &[host]).await?.0 == 200, "{host}");
    }
    ensure!(live(service.address()?, &[]).await?.0 == 400);
    let (service, _data) = crate::start_everywhere(LISTED)?;
    for (hosts, status) in [(OURS, 200), (OTHERS, 421)] {
        for host in hosts {
            ensure!(live(service.address()?, &[host]).await?.0 == status, "{host}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn pages_of_other_origins_ask_in_vain() -> anyhow::Result<()> {
    let (service, _data) = Service::start(LISTED)?;
    let address = service.address()?;
    for (host, origin) in OWN_ORIGINS {
        let answer = from(address, host, origin, "GET /health/live HTTP/1.1").await?;
        ensure!(answer.status == 200, "{host} {origin}: {answer:?}");
        let read = if origin.contains("console") { *origin } else { "" };
        ensure!(answer.header("access-control-allow-origin") == read, "{answer:?}");
    }
    for (host, origin) in OTHER_ORIGINS {
        for line in [
            "GET /api/v1/jobs HTTP/1.1",
            "POST /api/v1/jobs HTTP/1.1",
            "OPTIONS /api/v1/jobs HTTP/1.1",
        ] {
            let answer = from(address, host, origin, line).await?;
            let told = (
                answer.status,
                answer.problem(),
                answer.header("access-control-allow-origin"),
            );
            ensure!(
                told == (403, "origin-not-allowed", ""),
                "{host} {origin} {line}: {answer:?}"
            );
        }
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let kind = format!("Content-Type: {kind}");
        let headers = ["Host: localhost", &kind, "Content-Length: 27"];
        let answer = ask(address, request("POST /api/v1/jobs HTTP/1.1", &headers, BODY)).await?;
        ensure!(answer.problem() == "unsupported-media-type", "{answer:?}");
    }
    let answer = from(
        address,
        "localhost",
        "https://console.example.com",
        "OPTIONS /api/v1/jobs HTTP/1.1",
    )
    .await?;
    ensure!(
        answer.status == 200 && answer.header("access-control-allow-methods").contains("post"),
        "{answer:?}"
    );
    ensure!(service.client().get("/api/v1/jobs").await?.body["total"] == 0);
    Ok(())
}

/// Asks whether the service lives; returns the status, and the kind of the problem.
async fn live(address: SocketAddr, hosts: &[&str]) -> anyhow::Result<(u16, String)> {
    let hosts: Vec<String> = hosts.iter().map(|host| format!("Host: {host}")).collect();
    let headers: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let answer = ask(address, request("GET /health/live HTTP/1.1", &headers, b"")).await?;
    Ok((answer.status, answer.problem().to_owned()))
}

/// Asks as a browser does for a page.
async fn from(
    address: SocketAddr,
    host: &str,
    origin: &str,
    line: &str,
) -> anyhow::Result<callboard_tests::raw::Reply> {
    let (host, origin) = (format!("Host: {host}"), format!("Origin: {origin}"));
    let headers = [
        &host,
        &origin,
        "Access-Control-Request-Method: POST",
        "Content-Type: application/json",
        "Content-Length: 27",
    ];
    ask(address, request(line, &headers, BODY)).await
}

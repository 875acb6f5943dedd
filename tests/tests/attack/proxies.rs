//! Who a request is from, behind a proxy and without one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context, bail, ensure};
use callboard_tests::raw::{Reply, ask, connect_from, reply, request};
use callboard_tests::{Client, Service, callboard, playbooks};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

/// The address of a proxy, and that of somebody else.
const PROXY: u8 = 1;
const STRANGER: u8 = 2;
const TRUSTED: &[&str] = &[
    "--trusted-proxy",
    "127.0.0.1",
    "--trusted-proxy",
    "10.0.0.0/8,2001:db8::/32",
];
const BODY: &[u8] = br#"{"playbook": "nothing.yml"}"#;

/// Submits a job from 127.0.0.`last` with more headers.
async fn submit(address: SocketAddr, last: u8, headers: &[&str]) -> anyhow::Result<Reply> {
    let own = [
        "Host: localhost",
        "Content-Type: application/json",
        "Content-Length: 27",
    ];
    let submission = request("POST /api/v1/jobs HTTP/1.1", &[&own, headers].concat(), BODY);
    let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
    let mut stream = connect_from(from, address).await?;
    stream.write_all(&submission).await?;
    reply(&mut stream).await
}

/// A service, and the key that it asks for where it trusts a proxy.
struct Asked {
    service: Service,
    key: Option<String>,
    _data: TempDir,
}

impl Asked {
    fn alone() -> anyhow::Result<Self> {
        let (service, data) = Service::start(&[])?;
        Ok(Self {
            service,
            key: None,
            _data: data,
        })
    }

    fn behind_proxies() -> anyhow::Result<Self> {
        let data = tempfile::tempdir()?;
        let made = callboard(data.path())?
            .args(["keys", "create", "--name", "admin", "--scope", "admin"])
            .output()?;
        Ok(Self {
            service: Service::start_in(data.path(), TRUSTED)?,
            key: Some(String::from_utf8(made.stdout)?.trim().to_owned()),
            _data: data,
        })
    }

    fn client(&self) -> Client {
        let client = self.service.client();
        self.key.as_ref().map_or(client.clone(), |key| client.showing(key))
    }
}

/// Submits a job, and returns its record.
async fn record(asked: &Asked, last: u8, headers: &[&str]) -> anyhow::Result<Value> {
    let key = asked.key.as_ref().map(|key| format!("Authorization: Bearer {key}"));
    let headers: Vec<&str> = headers.iter().copied().chain(key.as_deref()).collect();
    let answer = submit(asked.service.address()?, last, &headers).await?;
    ensure!(answer.status == 202, "{headers:?}: {answer:?}");
    let id = answer.body["job_id"].as_str().context("an id")?;
    asked.client().job(id).await
}

/// Checks that the record of a job that is submitted with these headers names an address.
async fn is_from(asked: &Asked, last: u8, headers: &[&str], address: &str) -> anyhow::Result<()> {
    let job = record(asked, last, headers).await?;
    let told = (&job["source_ip"], &job["submitted_by"]);
    let by = asked
        .key
        .as_ref()
        .map_or(format!("ip:{address}"), |_| "key:admin".to_owned());
    ensure!(told.0 == address && *told.1 == by, "{headers:?}: {told:?}");
    Ok(())
}

#[tokio::test]
async fn without_a_trusted_proxy_nobody_tells_who_else_asks() -> anyhow::Result<()> {
    let service = Asked::alone()?;
    for header in [
        "X-Forwarded-For: 198.51.100.1",
        "Forwarded: for=198.51.100.1",
        "X-Real-IP: 198.51.100.1",
    ] {
        is_from(&service, PROXY, &[header], "127.0.0.1").await?;
    }
    is_from(&service, STRANGER, &[], "127.0.0.2").await
}

#[tokio::test]
async fn a_trusted_proxy_tells_who_asks_and_nobody_else_does() -> anyhow::Result<()> {
    let service = Asked::behind_proxies()?;
    let long = format!("X-Forwarded-For: {}198.51.100.1", "6.6.6.6, ".repeat(1300));
    for (last, headers, address) in [
        (PROXY, &[][..], "127.0.0.1"),
        (PROXY, &["X-Forwarded-For: 198.51.100.1"], "198.51.100.1"),
        (STRANGER, &["X-Forwarded-For: 198.51.100.1"], "127.0.0.2"),
        (STRANGER, &["Forwarded: for=198.51.100.1"], "127.0.0.2"),
        // what the client has sent stands before what proxies have added
        (
            PROXY,
            &["X-Forwarded-For: 6.6.6.6, 198.51.100.1, 10.0.0.7"],
            "198.51.100.1",
        ),
        (
            PROXY,
            &["X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 198.51.100.1"],
            "198.51.100.1",
        ),
        (
            PROXY,
            &["X-Forwarded-For: ::ffff:198.51.100.1, 2001:db8::7"],
            "198.51.100.1",
        ),
        (PROXY, &["X-Forwarded-For: [2001:db9::1]:4711"], "2001:db9::1"),
        (
            PROXY,
            &["Forwarded: for=6.6.6.6, for=\"[2001:db9::1]:4711\";proto=https"],
            "2001:db9::1",
        ),
        (
            PROXY,
            &["X-Forwarded-For: 203.0.113.7", "Forwarded: for=198.51.100.1"],
            "127.0.0.1",
        ),
        (
            PROXY,
            &["X-Forwarded-For: 198.51.100.1", "Forwarded: for=198.51.100.1"],
            "198.51.100.1",
        ),
        (
            PROXY,
            &["X-Forwarded-For: 203.0.113.7", "Forwarded: for=unknown"],
            "127.0.0.1",
        ),
        (PROXY, &["X-Forwarded-For: "], "127.0.0.1"),
        (PROXY, &["X-Forwarded-For: localhost"], "127.0.0.1"),
        (PROXY, &["X-Forwarded-For: 198.51.100.1, \u{e9}"], "127.0.0.1"),
        (PROXY, &["X-Forwarded-For: 198.51.100.1'; DROP TABLE jobs"], "127.0.0.1"),
        (PROXY, &[&long], "198.51.100.1"),
    ] {
        is_from(&service, last, headers, address).await?;
    }
    let huge = format!("X-Forwarded-For: {}", "6.6.6.6, ".repeat(20_000));
    let answer = ask(
        service.service.address()?,
        request("GET /health/live HTTP/1.1", &["Host: localhost", &huge], b""),
    )
    .await?;
    ensure!(answer.status == 431 || answer.status == 0, "{answer:?}");
    is_from(&service, PROXY, &[], "127.0.0.1").await
}

#[tokio::test]
async fn proxies_may_be_listed_by_a_variable_and_keys_are_needed_all_the_same() -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    let made = callboard(data.path())?
        .args(["keys", "create", "--name", "ci", "--scope", "admin"])
        .output()?;
    ensure!(made.status.success(), "{made:?}");
    let key = String::from_utf8(made.stdout)?;
    let key = key
        .split_whitespace()
        .find(|word| word.starts_with("cb"))
        .context("a key")?;
    let mut command = callboard(data.path())?;
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--playbooks"])
        .arg(playbooks())
        .env("CALLBOARD_TRUSTED_PROXIES", "192.0.2.1,127.0.0.1");
    let service = Service::spawn(command)?;
    let (address, from) = (service.address()?, "X-Forwarded-For: 198.51.100.1");
    let unknown = submit(address, PROXY, &[from, "Authorization: Bearer nobody"]).await?;
    ensure!(unknown.status == 401, "{unknown:?}");
    ensure!(service.log().contains("198.51.100.1"), "{}", service.log());
    let shown = format!("Authorization: Bearer {key}");
    let answer = submit(address, PROXY, &[from, &shown]).await?;
    ensure!(answer.status == 202, "{answer:?}");
    let id = answer.body["job_id"].as_str().context("an id")?;
    let job = service.client().showing(key).job(id).await?;
    ensure!(
        job["source_ip"] == "198.51.100.1" && job["submitted_by"] == "key:ci",
        "{job}"
    );
    Ok(())
}

#[test]
fn a_service_behind_a_proxy_needs_a_key() -> anyhow::Result<()> {
    match Service::start(TRUSTED) {
        Ok(_) => bail!("everybody whom the proxy lets through may do everything"),
        Err(error) => ensure!(format!("{error:#}").contains("callboard keys create"), "{error:#}"),
    }
    Ok(())
}

#[test]
fn what_is_no_address_of_a_proxy_is_refused_at_the_start() -> anyhow::Result<()> {
    for (given, told) in [
        ("proxy.example.com", "must be an address or a network"),
        ("127.0.0.1,", "must be an address or a network"),
        ("10.1.2.3/8", "the network is 10.0.0.0/8"),
        ("0.0.0.0/0", "is every address"),
    ] {
        match Service::start(&["--trusted-proxy", given]) {
            Ok(_) => bail!("{given} is taken"),
            Err(error) => ensure!(format!("{error:#}").contains(told), "{given}: {error:#}"),
        }
    }
    Ok(())
}

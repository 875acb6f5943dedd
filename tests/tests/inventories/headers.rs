//! Headers with secrets, and where they may be sent.

use anyhow::ensure;
use callboard_tests::Site;
use callboard_tests::servers::{CmdbServer, Part};
use serde_json::{Value, json};

use crate::{show, site};

async fn with_credentials(site: &Site) -> anyhow::Result<&CmdbServer> {
    let cmdb = site.servers.cmdb()?;
    let (token, here) = (&cmdb.token, authority(&cmdb.url));
    let elsewhere = ["cmdb.example.com", "127.0.0.1", "127.0.0.1:1"];
    for (name, credential) in [
        ("bearer", json!({"kind": "bearer", "token": token})),
        (
            "bearer-here",
            json!({"kind": "bearer", "token": token, "hosts": [here]}),
        ),
        (
            "header",
            json!({"kind": "header", "header": "X-Api-Key", "value": token}),
        ),
        (
            "elsewhere",
            json!({"kind": "bearer", "token": token, "hosts": elsewhere}),
        ),
        (
            "header-elsewhere",
            json!({"kind": "header", "header": "X-Api-Key", "value": token, "hosts": elsewhere}),
        ),
    ] {
        site.store(name, &credential).await?;
    }
    Ok(cmdb)
}

fn authority(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest)
}

fn inventory(url: &str, more: &Value) -> Value {
    let mut inventory = json!({"type": "url", "url": url});
    for (name, value) in more.as_object().into_iter().flatten() {
        inventory[name] = value.clone();
    }
    inventory
}

#[tokio::test]
async fn stored_credentials_fill_headers_or_are_sent_as_their_kind_says() -> anyhow::Result<()> {
    let site = site(&[Part::Cmdb])?;
    let cmdb = with_credentials(&site).await?;
    let url = format!("{}/private/inventory.yaml", cmdb.url);
    for more in [
        json!({"credential": "bearer"}),
        json!({"credential": "bearer-here"}),
        json!({"credential": "header"}),
        json!({"credential": "header", "headers": {"X-Trace": "1"}}),
        json!({"headers": {"Authorization": "Bearer ${bearer}"}}),
        json!({"headers": {"X-Api-Key": "${header}", "X-Trace": "1"}}),
        json!({"headers": {"Authorization": "Bearer ${ANY_NAME}"}, "credential": "bearer"}),
        json!({"headers": {"x-api-key": "${T}"}, "credential": "bearer-here"}),
    ] {
        let before = cmdb.log.requests()?.len();
        let played = site.play(&show(&inventory(&url, &more))).await?;
        ensure!(played.job["status"] == "successful", "{more}: {}", played.job);
        let requests = cmdb.log.requests()?;
        ensure!(
            requests.len() == before + 1 && requests[before].authorised == Some(true),
            "{more}: {requests:?}"
        );
        let traced = requests[before]
            .headers
            .get("x-trace")
            .is_some_and(|value| value == "1");
        ensure!(traced == more["headers"]["X-Trace"].is_string(), "{more}: {requests:?}");
        let told = format!("{} {}", played.job, played.log);
        ensure!(!told.contains(&cmdb.token), "{more}: {told}");
    }
    let played = site.play(&show(&inventory(&url, &json!({})))).await?;
    played.failed("inventory_invalid", &["/private/inventory.yaml", "status 401"])
}

#[tokio::test]
async fn a_secret_that_looks_like_a_placeholder_is_sent_as_it_is() -> anyhow::Result<()> {
    let site = site(&[Part::Cmdb])?;
    let cmdb = with_credentials(&site).await?;
    for (name, token) in [("first", "one-${second}-one"), ("second", "two-two-two")] {
        site.store(name, &json!({"kind": "bearer", "token": token})).await?;
    }
    let headers = json!({"headers": {"X-Trace": "${first} ${second} ${first}", "Authorization": "Bearer ${bearer}"}});
    let url = format!("{}/private/inventory.yaml", cmdb.url);
    let played = site.play(&show(&inventory(&url, &headers))).await?;
    ensure!(played.job["status"] == "successful", "{}", played.job);
    let requests = cmdb.log.requests()?;
    let sent = requests.last().and_then(|request| request.headers.get("x-trace"));
    ensure!(
        sent.is_some_and(|sent| sent == "one-${second}-one two-two-two one-${second}-one"),
        "{sent:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_credential_that_is_bound_to_other_hosts_is_not_sent() -> anyhow::Result<()> {
    let site = site(&[Part::Cmdb])?;
    let cmdb = with_credentials(&site).await?;
    let url = format!("{}/private/inventory.yaml", cmdb.url);
    for more in [
        json!({"credential": "elsewhere"}),
        json!({"credential": "header-elsewhere"}),
        json!({"headers": {"Authorization": "Bearer ${elsewhere}"}}),
        json!({"headers": {"X-Api-Key": "${T}"}, "credential": "header-elsewhere"}),
    ] {
        let played = site.play(&show(&inventory(&url, &more))).await?;
        played.failed("credential_unavailable", &[authority(&cmdb.url), "cmdb.example.com"])?;
    }
    let asked = cmdb.log.text()?;
    ensure!(asked.is_empty(), "{asked}");
    Ok(())
}

#[tokio::test]
async fn what_headers_cannot_name_is_refused_with_its_place() -> anyhow::Result<()> {
    let site = site(&[Part::Cmdb])?;
    let cmdb = with_credentials(&site).await?;
    site.store("password", &json!({"kind": "password", "password": "of-a-person"}))
        .await?;
    for (more, pointer) in [
        (json!({"headers": {"X-A": "${no-such}"}}), "/inventory/headers/X-A"),
        (json!({"headers": {"X-A": "${password}"}}), "/inventory/headers/X-A"),
        (json!({"headers": {"X-A": "${"}}), "/inventory/headers/X-A"),
        (json!({"headers": {"X-A": "a\r\nX-B: b"}}), "/inventory/headers/X-A"),
        (json!({"headers": {"Host": "other"}}), "/inventory/headers/Host"),
        (json!({"credential": "password"}), "/inventory/credential"),
        (json!({"credential": "no-such"}), "/inventory/credential"),
    ] {
        let faults = site.refused(&show(&inventory(&cmdb.url, &more))).await?;
        ensure!(faults[pointer].is_string(), "{more}: {faults}");
    }
    Ok(())
}

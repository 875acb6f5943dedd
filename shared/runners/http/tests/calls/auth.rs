//! Signatures, as their receivers verify them.

use std::sync::Arc;

use anyhow::ensure;
use callboard_core::base::hex::hex;
use callboard_core::base::secret::Secret;
use callboard_core::credential::{AwsKeys, Credential};
use callboard_runner_http::HttpRunner;
use callboard_testkit::calls::{Given, JSON, Keeper, Run, Server, job, never, run};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::{Sha256, Sha512};

use crate::world::{PRIVATE, logs, registry};

const KEY: &str = "a-key-that-both-sides-know";
const SIGNING_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

async fn call(address: &str, auth: &str, operation: &str, keeper: Keeper) -> anyhow::Result<Run> {
    let config = format!("base_url: 'http://{address}/v1', auth: {{{auth}}}");
    let request = job(&registry(PRIVATE, &config, operation), &json!({"a": 1}))?;
    run(&HttpRunner::new(Arc::new(keeper)), request, logs, never()).await
}

fn password() -> Keeper {
    Keeper::of(Credential::Password {
        password: Secret::new(KEY),
    })
}

#[tokio::test]
async fn the_hmac_of_a_body_and_its_time_can_be_verified() -> anyhow::Result<()> {
    let (server, address) = Server::start(&[(200, JSON, "{}")]).await?;
    call(&address, "type: hmac, credential: c", "timeout: 30", password()).await?;
    let timed = "type: hmac, credential: c, header: X-Hub-Signature, algorithm: sha512, timestamp_header: X-Time, prefix: 'sha512='";
    call(&address, timed, "timeout: 30", password()).await?;
    let [plain, timed] = &server.requests()[..] else {
        anyhow::bail!("{:?}", server.seen())
    };
    let mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes())?.chain_update(&plain.body);
    ensure!(
        plain.header("x-signature") == hex(&mac.finalize().into_bytes()),
        "{plain:?}"
    );
    let time = timed.header("x-time");
    let mac = Hmac::<Sha512>::new_from_slice(KEY.as_bytes())?;
    let mac = mac.chain_update(time).chain_update(".").chain_update(&timed.body);
    let expected = format!("sha512={}", hex(&mac.finalize().into_bytes()));
    ensure!(timed.header("x-hub-signature") == expected, "{timed:?}");
    ensure!(
        time.parse::<u64>()? > 1_700_000_000 && timed.body == r#"{"a":1}"#,
        "{timed:?}"
    );
    Ok(())
}

#[tokio::test]
async fn every_hop_is_signed_for_aws_with_the_keys_that_are_named_or_the_workers_own() -> anyhow::Result<()> {
    let to: Given<'_> = (307, &[("location", "/v1/there?b=2&a=%2F")], "");
    let (server, address) = Server::start(&[to, (200, JSON, SIGNING_KEY), to, (200, JSON, "{}")]).await?;
    let keys = |id: &str, token: Option<&str>| AwsKeys {
        access_key_id: id.to_owned(),
        secret_access_key: Secret::new(SIGNING_KEY),
        session_token: token.map(Secret::new),
        region: None,
    };
    let keeper = Keeper {
        cloud: Some(keys("AKIAOFTHECREDENTIAL", None)),
        own: Some(keys("ASIAOFTHEWORKER", Some("a-session-token"))),
        ..Keeper::default()
    };
    let operation = "runner_config: {redirects: 1, path: '/here', headers: {X-A: b}}";
    let own = "type: aws_sigv4, region: eu-central-1, service: execute-api";
    let first = call(&address, own, operation, keeper.clone()).await?;
    call(&address, &format!("{own}, credential: c"), operation, keeper).await?;
    let seen = server.requests();
    ensure!(seen.len() == 4 && seen[1].path == "/v1/there?b=2&a=%2F", "{seen:?}");
    for request in &seen {
        request.is_signed(SIGNING_KEY, "eu-central-1", "execute-api", &["x-a"])?;
    }
    ensure!(seen[0].header("x-amz-security-token") == "a-session-token", "{seen:?}");
    ensure!(seen[0].header("authorization").contains("ASIAOFTHEWORKER/"), "{seen:?}");
    ensure!(
        seen[3].header("authorization").contains("AKIAOFTHECREDENTIAL/"),
        "{seen:?}"
    );
    ensure!(!first.kept().contains(SIGNING_KEY), "{}", first.kept());
    Ok(())
}

#[tokio::test]
async fn a_worker_without_an_identity_says_so_and_sends_nothing() -> anyhow::Result<()> {
    let (server, address) = Server::start(&[(200, JSON, "{}")]).await?;
    let auth = "type: aws_sigv4, region: eu-central-1, service: execute-api";
    let result = call(&address, auth, "timeout: 30", Keeper::default()).await?.result()?;
    ensure!(result["reason"] == "credential_unavailable", "{result}");
    ensure!(server.asked() == 0, "it was sent");
    Ok(())
}

//! Issuers that do not tell their keys.

use std::time::Duration;

use anyhow::ensure;
use callboard_testkit::calls::{Authority, in_a_process_that_trusts};
use callboard_testkit::wait::until;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::signer::Signer;
use crate::world::{Mode, World, verifier};

/// How long something may take that waits for nobody; only what hangs takes as long.
const AT_ONCE: Duration = Duration::from_secs(4);

#[tokio::test]
async fn keys_are_used_for_another_day_while_their_issuer_is_down() -> anyhow::Result<()> {
    let test = "outage::keys_are_used_for_another_day_while_their_issuer_is_down";
    let Some(authority) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    let (signer, new) = (Signer::rsa("rsa")?, Signer::ed("ed")?);
    let world = World::start(&authority, &[&signer]).await?;
    world.shows(&signer).await?;
    world.issuer.is(Mode::With(503));
    world.pass(3600);
    world.shows(&signer).await?;
    ensure!(world.issuer.seen() == (2, 1), "{:?}", world.issuer.seen());
    // it is known to be down: it is asked again, and nobody waits for that
    world.issuer.is(Mode::Never);
    world.pass(10);
    timeout(AT_ONCE, world.shows(&signer)).await??;
    until("it was asked", || world.issuer.seen() == (3, 1)).await?;
    world.is_down(&new, "did not").await?;
    world.issuer.is(Mode::With(500));
    world.pass(24 * 3600 - 11);
    world.shows(&signer).await?;
    world.pass(1);
    world.is_down(&signer, "status 500").await?;
    world.issuer.is(Mode::Well);
    world.is_down(&signer, "status 500").await?;
    world.pass(10);
    world.shows(&signer).await?;
    Ok(())
}

#[tokio::test]
async fn without_keys_an_issuer_that_is_down_is_told_and_left_alone_for_a_while() -> anyhow::Result<()> {
    let test = "outage::without_keys_an_issuer_that_is_down_is_told_and_left_alone_for_a_while";
    let Some(authority) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    let signer = Signer::ec("ec")?;
    let world = World::start(&authority, &[&signer]).await?;
    world.issuer.is(Mode::With(503));
    for _ in 0..20 {
        world.is_down(&signer, "its discovery document with status 503").await?;
    }
    ensure!(world.issuer.seen() == (1, 0), "{:?}", world.issuer.seen());
    world.pass(10);
    world.issuer.is(Mode::Never);
    world.is_down(&signer, "did not").await?;
    world.pass(10);
    world.issuer.is(Mode::Well);
    world.shows(&signer).await?;
    Ok(())
}

#[tokio::test]
async fn an_issuer_whose_answers_are_wrong_tells_no_keys() -> anyhow::Result<()> {
    let test = "outage::an_issuer_whose_answers_are_wrong_tells_no_keys";
    let Some(authority) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    let signer = Signer::ec("ec")?;
    let world = World::start(&authority, &[&signer]).await?;
    let url = world.issuer.url.clone();
    let keys = json!({"keys": [signer.jwk()]});
    let plain = format!("{}/keys", url.replace("https:", "http:"));
    let told = |issuer: &str, jwks: Value| json!({"issuer": issuer, "jwks_uri": jwks});
    let good = json!(format!("{url}/keys"));
    for (discovery, keys, expected) in [
        (told("https://id.example", good.clone()), &keys, "another issuer's"),
        (told(&format!("{url}/"), good.clone()), &keys, "another issuer's"),
        (json!({"jwks_uri": good}), &keys, "another issuer's"),
        (json!([]), &keys, "another issuer's"),
        (told(&url, json!(plain)), &keys, "no address with https"),
        (told(&url, json!("file:///etc/passwd")), &keys, "no address with https"),
        (
            told(&url, json!("https://user:password@id.example/keys")),
            &keys,
            "no address with https",
        ),
        (told(&url, Value::Null), &keys, "no address with https"),
        (
            told(&url, json!("https://169.254.169.254/keys")),
            &keys,
            "never allowed",
        ),
        (
            told(&url, json!(format!("{url}/nothing"))),
            &keys,
            "set of keys with status 404",
        ),
        (told(&url, good.clone()), &json!({"key": []}), "no list of keys"),
        (told(&url, good.clone()), &json!([signer.jwk()]), "no list of keys"),
        (
            told(&url, good.clone()),
            &json!({"keys": [], "x": "x".repeat(64 * 1024)}),
            "more than 65536 bytes",
        ),
    ] {
        {
            let mut told = world.issuer.told();
            (told.discovery, told.keys) = (discovery, keys.clone());
        }
        world.is_down(&signer, expected).await?;
        world.pass(10);
    }
    for status in [302, 401, 204] {
        world.issuer.is(Mode::With(status));
        world.is_down(&signer, &format!("status {status}")).await?;
        world.pass(10);
    }
    Ok(())
}

#[tokio::test]
async fn an_issuer_that_is_not_there_or_not_who_it_says_is_told() -> anyhow::Result<()> {
    let test = "outage::an_issuer_that_is_not_there_or_not_who_it_says_is_told";
    let Some(authority) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    let signer = Signer::ec("ec")?;
    let world = World::start(&Authority::new()?, &[&signer]).await?;
    world.is_down(&signer, "certificate").await?;
    ensure!(world.issuer.seen() == (0, 0), "{:?}", world.issuer.seen());
    let mut world = World::start(&authority, &[&signer]).await?;
    let nobody = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    world.issuer.url = format!("https://{nobody}");
    let rule = json!({"issuer": world.issuer.url, "audience": "callboard", "scopes": ["jobs:run"]});
    world.verifier = verifier(&json!([rule]), &world.clock)?;
    world.is_down(&signer, "cannot be reached").await
}

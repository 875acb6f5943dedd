//! Keys that come and go.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use callboard_core::access::{TokenVerifier, Unverified};
use callboard_core::base::time::Clock;
use callboard_testkit::calls::in_a_process_that_trusts;
use callboard_testkit::wait::until;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::signer::Signer;
use crate::world::{Mode, World};

/// How long something may take that waits for nobody; only what hangs takes as long.
const AT_ONCE: Duration = Duration::from_secs(4);

#[tokio::test]
async fn a_new_key_is_found_at_once_and_an_old_one_goes_when_its_time_is_over() -> anyhow::Result<()> {
    let test = "rotation::a_new_key_is_found_at_once_and_an_old_one_goes_when_its_time_is_over";
    let Some(authority) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    let (old, new) = (Signer::ec("old")?, Signer::ed("new")?);
    let world = World::start(&authority, &[&old]).await?;
    world.shows(&old).await?;
    world.issuer.publish(&[&old, &new]);
    world.shows(&new).await?;
    world.shows(&old).await?;
    ensure!(world.issuer.seen() == (2, 2), "{:?}", world.issuer.seen());
    world.issuer.publish(&[&new]);
    world.shows(&old).await?;
    // after an hour in which nobody has asked, the first to ask waits: the key may have been stolen
    world.pass(3600);
    let token = old.token(&world.claims())?;
    world.refuses("old", &token, "no key of the name").await?;
    world.shows(&new).await?;
    Ok(())
}

#[tokio::test]
async fn keys_are_renewed_before_their_end_while_others_use_them() -> anyhow::Result<()> {
    let test = "rotation::keys_are_renewed_before_their_end_while_others_use_them";
    let Some(authority) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    let (old, new) = (Signer::rsa("old")?, Signer::ed("new")?);
    let world = World::start(&authority, &[&old]).await?;
    world.issuer.told().cache_control = "public, max-age=600";
    world.shows(&old).await?;
    world.issuer.publish(&[&new]);
    world.pass(449);
    world.shows(&old).await?;
    ensure!(world.issuer.seen() == (1, 1), "{:?}", world.issuer.seen());
    world.pass(1);
    // the issuer is slow, and nobody waits for it
    world.issuer.is(Mode::Never);
    for _ in 0..100 {
        timeout(AT_ONCE, world.shows(&old)).await??;
    }
    until("it was asked", || world.issuer.seen() == (2, 1)).await?;
    // that request ends by itself, and is not repeated at once
    tokio::time::sleep(Duration::from_secs(6)).await;
    timeout(AT_ONCE, world.shows(&old)).await??;
    ensure!(world.issuer.seen() == (2, 1), "{:?}", world.issuer.seen());
    world.issuer.is(Mode::Well);
    world.pass(10);
    world.shows(&old).await?;
    until("the keys were renewed", || world.issuer.seen() == (3, 2)).await?;
    for _ in 0..100 {
        if world.shows(&old).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let token = old.token(&world.claims())?;
    world.refuses("old", &token, "no key of the name").await?;
    world.shows(&new).await?;
    Ok(())
}

#[tokio::test]
async fn many_who_come_first_cause_one_request() -> anyhow::Result<()> {
    let Some(authority) = in_a_process_that_trusts("rotation::many_who_come_first_cause_one_request")? else {
        return Ok(());
    };
    let (old, new) = (Signer::ec("old")?, Signer::ed("new")?);
    let world = World::start(&authority, &[&old]).await?;
    world.issuer.is(Mode::Slowly);
    for (signer, asked) in [(&old, 1), (&new, 2)] {
        world.issuer.publish(&[&old, &new][..asked]);
        let mut callers = JoinSet::new();
        for _ in 0..200 {
            let (token, verifier) = (signer.token(&world.claims())?, Arc::clone(&world.verifier));
            let now = world.clock.now();
            callers.spawn(async move { verifier.verify(&token, now).await });
        }
        while let Some(caller) = callers.join_next().await {
            caller??;
        }
        ensure!(world.issuer.seen() == (asked, asked), "{:?}", world.issuer.seen());
    }
    Ok(())
}

#[tokio::test]
async fn names_of_keys_that_are_made_up_cause_a_request_each_half_minute() -> anyhow::Result<()> {
    let test = "rotation::names_of_keys_that_are_made_up_cause_a_request_each_half_minute";
    let Some(authority) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    let (signer, forger) = (Signer::ec("ec")?, Signer::ed("ed")?);
    let world = World::start(&authority, &[&signer]).await?;
    world.issuer.is(Mode::Slowly);
    let claims = world.claims().to_string();
    for round in 0..3 {
        let mut callers = JoinSet::new();
        for number in 0..500 {
            let head = json!({"alg": "EdDSA", "kid": format!("{round}-{number}")}).to_string();
            let (token, verifier) = (forger.token_of(&head, &claims)?, Arc::clone(&world.verifier));
            let now = world.clock.now();
            callers.spawn(async move { verifier.verify(&token, now).await });
        }
        while let Some(caller) = callers.join_next().await {
            ensure!(matches!(caller?, Err(Unverified::Refused(_))));
        }
        // one more, for the first who needed any key
        ensure!(
            world.issuer.seen() == (round + 2, round + 2),
            "{:?}",
            world.issuer.seen()
        );
        world.pass(29);
        world
            .refuses("again", &forger.token(&world.claims())?, "no key of the name")
            .await?;
        ensure!(
            world.issuer.seen() == (round + 2, round + 2),
            "{:?}",
            world.issuer.seen()
        );
        timeout(AT_ONCE, world.shows(&signer)).await??;
        world.pass(1);
    }
    Ok(())
}

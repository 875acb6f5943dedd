//! Tokens that are let in and tokens that are not, of a real issuer over TLS.

mod forged;
mod mutation;
mod outage;
mod refused;
mod rotation;
mod signer;
mod world;

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::ensure;
use callboard_core::base::time::Clock;
use callboard_testkit::calls::in_a_process_that_trusts;
use serde_json::json;

use crate::signer::Signer;
use crate::world::World;

#[tokio::test]
async fn a_token_of_each_algorithm_tells_who_shows_it() -> anyhow::Result<()> {
    let Some(authority) = in_a_process_that_trusts("a_token_of_each_algorithm_tells_who_shows_it")? else {
        return Ok(());
    };
    let signers = Signer::all()?;
    let world = World::start(&authority, &signers.each_ref()).await?;
    for signer in &signers {
        let caller = world.shows(signer).await?;
        ensure!(caller.name == "oidc:repo:acme/web:ref:refs/heads/main", "{caller:?}");
        let subject = format!("oidc:{}#repo:acme/web:ref:refs/heads/main", world.issuer.url);
        ensure!(
            caller.subject == subject && caller.tenant.as_str() == "web",
            "{caller:?}"
        );
    }
    ensure!(world.issuer.seen() == (1, 1), "{:?}", world.issuer.seen());
    let mut tag = world.claims_with("ref", json!("refs/tags/v1"));
    tag["environment"] = json!("live");
    let caller = world.verify(&signers[0].token(&tag)?).await?;
    ensure!(caller.tenant.as_str() == "live", "{caller:?}");
    Ok(())
}

#[tokio::test]
async fn what_a_token_may_leave_out_or_say_otherwise_does_not_matter() -> anyhow::Result<()> {
    let test = "what_a_token_may_leave_out_or_say_otherwise_does_not_matter";
    let Some(authority) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    let signer = Signer::ed("ed")?;
    let world = World::start(&authority, &[&signer]).await?;
    let now = world.clock.now().as_millis() / 1000;
    let mut bare = world.claims();
    for name in ["iat", "nbf", "canary"] {
        bare.as_object_mut().map(|claims| claims.remove(name));
    }
    for claims in [
        bare,
        world.claims_with("aud", json!("callboard")),
        world.claims_with("exp", json!(now - 59)),
        world.claims_with("exp", json!(now as f64 + 0.5)),
        world.claims_with("iat", json!(now + 60)),
        world.claims_with("canary", json!("x".repeat(11_000))),
    ] {
        world.verify(&signer.token(&claims)?).await?;
    }
    for head in [
        r#"{"alg":"EdDSA","kid":"ed"}"#,
        r#"{"alg":"EdDSA","kid":"ed","typ":"anything","x5t":"abc"}"#,
    ] {
        let token = signer.token_of(head, &world.claims().to_string())?;
        world.verify(&token).await?;
    }
    Ok(())
}

/// Prints how long a token takes whose key is kept.
#[tokio::test]
async fn a_token_whose_key_is_kept_costs_little() -> anyhow::Result<()> {
    // what the process prints that trusts the authority is not shown
    let times = Path::new(env!("CARGO_TARGET_TMPDIR")).join("verification-times");
    let Some(authority) = in_a_process_that_trusts("a_token_whose_key_is_kept_costs_little")? else {
        print!("{}", fs::read_to_string(times)?);
        return Ok(());
    };
    let signers = Signer::all()?;
    let world = World::start(&authority, &signers.each_ref()).await?;
    let mut told = String::new();
    for signer in &signers {
        let token = signer.token(&world.claims())?;
        let mut spans = Vec::new();
        for _ in 0..1000 {
            let start = Instant::now();
            world.verify(&token).await?;
            spans.push(start.elapsed());
        }
        spans.sort();
        let (median, worst, length) = (spans[500], spans[990], token.len());
        told += &format!(
            "{}, {length} bytes: {median:?}, of 99 % {worst:?}\n",
            signer.algorithm()
        );
    }
    fs::write(times, told)?;
    ensure!(world.issuer.seen() == (1, 1), "{:?}", world.issuer.seen());
    Ok(())
}

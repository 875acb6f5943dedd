//! Tokens that their issuer has signed and that are refused: of another audience or time, and damaged ones.

use anyhow::ensure;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use callboard_core::base::time::Clock;
use callboard_testkit::calls::in_a_process_that_trusts;
use serde_json::{Value, json};

use crate::signer::Signer;
use crate::world::World;

const NO_TOKEN: &str = "neither an API key nor a signed token";

#[tokio::test]
async fn a_token_of_another_issuer_audience_or_time_is_refused() -> anyhow::Result<()> {
    let test = "refused::a_token_of_another_issuer_audience_or_time_is_refused";
    let Some(authority) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    let signer = Signer::ed("ed")?;
    let world = World::start(&authority, &[&signer]).await?;
    let now = world.clock.now().as_millis() / 1000;
    let without = |name: &str| {
        let mut claims = world.claims();
        claims.as_object_mut().map(|claims| claims.remove(name));
        claims
    };
    for (claims, expected) in [
        (world.claims_with("exp", json!(now - 60)), "has expired"),
        (world.claims_with("exp", json!(0)), "has expired"),
        (world.claims_with("exp", json!(-1e15)), "has expired"),
        (without("exp"), "claim exp"),
        (world.claims_with("exp", json!((now + 300).to_string())), "claim exp"),
        (world.claims_with("exp", Value::Null), "claim exp"),
        (world.claims_with("nbf", json!(now + 62)), "not valid yet"),
        (world.claims_with("nbf", json!("0")), "claim nbf"),
        (world.claims_with("iat", json!(now + 62)), "not valid yet"),
        (world.claims_with("iat", json!([])), "claim iat"),
        (without("iss"), "claim iss"),
        (world.claims_with("iss", json!(["https://id.example"])), "claim iss"),
        (
            world.claims_with("iss", json!("https://id.example")),
            "no rule for the token's issuer",
        ),
        (
            world.claims_with("iss", json!(format!("{}/", world.issuer.url))),
            "no rule for the token's issuer",
        ),
        (without("sub"), "claim sub"),
        (world.claims_with("sub", json!("")), "claim sub"),
        (world.claims_with("sub", json!(7)), "claim sub"),
        (world.claims_with("sub", json!("a\nb")), "claim sub"),
        (world.claims_with("sub", json!("x".repeat(1025))), "claim sub"),
        (without("aud"), "other values of aud."),
        (
            world.claims_with("aud", json!("callboard.example")),
            "other values of aud.",
        ),
        (world.claims_with("aud", json!(["Callboard"])), "other values of aud."),
        (
            world.claims_with("aud", json!({"callboard": true})),
            "other values of aud.",
        ),
        (
            world.claims_with("repository", json!("acme/api")),
            "other values of repository.",
        ),
        (
            world.claims_with("repository", json!({"acme": "web"})),
            "other values of repository.",
        ),
        (
            world.claims_with("ref", json!("refs/tags/v1")),
            "other values of environment.",
        ),
        (
            json!({"iss": world.issuer.url, "sub": "x", "exp": now + 9}),
            "other values of aud, repository, ref.",
        ),
    ] {
        let token = signer.token(&claims)?;
        world.refuses(&claims.to_string(), &token, expected).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_can_be_read_in_two_ways_is_refused_though_it_is_signed() -> anyhow::Result<()> {
    let test = "refused::what_can_be_read_in_two_ways_is_refused_though_it_is_signed";
    let Some(authority) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    let signer = Signer::ed("ed")?;
    let world = World::start(&authority, &[&signer]).await?;
    let (head, claims) = (signer.head().to_string(), world.claims().to_string());
    let with = |more: &str| format!("{}, {more}}}", claims.trim_end_matches('}'));
    for payload in [
        with(r#""sub": "other""#),
        with(r#""\u0073ub": "other""#),
        with(r#""x": {"a": 1, "a": 2}"#),
        with(r#""x": 1e400"#),
        with(r#""x": 123456789012345678901234567890"#),
        with(r#""x": "\ud800""#),
        with(&format!(r#""x": {}"#, "[".repeat(2000))),
        format!("{claims} x"),
        format!("{claims}{claims}"),
        format!("[{claims}]"),
        json!(claims).to_string(),
        "null".to_owned(),
        String::new(),
    ] {
        let token = signer.token_of(&head, &payload)?;
        world.refuses(&payload, &token, "payload is not a JSON object").await?;
    }
    for head in [
        r#"{"alg":"none","alg":"EdDSA","kid":"ed"}"#,
        r#"{"alg":"EdDSA","kid":"x","kid":"ed"}"#,
        r#"{"alg":"EdDSA","kid":"ed"}}"#,
        r#""EdDSA""#,
        "",
    ] {
        let token = signer.token_of(head, &claims)?;
        world.refuses(head, &token, "head is not a JSON object").await?;
    }
    let token = signer.token(&world.claims())?;
    let [one, two, three] = token.split('.').collect::<Vec<_>>()[..] else {
        return Err(anyhow::anyhow!("{token}"));
    };
    for (text, expected) in [
        (String::new(), NO_TOKEN),
        ("x".to_owned(), NO_TOKEN),
        (format!("{one}.{two}"), NO_TOKEN),
        (format!("{token}.{three}"), NO_TOKEN),
        (format!("{token}."), NO_TOKEN),
        (format!(".{token}"), NO_TOKEN),
        ("..".to_owned(), "head is not a JSON object"),
        (format!("{token}="), "signature is not base64url"),
        (format!("{token}=="), "signature is not base64url"),
        (format!("{token}\n"), "signature is not base64url"),
        (format!("{token} "), "signature is not base64url"),
        (format!("{token}A"), "signature"),
        (format!(" {token}"), "head is not base64url"),
        (format!("Bearer {token}"), "head is not base64url"),
        (
            format!("{}.{two}.{three}", URL_SAFE.encode(&head)),
            "head is not base64url",
        ),
        (format!("{one}.{two}\0.{three}"), "payload is not base64url"),
        (
            format!("{one}.{}.{three}", two.replacen('e', "+", 1)),
            "payload is not base64url",
        ),
        (format!("{one}é.{two}.{three}"), "head is not base64url"),
    ] {
        world.refuses(&text, &text, expected).await?;
    }
    for length in [16_000, 1_000_000] {
        let token = signer.token(&world.claims_with("x", json!("x".repeat(length))))?;
        world.refuses("huge", &token, "more than 16384 bytes").await?;
    }
    world
        .refuses("huge", &"x".repeat(16 * 1024 + 1), "more than 16384 bytes")
        .await?;
    world.verify(&token).await?;
    ensure!(world.issuer.seen() == (1, 1), "{:?}", world.issuer.seen());
    Ok(())
}

//! Tokens that are forged.

use anyhow::ensure;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use callboard_testkit::calls::in_a_process_that_trusts;
use ring::hmac;
use serde_json::{Value, json};

use crate::signer::{Signer, message, signed};
use crate::world::{Issuer, World, verifier};

#[tokio::test]
async fn a_token_that_no_key_of_its_issuer_has_signed_is_refused() -> anyhow::Result<()> {
    let test = "forged::a_token_that_no_key_of_its_issuer_has_signed_is_refused";
    let Some(authority) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    let signers @ [rsa, ec, ed] = &Signer::all()?;
    let world = World::start(&authority, &signers.each_ref()).await?;
    world.shows(rsa).await?;
    let claims = world.claims().to_string();
    for none in [
        "none", "None", "NONE", "nOnE", "", "RS256 ", "rs256", "RS384", "PS256", "HS256", "ES256K", "Ed25519",
    ] {
        let head = json!({"alg": none, "kid": "rsa"}).to_string();
        for signature in [Vec::new(), rsa.sign(&message(&head, &claims))?] {
            let token = signed(&message(&head, &claims), &signature);
            world.refuses(none, &token, "not signed with RS256").await?;
        }
    }
    for alg in [json!(null), json!(["RS256"]), json!({"RS256": 1}), json!(256)] {
        let head = json!({"alg": alg, "kid": "rsa"}).to_string();
        world
            .refuses("alg", &rsa.token_of(&head, &claims)?, "not signed with RS256")
            .await?;
    }
    for (name, secret) in as_secrets(rsa) {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        for (alg, expected) in [
            ("HS256", "not signed with RS256"),
            ("RS256", "signature"),
            ("ES256", "signature"),
        ] {
            let message = message(&json!({"alg": alg, "kid": "rsa"}).to_string(), &claims);
            let token = signed(&message, hmac::sign(&key, message.as_bytes()).as_ref());
            world.refuses(&format!("{alg} with {name}"), &token, expected).await?;
        }
    }
    // the algorithm of each key by the key of each other, and each key under the name of each other
    for (own, other) in [(rsa, ec), (rsa, ed), (ec, rsa), (ec, ed), (ed, rsa), (ed, ec)] {
        for (alg, kid) in [
            (own.algorithm(), &other.kid),
            (other.algorithm(), &own.kid),
            (other.algorithm(), &other.kid),
        ] {
            let token = own.token_of(&json!({"alg": alg, "kid": kid}).to_string(), &claims)?;
            world
                .refuses("confused", &token, "signature of the token is wrong")
                .await?;
        }
    }
    for signer in signers {
        let message = message(&signer.head().to_string(), &claims);
        let good = signer.sign(&message)?;
        let mut wrong = vec![Vec::new(), vec![0], vec![0; good.len()], vec![255; good.len()]];
        wrong.push([good.as_slice(), &[0]].concat());
        wrong.push([&[0], good.as_slice()].concat());
        wrong.push(good[1..].to_vec());
        wrong.push(good.iter().rev().copied().collect());
        for signature in wrong {
            let token = signed(&message, &signature);
            world
                .refuses(signer.algorithm(), &token, "signature of the token is wrong")
                .await?;
        }
    }
    let message = message(&ec.head().to_string(), &claims);
    let token = signed(&message, &ec.sign_in_der(&message)?);
    world.refuses("DER", &token, "signature of the token is wrong").await
}

/// Returns texts of a public key that a careless verifier takes for a secret.
fn as_secrets(signer: &Signer) -> Vec<(&'static str, Vec<u8>)> {
    let der = signer.public().to_vec();
    let spki = [
        b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x01\x0f\x00".as_slice(),
        &der,
    ]
    .concat();
    let pem = |name: &str, der: &[u8]| {
        let lines: Vec<String> = STANDARD
            .encode(der)
            .as_bytes()
            .chunks(64)
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect();
        format!("-----BEGIN {name}-----\n{}\n-----END {name}-----\n", lines.join("\n")).into_bytes()
    };
    let jwk = signer.jwk();
    let n = jwk["n"].as_str().unwrap_or_default();
    vec![
        ("PEM", pem("PUBLIC KEY", &spki)),
        ("PEM of PKCS #1", pem("RSA PUBLIC KEY", &der)),
        ("DER", spki),
        ("DER of PKCS #1", der),
        ("JWK", jwk.to_string().into_bytes()),
        ("the text of n", n.as_bytes().to_vec()),
        ("n", URL_SAFE_NO_PAD.decode(n).unwrap_or_default()),
        ("nothing", Vec::new()),
    ]
}

#[tokio::test]
async fn a_head_does_not_bring_its_own_key() -> anyhow::Result<()> {
    let Some(authority) = in_a_process_that_trusts("forged::a_head_does_not_bring_its_own_key")? else {
        return Ok(());
    };
    let (own, forger) = (Signer::ec("ec")?, Signer::ec("forged")?);
    let world = World::start(&authority, &[&own]).await?;
    let elsewhere = Issuer::start(&authority, &[&forger]).await?;
    let claims = world.claims().to_string();
    for (name, value) in [
        ("jwk", forger.jwk()),
        ("jku", json!(format!("{}/keys", elsewhere.url))),
        ("x5u", json!(format!("{}/keys", elsewhere.url))),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("jwk", Value::Null),
    ] {
        for signer in [&own, &forger] {
            let mut head = signer.head();
            head[name] = value.clone();
            let token = signer.token_of(&head.to_string(), &claims)?;
            world.refuses(name, &token, &format!("has \"{name}\"")).await?;
        }
    }
    let unnamed = own.token_of(&json!({"alg": "ES256"}).to_string(), &claims)?;
    world.refuses("no kid", &unnamed, "does not name its key").await?;
    ensure!(
        world.issuer.seen() == (0, 0) && elsewhere.seen() == (0, 0),
        "somebody was asked"
    );
    for kid in ["forged", "", "EC", "ec\0", "../keys", "' or 1=1 --", "*"] {
        let head = json!({"alg": "ES256", "kid": kid}).to_string();
        let token = forger.token_of(&head, &claims)?;
        world.refuses(kid, &token, "no key of the name").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_key_signs_for_its_own_issuer_only() -> anyhow::Result<()> {
    let Some(authority) = in_a_process_that_trusts("forged::a_key_signs_for_its_own_issuer_only")? else {
        return Ok(());
    };
    // both keys have one name
    let (own, other) = (Signer::ec("ec")?, Signer::ec("ec")?);
    let mut world = World::start(&authority, &[&own]).await?;
    let elsewhere = Issuer::start(&authority, &[&other]).await?;
    let rule = |issuer: &str| json!({"issuer": issuer, "audience": "callboard", "scopes": ["jobs:run"]});
    world.verifier = verifier(&json!([rule(&world.issuer.url), rule(&elsewhere.url)]), &world.clock)?;
    world.shows(&own).await?;
    let theirs = world.claims_with("iss", json!(elsewhere.url));
    world.verify(&other.token(&theirs)?).await?;
    let wrong = "signature of the token is wrong";
    world.refuses("theirs", &other.token(&world.claims())?, wrong).await?;
    world.refuses("ours", &own.token(&theirs)?, wrong).await
}

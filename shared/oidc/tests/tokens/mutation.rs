//! What becomes of a valid token by a change is refused.

use anyhow::ensure;
use callboard_core::access::Unverified;
use callboard_testkit::calls::in_a_process_that_trusts;

use crate::signer::Signer;
use crate::world::World;

#[tokio::test]
async fn no_change_of_a_valid_token_is_accepted() -> anyhow::Result<()> {
    let Some(authority) = in_a_process_that_trusts("mutation::no_change_of_a_valid_token_is_accepted")? else {
        return Ok(());
    };
    let signers = Signer::all()?;
    let world = World::start(&authority, &signers.each_ref()).await?;
    for signer in &signers {
        let token = signer.token(&world.claims())?;
        world.verify(&token).await?;
        for changed in changes(&token) {
            let told = world.verify(&changed).await;
            ensure!(
                matches!(told, Err(Unverified::Refused(_))),
                "{token}\n{changed}\n{told:?}"
            );
        }
    }
    Ok(())
}

/// Returns a token with one of its bytes changed, left out or repeated, with two neighbours exchanged, cut off, and with the parts of
/// another order.
fn changes(token: &str) -> Vec<String> {
    let bytes = token.as_bytes();
    let mut changes: Vec<Vec<u8>> = Vec::new();
    for at in 0..bytes.len() {
        for bit in 0..7 {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1 << bit;
            changes.push(changed);
        }
        changes.push([&bytes[..at], &bytes[at + 1..]].concat());
        changes.push([&bytes[..=at], &bytes[at..]].concat());
        changes.push(bytes[..at].to_vec());
        let mut swapped = bytes.to_vec();
        swapped.swap(at, (at + 1) % bytes.len());
        changes.push(swapped);
    }
    // the last character has bits that belong to no byte
    let all = (0..128).map(|last| [&bytes[..bytes.len() - 1], &[last]].concat());
    changes.extend(all);
    let parts: Vec<&str> = token.split('.').collect();
    for order in [
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
        [0, 0, 2],
        [1, 1, 2],
        [0, 1, 1],
    ] {
        changes.push(order.map(|at| parts[at]).join(".").into_bytes());
    }
    let texts = changes
        .into_iter()
        .filter_map(|changed| String::from_utf8(changed).ok());
    texts.filter(|changed| changed != token).collect()
}

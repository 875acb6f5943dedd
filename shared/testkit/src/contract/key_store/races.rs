//! Many who create or change keys at once.

use std::time::Duration;

use anyhow::{Context, ensure};
use callboard_core::access::{ApiKey, Former, KeyId, KeyKind, KeyStore, SecretHash};
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use futures_util::future::{join_all, try_join_all};

use super::{another_hash, create, key_of, session_of};
use crate::contract::samples::{HOUR, now, refused, tenant};

const SECOND: Duration = Duration::from_secs(1);
const ROUNDS: u32 = 10;
/// How many changes of a kind are made at once.
const AT_ONCE: u32 = 4;

/// A change of a key.
#[derive(Clone, Debug)]
enum Change {
    Rotate(SecretHash, Option<Former>),
    Revoke(Timestamp),
    Use(Timestamp),
}

impl Change {
    /// Makes the change; returns the key as the store tells it, if it does.
    async fn make(&self, store: &dyn KeyStore, id: &KeyId) -> Result<Option<ApiKey>, StoreError> {
        match self {
            Self::Rotate(hash, former) => store.rotate(id, None, *hash, former.clone()).await.map(Some),
            Self::Revoke(at) => store.revoke(id, *at).await.map(Some),
            Self::Use(at) => store.used(id, *at).await.map(|()| None),
        }
    }
}

/// Creates keys with one id several times at once.
pub async fn of_several_who_create_one_key_one_does(store: &dyn KeyStore) -> anyhow::Result<()> {
    let (tenant, id) = (tenant(), key_of(&tenant())?.id);
    let make = |_| {
        anyhow::Ok(ApiKey {
            id: id.clone(),
            ..key_of(&tenant)?
        })
    };
    let keys: Vec<ApiKey> = (0..8).map(make).collect::<Result<_, _>>()?;
    let created = join_all(keys.iter().map(|key| store.create(key))).await;
    let mut winners = Vec::new();
    for (created, key) in created.into_iter().zip(&keys) {
        match created {
            Ok(()) => winners.push(key.clone()),
            other => refused(other)?,
        }
    }
    ensure!(winners.len() == 1, "{} created it", winners.len());
    assert_eq!(store.get(&id).await?, winners[0]);
    assert_eq!(store.list(&tenant, KeyKind::Key, None, 10).await?.keys, winners);
    Ok(())
}

/// Creates many keys, the first of a store, at once.
pub async fn keys_that_are_created_at_once_are_all_there(store: &dyn KeyStore) -> anyhow::Result<()> {
    let tenant = tenant();
    let mut keys = try_join_all((0..20).map(|_| create(store, &tenant))).await?;
    keys.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(store.list(&tenant, KeyKind::Key, None, 100).await?.keys, keys);
    assert!(!store.is_empty().await?);
    Ok(())
}

/// Two changes of different parts of a key, and many, are all made.
pub async fn changes_at_once_lose_nothing(store: &dyn KeyStore) -> anyhow::Result<()> {
    let at = now();
    for round in 0..ROUNDS {
        let mut expected = create(store, &tenant()).await?;
        let (hash, used) = (another_hash()?, at + SECOND * round);
        let former = Some(Former {
            hash: expected.hash,
            until: at + HOUR,
        });
        let rotates = Change::Rotate(hash, former.clone());
        both(store, &expected.id, [rotates, Change::Use(used)], round).await?;
        (expected.hash, expected.former, expected.last_used_at) = (hash, former, Some(used));
        assert_eq!(store.get(&expected.id).await?, expected);

        let later = used + SECOND;
        both(store, &expected.id, [Change::Revoke(at), Change::Use(later)], round).await?;
        (expected.revoked_at, expected.last_used_at) = (Some(at), Some(later));
        assert_eq!(store.get(&expected.id).await?, expected);
    }
    let before = create(store, &tenant()).await?;
    let rotated = Change::Rotate(another_hash()?, None);
    let uses = (0..30).map(|seconds| Change::Use(at + SECOND * (seconds * 7 % 30)));
    let changes: Vec<Change> = uses.chain([rotated.clone()]).collect();
    try_join_all(changes.iter().map(|change| change.make(store, &before.id))).await?;
    let after = store.get(&before.id).await?;
    assert!(matches!(rotated, Change::Rotate(hash, _) if hash == after.hash));
    assert_eq!(after.last_used_at, Some(at + SECOND * 29));
    Ok(())
}

/// Rotates a session several times at once, each time from the secret that it has had.
pub async fn of_several_rotations_of_one_secret_one_happens(store: &dyn KeyStore) -> anyhow::Result<()> {
    for _ in 0..ROUNDS {
        let before = session_of(&tenant())?;
        store.create(&before).await?;
        let hashes: Vec<SecretHash> = (0..AT_ONCE * 2).map(|_| another_hash()).collect::<Result<_, _>>()?;
        let rotate = |hash: &SecretHash| store.rotate(&before.id, Some(before.hash), *hash, None);
        let mut winners = Vec::new();
        for told in join_all(hashes.iter().map(rotate)).await {
            match told {
                Ok(key) => winners.push(key),
                other => refused(other)?,
            }
        }
        ensure!(winners.len() == 1, "{} rotated it", winners.len());
        assert_eq!(store.get(&before.id).await?, winners[0]);
    }
    Ok(())
}

/// However rotations, revocations and uses are mixed, the key is revoked once and stays so, and no rotation is told to have happened
/// that has not, or that came after.
pub async fn a_revoked_key_stays_revoked_whatever_comes_at_once(store: &dyn KeyStore) -> anyhow::Result<()> {
    let at = now();
    for round in 0..ROUNDS * 2 {
        let before = create(store, &tenant()).await?;
        let changes = mixed(at, round)?;
        let told = join_all(changes.iter().map(|change| change.make(store, &before.id))).await;
        let after = store.get(&before.id).await?;
        let mut hashes = vec![before.hash];
        for (change, told) in changes.into_iter().zip(told) {
            match (change, told) {
                (Change::Rotate(..), Err(StoreError::Conflict)) => {}
                (Change::Rotate(hash, _), told) => {
                    let key = told?.context("a key")?;
                    assert_eq!((key.hash, key.revoked_at), (hash, None));
                    hashes.push(hash);
                }
                (Change::Revoke(_), told) => assert_eq!(told?.context("a key")?.revoked_at, after.revoked_at),
                (Change::Use(_), told) => drop(told?),
            }
        }
        let may_stand = if hashes.len() == 1 { &hashes[..] } else { &hashes[1..] };
        ensure!(may_stand.contains(&after.hash), "a refused rotation was made");
        let first = after.revoked_at.context("the key is not revoked")?;
        ensure!((at..at + SECOND * AT_ONCE).contains(&first), "{first}");
        assert_eq!(after.last_used_at, Some(at + SECOND * (AT_ONCE - 1)));
        refused(store.rotate(&before.id, None, another_hash()?, None).await)?;
        assert_eq!(store.revoke(&before.id, at + HOUR).await?, after);
    }
    Ok(())
}

/// Makes two changes at once, the second one first in every other round.
async fn both(store: &dyn KeyStore, id: &KeyId, mut changes: [Change; 2], round: u32) -> Result<(), StoreError> {
    if round % 2 == 1 {
        changes.reverse();
    }
    try_join_all(changes.iter().map(|change| change.make(store, id)))
        .await
        .map(drop)
}

/// Returns changes of every kind, in an order that differs from round to round.
fn mixed(at: Timestamp, round: u32) -> anyhow::Result<Vec<Change>> {
    let mut changes = Vec::new();
    for number in 0..AT_ONCE {
        let time = at + SECOND * number;
        let former = Former {
            hash: another_hash()?,
            until: time + HOUR,
        };
        changes.push(Change::Rotate(another_hash()?, Some(former)));
        changes.push(Change::Revoke(time));
        changes.push(Change::Use(time));
    }
    // a step that has no divisor in common with their number leads to each of them once
    let (start, step, count) = (round as usize, [1, 5, 7, 11][round as usize % 4], changes.len());
    Ok((0..count)
        .map(|place| changes[(start + place * step) % count].clone())
        .collect())
}

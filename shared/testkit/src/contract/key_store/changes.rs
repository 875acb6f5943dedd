//! Creating, rotating, revoking and using keys, one after the other.

use std::time::Duration;

use callboard_core::access::{ApiKey, Former, KeyKind, KeyStore, Scopes, Session};
use callboard_core::base::id::Tenant;
use callboard_core::base::time::Timestamp;

use super::{another_hash, create, key_of, scopes, session_of};
use crate::contract::samples::{HOUR, absent, now, refused, tenant};

const SECOND: Duration = Duration::from_secs(1);

/// Creates keys with and without everything that a key may have.
pub async fn a_key_reads_back_as_it_was_given(store: &dyn KeyStore) -> anyhow::Result<()> {
    for key in every_form(&tenant())? {
        store.create(&key).await?;
        assert_eq!(store.get(&key.id).await?, key);
    }
    Ok(())
}

/// Creates a key, another one with its id, and once more the same.
pub async fn an_id_is_taken_once(store: &dyn KeyStore) -> anyhow::Result<()> {
    let key = create(store, &tenant()).await?;
    let others = [
        ApiKey {
            id: key.id.clone(),
            ..key_of(&key.tenant)?
        },
        ApiKey {
            id: key.id.clone(),
            ..key_of(&tenant())?
        },
        key.clone(),
    ];
    for other in others {
        refused(store.create(&other).await)?;
        assert_eq!(store.get(&key.id).await?, key);
        let listed = store.list(&other.tenant, KeyKind::Key, None, 10).await?.keys;
        assert_eq!(listed.len(), usize::from(other.tenant == key.tenant), "{listed:?}");
    }
    Ok(())
}

/// Asks for a key, and changes one, that never existed.
pub async fn what_is_not_there_is_not_found(store: &dyn KeyStore) -> anyhow::Result<()> {
    let key = key_of(&tenant())?;
    create(store, &key.tenant).await?;
    absent(store.get(&key.id).await)?;
    absent(store.rotate(&key.id, None, another_hash()?, None).await)?;
    absent(store.revoke(&key.id, now()).await)?;
    absent(store.used(&key.id, now()).await)?;
    // a change of what is not there leaves nothing behind
    absent(store.get(&key.id).await)?;
    store.create(&key).await?;
    assert_eq!(store.get(&key.id).await?, key);
    Ok(())
}

/// Rotates a key, at last without a former secret; everything else stays.
pub async fn a_rotated_key_has_its_new_secret_and_the_former_one_as_is_said(
    store: &dyn KeyStore,
) -> anyhow::Result<()> {
    for key in every_form(&tenant())? {
        if key.revoked_at.is_some() {
            continue;
        }
        store.create(&key).await?;
        let mut before = key;
        for accepted in [Some(HOUR), Some(HOUR * 2), None] {
            let former = accepted.map(|accepted| Former {
                hash: before.hash,
                until: now() + accepted,
            });
            let expected = ApiKey {
                hash: another_hash()?,
                former: former.clone(),
                ..before
            };
            assert_eq!(store.rotate(&expected.id, None, expected.hash, former).await?, expected);
            assert_eq!(store.get(&expected.id).await?, expected);
            before = expected;
        }
    }
    Ok(())
}

/// Rotates a key after its revocation.
pub async fn a_revoked_key_is_not_rotated(store: &dyn KeyStore) -> anyhow::Result<()> {
    let key = create(store, &tenant()).await?;
    let revoked = store.revoke(&key.id, now()).await?;
    let former = Former {
        hash: key.hash,
        until: now() + HOUR,
    };
    for former in [None, Some(former)] {
        refused(store.rotate(&key.id, None, another_hash()?, former).await)?;
        assert_eq!(store.get(&key.id).await?, revoked);
    }
    Ok(())
}

/// Rotates a key that had another secret meanwhile, and then from the one that it has.
pub async fn a_key_whose_secret_is_another_one_is_not_rotated(store: &dyn KeyStore) -> anyhow::Result<()> {
    for key in [key_of(&tenant())?, session_of(&tenant())?] {
        store.create(&key).await?;
        refused(
            store
                .rotate(&key.id, Some(another_hash()?), another_hash()?, None)
                .await,
        )?;
        assert_eq!(store.get(&key.id).await?, key);
        let hash = another_hash()?;
        let rotated = store.rotate(&key.id, Some(key.hash), hash, None).await?;
        assert_eq!(rotated, ApiKey { hash, ..key.clone() });
        refused(store.rotate(&key.id, Some(key.hash), another_hash()?, None).await)?;
        assert_eq!(store.get(&key.id).await?, rotated);
    }
    Ok(())
}

/// Revokes a key again and again; it keeps the first time, whether that is the earliest or not.
pub async fn a_key_is_revoked_once(store: &dyn KeyStore) -> anyhow::Result<()> {
    let (key, at) = (create(store, &tenant()).await?, now());
    let expected = ApiKey {
        revoked_at: Some(at),
        ..key
    };
    for time in [at, at + SECOND, at - SECOND, at] {
        assert_eq!(store.revoke(&expected.id, time).await?, expected);
        assert_eq!(store.get(&expected.id).await?, expected);
    }
    let listed = store.list(&expected.tenant, KeyKind::Key, None, 10).await?.keys;
    assert_eq!(listed, [expected]);
    Ok(())
}

/// Uses a key in another order than that of time, also after its revocation.
pub async fn a_use_moves_only_forward_and_changes_nothing_else(store: &dyn KeyStore) -> anyhow::Result<()> {
    let at = now();
    for key in every_form(&tenant())? {
        let mut expected = ApiKey {
            last_used_at: None,
            ..key
        };
        store.create(&expected).await?;
        for (seconds, last) in [(5, 5), (3, 5), (5, 5), (9, 9), (8, 9)] {
            store.used(&expected.id, at + SECOND * seconds).await?;
            expected.last_used_at = Some(at + SECOND * last);
            assert_eq!(store.get(&expected.id).await?, expected);
        }
        expected = store.revoke(&expected.id, at).await?;
        store.used(&expected.id, at + SECOND * 20).await?;
        expected.last_used_at = Some(at + SECOND * 20);
        assert_eq!(store.get(&expected.id).await?, expected);
    }
    Ok(())
}

/// Looks into a store before and after its first key, and after that was revoked.
pub async fn a_store_is_empty_until_its_first_key(store: &dyn KeyStore) -> anyhow::Result<()> {
    assert!(store.is_empty().await?);
    absent(store.used(&key_of(&tenant())?.id, now()).await)?;
    assert!(store.is_empty().await?);
    let key = create(store, &tenant()).await?;
    assert!(!store.is_empty().await?);
    store.revoke(&key.id, now()).await?;
    assert!(!store.is_empty().await?);
    create(store, &tenant()).await?;
    assert!(!store.is_empty().await?);
    Ok(())
}

/// Makes a key with nothing, one with everything, and some with one of what a key may have.
fn every_form(tenant: &Tenant) -> anyhow::Result<Vec<ApiKey>> {
    let (at, make) = (now(), || key_of(tenant));
    let former = Some(Former {
        hash: another_hash()?,
        until: at + HOUR,
    });
    let bounds = [
        "jobs:run[playbook=deploy.yml,inventory=staging,credential=staging-*]",
        "jobs:cancel[own]",
        "credentials:*[credential=staging-*]",
    ];
    Ok(vec![
        make()?,
        ApiKey {
            name: "\"'\\ {{ x }} ünï🦀".to_owned(),
            scopes: scopes(&bounds)?,
            former: former.clone(),
            expires_at: Some(at + HOUR),
            last_used_at: Some(at - SECOND),
            revoked_at: Some(at),
            ..make()?
        },
        ApiKey {
            scopes: Scopes::admin(),
            expires_at: Some(Timestamp::NEVER),
            ..make()?
        },
        ApiKey {
            name: "-".to_owned(),
            scopes: Scopes::default(),
            created_at: Timestamp::from_millis(1),
            created_by: "arn:aws:iam::123456789012:role/deploy".to_owned(),
            former,
            ..make()?
        },
        ApiKey {
            last_used_at: Some(at),
            ..make()?
        },
        session_of(tenant)?,
        ApiKey {
            session: Some(Session {
                subject: "oidc:https://id.example#ann".to_owned(),
                parent: None,
                first: another_hash()?,
            }),
            ..make()?
        },
    ])
}

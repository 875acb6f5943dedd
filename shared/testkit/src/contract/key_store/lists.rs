//! Lists of keys.

use anyhow::ensure;
use callboard_core::access::{ApiKey, KeyId, KeyKind, KeyPage, KeyStore};
use callboard_core::base::id::Tenant;
use futures_util::future::try_join_all;

use super::{create, key_of, session_of};
use crate::contract::samples::{now, refused, tenant};

/// More than the stores read at once.
const MANY: usize = 250;

/// Creates many keys, and reads them in pages of several sizes.
pub async fn lists_have_every_key_in_order_of_id(store: &dyn KeyStore) -> anyhow::Result<()> {
    let tenant = tenant();
    assert_eq!(
        store.list(&tenant, KeyKind::Key, None, 10).await?,
        KeyPage {
            keys: Vec::new(),
            has_more: false
        }
    );
    let mut keys = Vec::new();
    while keys.len() < MANY {
        let some = (0..50).map(|_| create(store, &tenant));
        keys.extend(try_join_all(some).await?);
    }
    keys[7] = store.revoke(&keys[7].id, now()).await?;
    keys.sort_by(|one, other| one.id.cmp(&other.id));
    for limit in [1000, 250, 249, 125, 100, 37] {
        let found = walk(store, &tenant, limit).await?;
        ensure!(found == keys, "{} were found by {limit}", found.len());
    }
    Ok(())
}

/// Goes on after ids that exist, that do not, and that are another tenant's. Digits come before letters, capital letters before others.
pub async fn a_list_goes_on_after_any_id(store: &dyn KeyStore) -> anyhow::Result<()> {
    let (tenant, other) = (tenant(), tenant());
    for (tenant, id) in [
        (&tenant, "b00000000000"),
        (&tenant, "Zzzzzzzzzzzz"),
        (&other, "aaaaaaaaaaaa"),
        (&tenant, "9zzzzzzzzzzz"),
        (&tenant, "a0000000000Z"),
    ] {
        let key = ApiKey {
            id: id.parse()?,
            ..key_of(tenant)?
        };
        store.create(&key).await?;
    }
    for (after, limit, expected, has_more) in [
        (None, 2, &["9zzzzzzzzzzz", "Zzzzzzzzzzzz"][..], true),
        (Some("Zzzzzzzzzzzz"), 1, &["a0000000000Z"], true),
        (Some("Zzzzzzzzzzzz"), 2, &["a0000000000Z", "b00000000000"], false),
        (Some("aaaaaaaaaaaa"), 9, &["b00000000000"], false),
        (Some("Y00000000000"), 1, &["Zzzzzzzzzzzz"], true),
        (Some("b00000000000"), 9, &[], false),
        (Some("zzzzzzzzzzzz"), 9, &[], false),
    ] {
        let after: Option<KeyId> = after.map(str::parse).transpose()?;
        let page = store.list(&tenant, KeyKind::Key, after.as_ref(), limit).await?;
        let ids: Vec<&str> = page.keys.iter().map(|key| key.id.as_str()).collect();
        assert_eq!((ids.as_slice(), page.has_more), (expected, has_more), "{after:?}");
    }
    Ok(())
}

/// Gives tenants a key each, whose names begin with one another's; a key itself is had by its id, whosever it is.
pub async fn tenants_see_nothing_of_each_other(store: &dyn KeyStore) -> anyhow::Result<()> {
    let name = tenant();
    let names = ["", "2", "#x", "/x", "#"].map(|end| Tenant::from(format!("{}{end}", name.as_str())));
    let mut keys = Vec::new();
    for tenant in &names {
        keys.push(create(store, tenant).await?);
    }
    for (tenant, key) in names.iter().zip(&keys) {
        assert_eq!(walk(store, tenant, 10).await?, std::slice::from_ref(key));
        assert_eq!(store.get(&key.id).await?, *key);
    }
    assert_eq!(walk(store, &tenant(), 10).await?, []);
    Ok(())
}

/// Creates sessions, then keys; neither is in the other's list, and sessions alone leave a store empty.
pub async fn sessions_are_listed_apart_and_do_not_count_as_keys(store: &dyn KeyStore) -> anyhow::Result<()> {
    let tenant = tenant();
    let mut sessions = vec![session_of(&tenant)?, session_of(&tenant)?, session_of(&tenant)?];
    sessions.sort_by(|one, other| one.id.cmp(&other.id));
    for session in &sessions {
        store.create(session).await?;
        refused(store.create(session).await)?;
        assert!(store.is_empty().await?);
    }
    let keys = [create(store, &tenant).await?];
    assert!(!store.is_empty().await?);
    assert_eq!(walk(store, &tenant, 10).await?, keys);
    sessions[1] = store.revoke(&sessions[1].id, now()).await?;
    let page = store.list(&tenant, KeyKind::Session, None, 2).await?;
    assert_eq!((&page.keys[..], page.has_more), (&sessions[..2], true));
    let after = Some(&sessions[1].id);
    let page = store.list(&tenant, KeyKind::Session, after, 2).await?;
    assert_eq!((&page.keys[..], page.has_more), (&sessions[2..], false));
    Ok(())
}

/// Reads all pages; each but the last is full.
async fn walk(store: &dyn KeyStore, tenant: &Tenant, limit: u32) -> anyhow::Result<Vec<ApiKey>> {
    let mut found: Vec<ApiKey> = Vec::new();
    loop {
        let after = found.last().map(|key| &key.id);
        let page = store.list(tenant, KeyKind::Key, after, limit).await?;
        ensure!(page.keys.len() <= limit as usize, "{} are too many", page.keys.len());
        ensure!(!page.has_more || page.keys.len() == limit as usize, "a page has gaps");
        found.extend(page.keys);
        if !page.has_more {
            return Ok(found);
        }
    }
}

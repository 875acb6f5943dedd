//! The behaviour of every [`HostKeyStore`].

use std::collections::BTreeSet;

use callboard_core::base::id::Tenant;
use callboard_core::base::store_error::StoreError;
use callboard_core::credential::HostKeyStore;
use callboard_core::credential::known_hosts::HostKey;
use futures_util::future::try_join_all;

use crate::contract::samples::tenant;

/// Expands into one test per behaviour; `$make` returns an empty store and whatever must outlive it.
#[macro_export]
macro_rules! host_key_store_contract {
    ($make:path) => {
        $crate::contract_tests! { $make, host_key_store, [
            keys_are_had_as_they_were_kept_by_their_tenant_alone,
            a_host_keeps_its_first_key,
            of_many_that_are_kept_at_once_none_is_lost,
            a_forgotten_host_may_have_another_key,
        ] }
    };
}

const KEYS: [&str; 2] = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMSfNIH3MoVOc8yMlMVdiMdWLZmjBIzQSbSSvZAr7skT",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKPdt65DBLk6XgGwF+EPwe/WPidkte8bLn76B5O0Ml5l",
];

fn key(host: impl Into<String>, number: usize) -> HostKey {
    HostKey {
        host: host.into(),
        key: KEYS[number].to_owned(),
    }
}

async fn lines(store: &dyn HostKeyStore, tenant: &Tenant) -> Result<BTreeSet<String>, StoreError> {
    let keys = store.load(tenant).await?;
    Ok(keys.iter().map(HostKey::to_string).collect())
}

/// Keeps keys for host names of every form.
///
/// # Errors
/// The behaviour does not hold.
pub async fn keys_are_had_as_they_were_kept_by_their_tenant_alone(store: &dyn HostKeyStore) -> anyhow::Result<()> {
    let (tenant, other) = (tenant(), tenant());
    assert!(store.load(&tenant).await?.is_empty());
    store.keep(&tenant, &[]).await?;
    let hashed = "|1|j8sgi/qcOfB94jwlajhBdJc45sU=|GRPSAOezG/lxCNFFKJkipyGmjTA=";
    let names = ["web1", "[web1]:2222", "10.0.0.5", "2001:db8::1", "fe80::1%eth0", hashed];
    let keys: Vec<HostKey> = names.iter().map(|name| key(*name, 0)).collect();
    store.keep(&tenant, &keys[..2]).await?;
    store.keep(&tenant, &keys[2..]).await?;
    assert_eq!(
        lines(store, &tenant).await?,
        keys.iter().map(HostKey::to_string).collect()
    );
    assert!(store.load(&other).await?.is_empty());
    Ok(())
}

/// A second key for a host changes nothing; the keys that come with it are kept.
///
/// # Errors
/// The behaviour does not hold.
pub async fn a_host_keeps_its_first_key(store: &dyn HostKeyStore) -> anyhow::Result<()> {
    let tenant = tenant();
    store.keep(&tenant, &[key("web1", 0)]).await?;
    store.keep(&tenant, &[key("web1", 1), key("web2", 1)]).await?;
    store.keep(&tenant, &[key("web1", 0)]).await?;
    let expected = [key("web1", 0), key("web2", 1)]
        .iter()
        .map(HostKey::to_string)
        .collect();
    assert_eq!(lines(store, &tenant).await?, expected);
    Ok(())
}

/// Many workers keep keys at the same time: each for its own host, and all of them also for one common host.
///
/// # Errors
/// The behaviour does not hold.
pub async fn of_many_that_are_kept_at_once_none_is_lost(store: &dyn HostKeyStore) -> anyhow::Result<()> {
    let tenant = tenant();
    let sets: Vec<Vec<HostKey>> = (0..20)
        .map(|worker| vec![key(format!("web{worker}"), 0), key("common", worker % 2)])
        .collect();
    try_join_all(sets.iter().map(|keys| store.keep(&tenant, keys))).await?;
    let kept = store.load(&tenant).await?;
    let hosts: BTreeSet<&str> = kept.iter().map(|key| key.host.as_str()).collect();
    assert_eq!((kept.len(), hosts.len()), (21, 21), "{kept:?}");
    Ok(())
}

/// Forgetting a host without a key fails.
///
/// # Errors
/// The behaviour does not hold.
pub async fn a_forgotten_host_may_have_another_key(store: &dyn HostKeyStore) -> anyhow::Result<()> {
    let tenant = tenant();
    let forgotten = |host| store.forget(&tenant, host);
    assert!(matches!(forgotten("web1").await, Err(StoreError::NotFound)));
    store.keep(&tenant, &[key("web1", 0), key("[web1]:2222", 0)]).await?;
    forgotten("web1").await?;
    assert!(matches!(forgotten("web1").await, Err(StoreError::NotFound)));
    store.keep(&tenant, &[key("web1", 1)]).await?;
    let expected = [key("web1", 1), key("[web1]:2222", 0)]
        .iter()
        .map(HostKey::to_string)
        .collect();
    assert_eq!(lines(store, &tenant).await?, expected);
    assert!(store.how_to_forget(&tenant, "[web1]:2222").contains("[web1]:2222"));
    Ok(())
}

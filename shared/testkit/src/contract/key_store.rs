//! The behaviour of every [`KeyStore`].

mod changes;
mod lists;
mod races;

pub use changes::*;
pub use lists::*;
pub use races::*;

use callboard_core::access::{ApiKey, KeyStore, NotAScope, Parent, Presented, Scopes, SecretHash, Session};
use callboard_core::base::id::Tenant;

use crate::contract::samples::{HOUR, now};

/// Expands into one test per behaviour; `$make` returns an empty store and whatever must outlive it.
#[macro_export]
macro_rules! key_store_contract {
    ($make:path) => {
        $crate::contract_tests! { $make, key_store, [
            a_key_reads_back_as_it_was_given,
            an_id_is_taken_once,
            what_is_not_there_is_not_found,
            a_rotated_key_has_its_new_secret_and_the_former_one_as_is_said,
            a_revoked_key_is_not_rotated,
            a_key_whose_secret_is_another_one_is_not_rotated,
            a_key_is_revoked_once,
            a_use_moves_only_forward_and_changes_nothing_else,
            of_several_who_create_one_key_one_does,
            keys_that_are_created_at_once_are_all_there,
            changes_at_once_lose_nothing,
            of_several_rotations_of_one_secret_one_happens,
            a_revoked_key_stays_revoked_whatever_comes_at_once,
            lists_have_every_key_in_order_of_id,
            a_list_goes_on_after_any_id,
            tenants_see_nothing_of_each_other,
            a_store_is_empty_until_its_first_key,
            sessions_are_listed_apart_and_do_not_count_as_keys,
        ] }
    };
}

/// Makes a key of a tenant, with a random id and secret, and nothing that a key need not have.
///
/// # Errors
/// The system has no randomness.
pub fn key_of(tenant: &Tenant) -> anyhow::Result<ApiKey> {
    let presented = Presented::generate()?;
    Ok(ApiKey {
        hash: presented.hash(),
        id: presented.id,
        tenant: tenant.clone(),
        name: "ci".to_owned(),
        scopes: scopes(&["jobs:read"])?,
        former: None,
        created_at: now(),
        created_by: "key:first".to_owned(),
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
        session: None,
    })
}

/// Makes a session of a tenant, which was made with a key.
///
/// # Errors
/// The system has no randomness.
pub fn session_of(tenant: &Tenant) -> anyhow::Result<ApiKey> {
    let (key, parent) = (key_of(tenant)?, Presented::generate()?);
    let session = Session {
        subject: format!("key:{}", parent.id),
        first: key.hash,
        parent: Some(Parent {
            hash: parent.hash(),
            id: parent.id,
        }),
    };
    Ok(ApiKey {
        name: "key:ci".to_owned(),
        expires_at: Some(now() + HOUR * 8),
        session: Some(session),
        ..key
    })
}

/// Makes what is kept of another secret.
///
/// # Errors
/// The system has no randomness.
pub fn another_hash() -> anyhow::Result<SecretHash> {
    Ok(Presented::generate()?.hash())
}

/// Reads scopes.
///
/// # Errors
/// One of them is none.
pub fn scopes(texts: &[&str]) -> Result<Scopes, NotAScope> {
    texts
        .iter()
        .map(|text| text.parse())
        .collect::<Result<_, _>>()
        .map(Scopes)
}

/// Creates a key of a tenant.
///
/// # Errors
/// The store refuses the key.
pub async fn create(store: &dyn KeyStore, tenant: &Tenant) -> anyhow::Result<ApiKey> {
    let key = key_of(tenant)?;
    store.create(&key).await?;
    Ok(key)
}

//! Creating, rotating and removing credentials, one at a time and concurrently.

use std::time::Duration;

use anyhow::{bail, ensure};
use callboard_core::base::store_error::StoreError;
use callboard_core::credential::CredentialStore;
use futures_util::future::join_all;

use super::{all, credential, password};
use crate::contract::samples::{now, refused, tenant};

/// Creates a credential twice.
///
/// # Errors
/// The behaviour does not hold.
pub async fn a_name_is_taken_once(store: &dyn CredentialStore) -> anyhow::Result<()> {
    let (tenant, first) = (tenant(), password("first-value")?);
    store.create(&tenant, "a", &first, now()).await?;
    refused(store.create(&tenant, "a", &password("second-value")?, now()).await)?;
    ensure!(
        store.get(&tenant, "a").await? == first,
        "the second value replaced the first"
    );
    Ok(())
}

/// Rotates a credential twice.
///
/// # Errors
/// The behaviour does not hold.
pub async fn a_rotated_credential_has_its_new_value_and_its_first_date(
    store: &dyn CredentialStore,
) -> anyhow::Result<()> {
    let (tenant, at) = (tenant(), now());
    store.create(&tenant, "a", &password("value-0")?, at).await?;
    for number in 1..3 {
        let (value, later) = (password(&format!("value-{number}"))?, at + Duration::from_secs(number));
        let rotated = store.rotate(&tenant, "a", &value, later).await?;
        assert_eq!((rotated.created_at, rotated.updated_at), (at, later));
        assert_eq!(store.describe(&tenant, "a").await?, rotated);
        ensure!(store.get(&tenant, "a").await? == value, "the value is not the new one");
    }
    Ok(())
}

/// Rotates a password to a token.
///
/// # Errors
/// The behaviour does not hold.
pub async fn a_rotation_to_another_kind_changes_nothing(store: &dyn CredentialStore) -> anyhow::Result<()> {
    let (tenant, value) = (tenant(), password("the-password")?);
    let created = store.create(&tenant, "a", &value, now()).await?;
    let token = credential(&serde_json::json!({"kind": "bearer", "token": "the-token"}))?;
    let later = now() + Duration::from_secs(60);
    refused(store.rotate(&tenant, "a", &token, later).await)?;
    assert_eq!(store.describe(&tenant, "a").await?, created);
    ensure!(store.get(&tenant, "a").await? == value, "the value has changed");
    Ok(())
}

/// Asks for credentials that never existed.
///
/// # Errors
/// The behaviour does not hold.
pub async fn what_is_not_there_is_not_found(store: &dyn CredentialStore) -> anyhow::Result<()> {
    let tenant = tenant();
    not_found(store.get(&tenant, "a").await)?;
    not_found(store.describe(&tenant, "a").await)?;
    not_found(store.remove(&tenant, "a").await)?;
    not_found(store.rotate(&tenant, "a", &password("value")?, now()).await)?;
    assert_eq!(all(store, &tenant).await?, []);
    Ok(())
}

/// Removes a credential, and creates one with its name again, of another kind.
///
/// # Errors
/// The behaviour does not hold.
pub async fn a_removed_credential_is_gone_and_its_name_is_free(store: &dyn CredentialStore) -> anyhow::Result<()> {
    let tenant = tenant();
    store.create(&tenant, "a", &password("first-value")?, now()).await?;
    store.remove(&tenant, "a").await?;
    not_found(store.get(&tenant, "a").await)?;
    not_found(store.describe(&tenant, "a").await)?;
    not_found(store.remove(&tenant, "a").await)?;
    assert_eq!(all(store, &tenant).await?, []);
    let again = credential(&serde_json::json!({"kind": "bearer", "token": "the-token"}))?;
    store.create(&tenant, "a", &again, now()).await?;
    ensure!(store.get(&tenant, "a").await? == again, "the new value differs");
    Ok(())
}

/// Gives two tenants a credential with the same name.
///
/// # Errors
/// The behaviour does not hold.
pub async fn tenants_see_nothing_of_each_other(store: &dyn CredentialStore) -> anyhow::Result<()> {
    let (one, other) = (tenant(), tenant());
    let (ones, others) = (password("the-ones")?, password("the-others")?);
    store.create(&one, "a", &ones, now()).await?;
    not_found(store.get(&other, "a").await)?;
    not_found(store.describe(&other, "a").await)?;
    not_found(store.rotate(&other, "a", &others, now()).await)?;
    not_found(store.remove(&other, "a").await)?;
    assert_eq!(all(store, &other).await?, []);
    store.create(&other, "a", &others, now()).await?;
    store.remove(&one, "a").await?;
    ensure!(store.get(&other, "a").await? == others, "the other's value differs");
    Ok(())
}

/// Creates credentials in another order than the listed one; one name is a prefix of another.
///
/// # Errors
/// The behaviour does not hold.
pub async fn lists_are_sorted_by_name_and_paged(store: &dyn CredentialStore) -> anyhow::Result<()> {
    let tenant = tenant();
    for name in ["b", "a-1", "a", "C", "a.b"] {
        store.create(&tenant, name, &password("the-value")?, now()).await?;
    }
    let found = all(store, &tenant).await?;
    let names: Vec<&str> = found.iter().map(|summary| summary.name.as_str()).collect();
    assert_eq!(names, ["C", "a", "a-1", "a.b", "b"]);
    for (after, limit, expected, has_more) in [
        (None, 2, &["C", "a"][..], true),
        (Some("a"), 2, &["a-1", "a.b"], true),
        (Some("a.b"), 1, &["b"], false),
        (Some("a.a"), 9, &["a.b", "b"], false),
        (Some("b"), 9, &[], false),
    ] {
        let page = store.list(&tenant, after, limit).await?;
        let names: Vec<String> = page.credentials.into_iter().map(|summary| summary.name).collect();
        assert_eq!(
            (names.as_slice(), page.has_more),
            (
                &expected.iter().map(ToString::to_string).collect::<Vec<_>>()[..],
                has_more
            )
        );
    }
    Ok(())
}

/// Creates one credential several times at once.
///
/// # Errors
/// The behaviour does not hold.
pub async fn of_several_who_create_one_credential_one_does(store: &dyn CredentialStore) -> anyhow::Result<()> {
    let tenant = tenant();
    let values: Vec<_> = (0..8)
        .map(|number| password(&format!("value-{number}")))
        .collect::<Result<_, _>>()?;
    let created = join_all(values.iter().map(|value| store.create(&tenant, "a", value, now()))).await;
    let mut winners = Vec::new();
    for (created, value) in created.into_iter().zip(&values) {
        match created {
            Ok(_) => winners.push(value),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    ensure!(winners.len() == 1, "{} created it", winners.len());
    ensure!(
        store.get(&tenant, "a").await? == *winners[0],
        "the value is not the winner's"
    );
    Ok(())
}

fn not_found<T>(result: Result<T, StoreError>) -> anyhow::Result<()> {
    match result {
        Err(StoreError::NotFound) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => bail!("it is there"),
    }
}

//! Workers read the values that were stored; summaries show nothing of them.

use anyhow::ensure;
use callboard_core::credential::{CredentialKind, CredentialStore, CredentialSummary};

use super::{all, every_kind, password};
use crate::contract::samples::{now, tenant};

/// Stores and reads a credential of every kind.
///
/// # Errors
/// The behaviour does not hold.
pub async fn a_credential_of_every_kind_reads_back_as_it_was_given(store: &dyn CredentialStore) -> anyhow::Result<()> {
    let tenant = tenant();
    for (number, credential) in every_kind()?.into_iter().enumerate() {
        let name = format!("c{number}");
        let created = store.create(&tenant, &name, &credential, now()).await?;
        assert_eq!(created.kind, credential.kind());
        // not `assert_eq`, which would print the values
        ensure!(
            store.get(&tenant, &name).await? == credential,
            "{} differs",
            created.kind
        );
    }
    Ok(())
}

/// Stores texts that a careless reader or writer would change.
///
/// # Errors
/// The behaviour does not hold.
pub async fn awkward_and_large_values_read_back_as_they_were_given(store: &dyn CredentialStore) -> anyhow::Result<()> {
    let tenant = tenant();
    let large = "ünï🦀".repeat(900);
    for (number, text) in ["\"'\\ {{ x }}", "x \u{1b}[31m\t x", "NULL", &large].iter().enumerate() {
        let (name, credential) = (format!("c{number}"), password(text)?);
        store.create(&tenant, &name, &credential, now()).await?;
        ensure!(store.get(&tenant, &name).await? == credential, "value {number} differs");
    }
    Ok(())
}

/// Compares the answers of creating, describing and listing.
///
/// # Errors
/// The behaviour does not hold.
pub async fn what_is_shown_of_a_credential_is_its_name_kind_and_dates(
    store: &dyn CredentialStore,
) -> anyhow::Result<()> {
    let (tenant, at, name) = (tenant(), now(), "Prod_1.ssh-key");
    let created = store.create(&tenant, name, &password("shown-to-nobody")?, at).await?;
    let expected = CredentialSummary {
        name: name.to_owned(),
        kind: CredentialKind::Password,
        created_at: at,
        updated_at: at,
    };
    assert_eq!(created, expected);
    assert_eq!(store.describe(&tenant, name).await?, expected);
    assert_eq!(all(store, &tenant).await?, [expected]);
    Ok(())
}

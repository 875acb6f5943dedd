//! The behaviour of every `CredentialStore`.

mod changes;
mod values;

pub use changes::*;
pub use values::*;

use anyhow::Context;
use callboard_core::base::fields::Faults;
use callboard_core::base::id::Tenant;
use callboard_core::credential::{Credential, CredentialStore, CredentialSummary};
use serde_json::{Value, json};

/// Expands into one test per behaviour; `$make` returns an empty store and whatever must outlive it.
#[macro_export]
macro_rules! credential_store_contract {
    ($make:path) => {
        $crate::contract_tests! { $make, credential_store, [
            a_credential_of_every_kind_reads_back_as_it_was_given,
            awkward_and_large_values_read_back_as_they_were_given,
            what_is_shown_of_a_credential_is_its_name_kind_and_dates,
            a_name_is_taken_once,
            a_rotated_credential_has_its_new_value_and_its_first_date,
            a_rotation_to_another_kind_changes_nothing,
            what_is_not_there_is_not_found,
            a_removed_credential_is_gone_and_its_name_is_free,
            tenants_see_nothing_of_each_other,
            lists_are_sorted_by_name_and_paged,
            of_several_who_create_one_credential_one_does,
        ] }
    };
}

/// Returns the summaries of all credentials of a tenant.
///
/// # Errors
/// They cannot be listed, or there are more of them than a test creates.
pub async fn all(store: &dyn CredentialStore, tenant: &Tenant) -> anyhow::Result<Vec<CredentialSummary>> {
    let page = store.list(tenant, None, 1000).await?;
    anyhow::ensure!(!page.has_more, "there are more");
    Ok(page.credentials)
}

/// Makes a credential of kind `password`.
///
/// # Errors
/// It is refused.
pub fn password(text: &str) -> anyhow::Result<Credential> {
    credential(&json!({"kind": "password", "password": text}))
}

/// Parses a credential as the API does.
///
/// # Errors
/// It is refused.
pub fn credential(body: &Value) -> anyhow::Result<Credential> {
    let mut faults = Faults::default();
    let credential = Credential::parse(body, &mut faults);
    let faults = faults.into_inner();
    anyhow::ensure!(faults.is_empty(), "{faults:?}");
    credential.context("a credential")
}

/// Makes a credential of every kind, with every field.
///
/// # Errors
/// One of them is refused.
pub fn every_kind() -> anyhow::Result<Vec<Credential>> {
    bodies().iter().map(credential).collect()
}

/// Returns requests for credentials of every kind, without names, and with every field that the kind can have.
#[must_use]
pub fn bodies() -> Vec<Value> {
    let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n-----END OPENSSH PRIVATE KEY-----\n";
    let certificate = "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5 user@host";
    let known = "# web\nweb1,[10.0.0.5]:2222 ssh-ed25519 \
                 AAAAC3NzaC1lZDI1NTE5AAAAIMSfNIH3MoVOc8yMlMVdiMdWLZmjBIzQSbSSvZAr7skT web1\n";
    let vault = "https://vault.example.com:8200";
    vec![
        json!({
            "kind": "ssh", "private_key": key, "passphrase": "key-passphrase", "certificate": certificate, "known_hosts": known,
        }),
        json!({"kind": "password", "password": "pass-word-1"}),
        json!({"kind": "vault", "password": "vault-word-1", "vault_id": "prod"}),
        json!({
            "kind": "git", "username": "bot", "token": "git-token-1", "private_key": key, "passphrase": "git-passphrase",
            "known_hosts": known, "hosts": ["git.example.com:8443"],
        }),
        json!({"kind": "galaxy", "token": "galaxy-token-1", "hosts": ["galaxy.example.com"]}),
        json!({
            "kind": "cloud", "access_key_id": "AKIAEXAMPLE", "secret_access_key": "cloud-key-1",
            "session_token": "cloud-session-1", "role_arn": "arn:aws:iam::123456789012:role/deploy",
            "external_id": "ext", "region": "eu-central-1",
        }),
        json!({"kind": "bearer", "token": "bearer-token-1", "hosts": ["inventory.example.com"]}),
        json!({"kind": "header", "header": "X-Api-Key", "value": "header-value-1", "hosts": ["cmdb.example.com"]}),
        json!({"kind": "hashicorp_vault", "url": vault, "namespace": "ops", "token": "hvs.vault-token-1"}),
        json!({
            "kind": "hashicorp_vault", "url": vault, "role_id": "r-1", "secret_id": "approle-secret-1", "mount": "ansible",
        }),
        json!({
            "kind": "hashicorp_vault", "url": vault, "role": "deploy", "server_id": "vault", "cloud_credential": "aws-prod",
        }),
        // valid until 2126
        json!({
            "kind": "client_certificate", "certificate": include_str!("credential_store/client.crt"),
            "private_key": include_str!("credential_store/client.key"), "hosts": ["api.example.com"],
        }),
    ]
}

//! [`CredentialStore`] on AWS Secrets Manager. The parts of a credential that may be shown are in the tags of its
//! secret, so that only [`CredentialStore::get`] reads a value.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType};
use callboard_core::base::id::Tenant;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::credential::{Credential, CredentialPage, CredentialStore, CredentialSummary};
use tokio::time::{Instant, sleep};

use crate::credential_tags::{Tags, updated};
use crate::error::{is_being_deleted, secrets_manager};

/// How long to wait for a deletion: a secret that is deleted without recovery is gone within seconds.
const DELETION_LIMIT: Duration = Duration::from_secs(10);
const DELETION_POLL: Duration = Duration::from_millis(250);

/// Keeps each credential as a secret `PREFIX/TENANT/NAME`, whose value is JSON.
#[derive(Clone, Debug)]
pub struct SecretsManagerCredentialStore {
    client: Client,
    prefix: String,
}

impl SecretsManagerCredentialStore {
    /// Uses the secrets whose names begin with `prefix` and a slash.
    #[must_use]
    pub fn new(config: &SdkConfig, prefix: String) -> Self {
        let client = Client::new(config);
        Self { client, prefix }
    }

    fn folder(&self, tenant: &Tenant) -> String {
        format!("{}/{}/", self.prefix, tenant.as_str())
    }

    fn id(&self, tenant: &Tenant, name: &str) -> String {
        format!("{}{name}", self.folder(tenant))
    }
}

#[async_trait]
impl CredentialStore for SecretsManagerCredentialStore {
    /// Waits for a removal of the same name that is in progress.
    async fn create(
        &self,
        tenant: &Tenant,
        name: &str,
        credential: &Credential,
        now: Timestamp,
    ) -> Result<CredentialSummary, StoreError> {
        let tags = Tags::new(credential.kind(), now);
        let deadline = Instant::now() + DELETION_LIMIT;
        let id = self.id(tenant, name);
        let create = self.client.create_secret().name(&id).secret_string(value(credential)?);
        let create = create.set_tags(Some(tags.to_secret()));
        loop {
            match create.clone().send().await {
                Ok(_) => return Ok(tags.summary(name)),
                Err(error) if !is_being_deleted(&error) => return Err(secrets_manager(error)),
                Err(_) if Instant::now() > deadline => return Err(pending_deletion(&id)),
                Err(_) => sleep(DELETION_POLL).await,
            }
        }
    }

    async fn rotate(
        &self,
        tenant: &Tenant,
        name: &str,
        credential: &Credential,
        now: Timestamp,
    ) -> Result<CredentialSummary, StoreError> {
        let found = self.describe(tenant, name).await?;
        if found.kind != credential.kind() {
            return Err(StoreError::Conflict);
        }
        let id = self.id(tenant, name);
        let put = self.client.put_secret_value().secret_id(&id);
        let put = put.secret_string(value(credential)?);
        put.send().await.map_err(secrets_manager)?;
        let tag = self.client.tag_resource().secret_id(&id).tags(updated(now));
        tag.send().await.map_err(secrets_manager)?;
        Ok(CredentialSummary {
            updated_at: now,
            ..found
        })
    }

    async fn get(&self, tenant: &Tenant, name: &str) -> Result<Credential, StoreError> {
        let get = self.client.get_secret_value().secret_id(self.id(tenant, name));
        let found = match get.send().await {
            Err(error) if is_being_deleted(&error) => return Err(StoreError::NotFound),
            found => found.map_err(secrets_manager)?,
        };
        let text = found.secret_string().unwrap_or_default();
        serde_json::from_str(text).map_err(|_| unreadable(&self.id(tenant, name)))
    }

    async fn describe(&self, tenant: &Tenant, name: &str) -> Result<CredentialSummary, StoreError> {
        let id = self.id(tenant, name);
        let describe = self.client.describe_secret().secret_id(&id);
        let found = describe.send().await.map_err(secrets_manager)?;
        if found.deleted_date().is_some() {
            return Err(StoreError::NotFound);
        }
        let tags = Tags::parse(found.tags()).ok_or_else(|| unreadable(&id))?;
        Ok(tags.summary(name))
    }

    /// Secrets Manager may take minutes to list a new secret. A secret without Callboard's tags is left out. Secrets
    /// Manager does not list in the order of names, so each page reads all secrets.
    async fn list(&self, tenant: &Tenant, after: Option<&str>, limit: u32) -> Result<CredentialPage, StoreError> {
        let folder = self.folder(tenant);
        let by_name = Filter::builder()
            .key(FilterNameStringType::Name)
            .values(&folder)
            .build();
        let mut pages = self.client.list_secrets().filters(by_name).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            for secret in page.map_err(secrets_manager)?.secret_list() {
                let name = secret.name().and_then(|name| name.strip_prefix(&folder));
                let tags = Tags::parse(secret.tags());
                found.extend(name.zip(tags).map(|(name, tags)| tags.summary(name)));
            }
        }
        found.retain(|summary| after.is_none_or(|after| summary.name.as_str() > after));
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(CredentialPage::new(found, limit))
    }

    async fn remove(&self, tenant: &Tenant, name: &str) -> Result<(), StoreError> {
        // a forced removal succeeds even if there is no such secret
        self.describe(tenant, name).await?;
        let remove = self.client.delete_secret().secret_id(self.id(tenant, name));
        let removed = remove.force_delete_without_recovery(true).send().await;
        removed.map(drop).map_err(secrets_manager)
    }
}

fn value(credential: &Credential) -> Result<String, StoreError> {
    serde_json::to_string(credential).map_err(|error| StoreError::Rejected(Box::new(error)))
}

fn pending_deletion(id: &str) -> StoreError {
    let how = "restore it, or delete it without recovery, in Secrets Manager";
    StoreError::Rejected(format!("a secret {id} is scheduled for deletion and keeps its name until then; {how}").into())
}

/// Leaves out Serde's own message, because that would quote the secret.
fn unreadable(id: &str) -> StoreError {
    let what = "is not as Callboard writes it: it was changed by somebody else, or by a newer release";
    StoreError::Corrupt(format!("the secret {id} {what}; store the credential again").into())
}

//! Keeps the secrets of a test.

use async_trait::async_trait;
use callboard_core::base::id::Tenant;
use callboard_core::credential::{AwsKeys, CloudRef, Credential, CredentialKind, CredentialRef, SecretError, Secrets};

/// Keeps one credential, whatever its name, and keys for AWS.
#[derive(Clone, Default)]
pub struct Keeper {
    /// The credential.
    pub credential: Option<Credential>,
    /// The keys of every cloud that is named.
    pub cloud: Option<AwsKeys>,
    /// The worker's own keys.
    pub own: Option<AwsKeys>,
}

impl Keeper {
    /// Makes a keeper of a credential.
    #[must_use]
    pub fn of(credential: Credential) -> Self {
        Self {
            credential: Some(credential),
            ..Self::default()
        }
    }
}

#[async_trait]
impl Secrets for Keeper {
    async fn resolve(
        &self,
        _: &Tenant,
        _: &CredentialRef,
        kinds: &[CredentialKind],
    ) -> Result<Credential, SecretError> {
        let kept = self.credential.clone();
        kept.filter(|credential| kinds.contains(&credential.kind()))
            .ok_or_else(|| SecretError::new("There is no such credential."))
    }

    async fn cloud(&self, _: &Tenant, _: &CloudRef, _: &str) -> Result<AwsKeys, SecretError> {
        self.cloud.clone().ok_or_else(|| SecretError::new("There is no cloud."))
    }

    async fn own_cloud(&self) -> Result<AwsKeys, SecretError> {
        self.own
            .clone()
            .ok_or_else(|| SecretError::new("There is no identity."))
    }
}

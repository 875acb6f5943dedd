//! x
use callboard_core::{access::CloudRef, credential::*, id::Tenant, ports::*, reference::CredentialRef};
use std::sync::Arc;
pub(crate) struct Stub(pub(crate) Arc<dyn CredentialStore>);
#[async_trait::async_trait]
impl Secrets for Stub {
    async fn resolve(
        &self,
        tenant: &Tenant,
        reference: &CredentialRef,
        _k: &[CredentialKind],
    ) -> Result<Credential, SecretError> {
        match reference {
            CredentialRef::Stored(name) => self.0.get(tenant, name).await.map_err(|e| SecretError::caused("no", e)),
            _ => Err(SecretError::new("no")),
        }
    }
    async fn cloud(&self, _: &Tenant, _: &CloudRef, _: &str) -> Result<AwsKeys, SecretError> {
        Err(SecretError::new("no"))
    }
}

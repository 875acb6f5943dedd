//! HashiCorp Vault, and services with the same API.

mod api;
mod kv;
mod login;

use callboard_core::base::id::Tenant;
use callboard_core::credential::{Credential, CredentialKind};

use self::api::Vault;
use crate::fault::Fault;
use crate::pick::pick;
use crate::resolver::Resolver;

/// The credential to use if a request names none.
const DEFAULT_CREDENTIAL: &str = "hashicorp-vault";

impl Resolver {
    /// Reads one value of a secret in Vault.
    pub(crate) async fn vault_text(
        &self,
        tenant: &Tenant,
        path: &str,
        key: Option<&str>,
        credential: Option<&str>,
    ) -> Result<String, Fault> {
        let name = credential.unwrap_or(DEFAULT_CREDENTIAL);
        let found = self.stored(tenant, name, &[CredentialKind::HashicorpVault]).await?;
        let Credential::HashicorpVault(access) = found else {
            return Err(Fault::new(format!(
                "the credential {name:?} is none for HashiCorp Vault"
            )));
        };
        let vault = Vault::new(&self.caller, &access);
        let login = self.log_in(tenant, &vault, &access).await?;
        let vault = vault.with(&login.token);
        let values = kv::read(&vault, path).await;
        if login.is_temporary {
            vault.revoke().await;
        }
        pick(&values?, key, "vault_key")
    }
}

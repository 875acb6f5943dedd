//! The port `Secrets`: turns a reference into the credential it stands for.

use std::sync::Arc;

use async_trait::async_trait;
use callboard_core::base::id::Tenant;
use callboard_core::base::store_error::StoreError;
use callboard_core::credential::{
    AwsKeys, CloudRef, Credential, CredentialKind, CredentialRef, CredentialStore, SecretError, Secrets,
};
use callboard_core::policy::Policy;
use callboard_http::FetchError;

use crate::aws::{Aws, Endpoints};
use crate::call::Caller;
use crate::fault::Fault;
use crate::identity::OwnIdentity;

/// The settings of a deployment.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The prefix of the names of the service's own secrets; requests never get one of these.
    pub own_prefix: Option<String>,
    /// The addresses of AWS's services.
    pub endpoints: Endpoints,
}

/// Resolves references with a store of credentials, a policy and the worker's own identity.
pub struct Resolver {
    pub(crate) store: Arc<dyn CredentialStore>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) own: Arc<dyn OwnIdentity>,
    pub(crate) own_prefix: Option<String>,
    pub(crate) caller: Arc<Caller>,
    pub(crate) aws: Aws,
}

impl Resolver {
    /// Makes a resolver.
    ///
    /// # Errors
    /// No HTTP client can be made.
    pub fn new(
        store: Arc<dyn CredentialStore>,
        policy: Arc<Policy>,
        own: Arc<dyn OwnIdentity>,
        settings: Settings,
    ) -> Result<Self, FetchError> {
        let caller = Arc::new(Caller::new()?);
        Ok(Self {
            store,
            policy,
            own,
            own_prefix: settings.own_prefix.filter(|prefix| !prefix.is_empty()),
            aws: Aws::new(Arc::clone(&caller), settings.endpoints),
            caller,
        })
    }

    /// Returns a credential from Callboard's own store.
    pub(crate) async fn stored(
        &self,
        tenant: &Tenant,
        name: &str,
        kinds: &[CredentialKind],
    ) -> Result<Credential, Fault> {
        let credential = self.store.get(tenant, name).await.map_err(|error| match error {
            StoreError::NotFound => Fault::new(format!("the credential {name:?} is not there")),
            error => Fault::caused(format!("the credential {name:?} could not be read"), error),
        })?;
        let found = credential.kind();
        if kinds.contains(&found) {
            return Ok(credential);
        }
        let needed = kind_names(kinds);
        let what = format!("the credential {name:?} is of kind {found}, but a credential of kind {needed} is needed");
        Err(Fault::new(what))
    }

    pub(crate) async fn find(
        &self,
        tenant: &Tenant,
        reference: &CredentialRef,
        kinds: &[CredentialKind],
    ) -> Result<Credential, Fault> {
        match reference {
            CredentialRef::Stored(name) => self.stored(tenant, name, kinds).await,
            CredentialRef::External(secret) => self.external(tenant, secret, kinds).await,
        }
    }
}

/// Lists kinds, as in `ssh or git`.
pub(crate) fn kind_names(kinds: &[CredentialKind]) -> String {
    kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(" or ")
}

#[async_trait]
impl Secrets for Resolver {
    async fn resolve(
        &self,
        tenant: &Tenant,
        reference: &CredentialRef,
        kinds: &[CredentialKind],
    ) -> Result<Credential, SecretError> {
        Ok(self.find(tenant, reference, kinds).await?)
    }

    async fn cloud(&self, tenant: &Tenant, cloud: &CloudRef, session: &str) -> Result<AwsKeys, SecretError> {
        Ok(self.keys_for(tenant, cloud, session).await?)
    }

    async fn own_cloud(&self) -> Result<AwsKeys, SecretError> {
        Ok(self.own_keys().await?)
    }
}

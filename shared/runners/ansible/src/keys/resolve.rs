//! Resolves every secret that a request names.

use callboard_core::base::secret::Secret;
use callboard_core::credential::{AwsKeys, AwsRef, CloudRef, Credential, CredentialKind, CredentialRef, Provider};
use callboard_core::job::Job;
use callboard_kind_ansible::inventory::{Inventory, TypedInventory, UrlInventory, placeholders};
use callboard_kind_ansible::request::AnsibleRequest;
use callboard_kind_ansible::source::{Source, TypedSource};

use super::{Keys, inventory_profile};
use crate::reach::Reach;
use crate::unready::Unready;

/// The label of a vault password that applies to any vault.
const ANY_VAULT: &str = "default";

pub(super) struct Resolver<'a> {
    pub(super) reach: &'a Reach,
    pub(super) job: &'a Job,
    pub(super) request: &'a AnsibleRequest,
}

impl Resolver<'_> {
    pub(super) async fn one(&self, reference: &CredentialRef, kinds: &[CredentialKind]) -> Result<Credential, Unready> {
        Ok(self.reach.secrets.resolve(&self.job.tenant, reference, kinds).await?)
    }

    pub(super) async fn optional(
        &self,
        reference: Option<&CredentialRef>,
        kind: CredentialKind,
    ) -> Result<Option<Credential>, Unready> {
        match reference {
            Some(reference) => self.one(reference, &[kind]).await.map(Some),
            None => Ok(None),
        }
    }

    pub(super) async fn password(&self, reference: Option<&CredentialRef>) -> Result<Option<Secret>, Unready> {
        let found = self.optional(reference, CredentialKind::Password).await?;
        Ok(found.and_then(|credential| match credential {
            Credential::Password { password } => Some(password),
            _ => None,
        }))
    }

    pub(super) async fn vaults(&self) -> Result<Vec<(String, Secret)>, Unready> {
        let request = self.request;
        let one = request
            .credentials
            .vault_password
            .clone()
            .map(|reference| (String::new(), reference));
        let several = request.options.vault_identities();
        let several = several.map(|(label, name)| (label.to_owned(), CredentialRef::Stored(name.to_owned())));
        let mut vaults = Vec::new();
        for (label, reference) in one.into_iter().chain(several) {
            if let Credential::Vault { password, vault_id } = self.one(&reference, &[CredentialKind::Vault]).await? {
                let own = vault_id.unwrap_or_else(|| ANY_VAULT.to_owned());
                vaults.push((if label.is_empty() { own } else { label }, password));
            }
        }
        Ok(vaults)
    }

    pub(super) async fn cloud(&self, cloud: &CloudRef) -> Result<AwsKeys, Unready> {
        let session = format!("callboard-{}", self.job.id);
        Ok(self.reach.secrets.cloud(&self.job.tenant, cloud, &session).await?)
    }

    pub(super) async fn source(&self, keys: &mut Keys) -> Result<(), Unready> {
        let source = &self.request.source;
        if let Some(reference) = source.git().and_then(|git| git.credential) {
            self.named(reference, &[CredentialKind::Git], keys).await?;
        }
        match source {
            Source::Typed(TypedSource::CollectionRole(role)) => match &role.galaxy_credential {
                Some(reference) => self.named(reference, &[CredentialKind::Galaxy], keys).await,
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    pub(super) async fn inventory(&self, number: usize, inventory: &Inventory, keys: &mut Keys) -> Result<(), Unready> {
        match inventory {
            Inventory::Typed(TypedInventory::Git(git)) => match &git.git_credential {
                Some(reference) => self.named(reference, &[CredentialKind::Git], keys).await,
                None => Ok(()),
            },
            Inventory::Typed(TypedInventory::Url(url)) => self.headers(url, keys).await,
            Inventory::Typed(TypedInventory::Dynamic(dynamic)) => {
                let Some(credential) = &dynamic.cloud_credential else {
                    return Ok(());
                };
                let cloud = CloudRef::Aws(AwsRef {
                    provider: Provider::Aws,
                    credential: Some(credential.clone()),
                    role_arn: None,
                });
                keys.profiles
                    .push((inventory_profile(number), self.cloud(&cloud).await?));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn headers(&self, url: &UrlInventory, keys: &mut Keys) -> Result<(), Unready> {
        let kinds = [CredentialKind::Bearer, CredentialKind::Header];
        if let Some(reference) = &url.credential {
            return self.named(reference, &kinds, keys).await;
        }
        for value in url.headers.values() {
            for name in placeholders(value).unwrap_or_default() {
                self.named(&CredentialRef::Stored(name.to_owned()), &kinds, keys)
                    .await?;
            }
        }
        Ok(())
    }

    pub(super) async fn named(
        &self,
        reference: &CredentialRef,
        kinds: &[CredentialKind],
        keys: &mut Keys,
    ) -> Result<(), Unready> {
        if keys.find(Some(reference)).is_none() {
            let credential = self.one(reference, kinds).await?;
            keys.named.push((reference.clone(), credential));
        }
        Ok(())
    }
}

//! The secrets of one job: resolved at the last moment, passed to Ansible in files and an agent, and kept out of what it prints.

mod hand_over;
mod resolve;

use callboard_core::base::secret::Secret;
use callboard_core::credential::{AwsKeys, Credential, CredentialKind, CredentialRef, SshAccess, check_host};
use callboard_core::job::Job;
use callboard_kind_ansible::inventory::{UrlInventory, placeholders};
use callboard_kind_ansible::request::AnsibleRequest;

use self::resolve::Resolver;
use crate::reach::Reach;
use crate::unready::Unready;

/// The secrets of a job.
#[derive(Default)]
pub(crate) struct Keys {
    ssh: Option<SshAccess>,
    password: Option<Secret>,
    become_password: Option<Secret>,
    /// Labels and passwords.
    vaults: Vec<(String, Secret)>,
    /// AWS profiles: their names and keys.
    profiles: Vec<(String, AwsKeys)>,
    /// The credentials that sources and inventories name.
    named: Vec<(CredentialRef, Credential)>,
}

/// The profile that AWS's libraries use by default.
const DEFAULT_PROFILE: &str = "default";

/// Returns the name of the profile for the inventory with this number.
pub(crate) fn inventory_profile(number: usize) -> String {
    format!("inventory-{number}")
}

impl Keys {
    /// Resolves every secret that a request names.
    pub(crate) async fn resolve(reach: &Reach, job: &Job, request: &AnsibleRequest) -> Result<Self, Unready> {
        let resolver = Resolver { reach, job, request };
        let access = &request.credentials;
        let mut keys = Self::default();
        if let Some(Credential::Ssh(ssh)) = resolver.optional(access.ssh.as_ref(), CredentialKind::Ssh).await? {
            keys.ssh = Some(ssh);
        }
        keys.password = resolver.password(access.password.as_ref()).await?;
        keys.become_password = resolver.password(access.become_password.as_ref()).await?;
        keys.vaults = resolver.vaults().await?;
        if let Some(cloud) = &access.cloud {
            keys.profiles
                .push((DEFAULT_PROFILE.to_owned(), resolver.cloud(cloud).await?));
        }
        resolver.source(&mut keys).await?;
        for (number, inventory) in request.inventory.parts().iter().enumerate() {
            resolver.inventory(number, inventory, &mut keys).await?;
        }
        Ok(keys)
    }

    /// Returns every secret text, none of which may be printed.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        let ssh = self.ssh.clone().map(Credential::Ssh);
        let credentials = ssh.iter().chain(self.named.iter().map(|(_, credential)| credential));
        let mut secrets: Vec<Secret> = credentials
            .flat_map(|credential| credential.secrets())
            .cloned()
            .collect();
        secrets.extend(self.password.iter().chain(&self.become_password).cloned());
        secrets.extend(self.vaults.iter().map(|(_, password)| password.clone()));
        for (_, keys) in &self.profiles {
            secrets.push(keys.secret_access_key.clone());
            secrets.extend(keys.session_token.clone());
        }
        secrets
    }

    /// Returns the host keys that came with the ssh key, as lines of `known_hosts`.
    pub(crate) fn known_hosts(&self) -> Option<&str> {
        self.ssh.as_ref()?.known_hosts.as_deref()
    }

    /// Returns a credential that a source or an inventory names.
    pub(crate) fn find(&self, reference: Option<&CredentialRef>) -> Option<&Credential> {
        let reference = reference?;
        self.named
            .iter()
            .find(|(named, _)| named == reference)
            .map(|(_, credential)| credential)
    }

    /// Returns the token for a Galaxy server.
    pub(crate) fn galaxy(
        &self,
        reference: Option<&CredentialRef>,
        server: Option<&str>,
    ) -> Result<Option<&str>, Unready> {
        let Some(Credential::Galaxy { token, hosts }) = self.find(reference) else {
            return Ok(None);
        };
        check_host(hosts, server.unwrap_or_default()).map_err(Unready::credential)?;
        Ok(Some(token.expose()))
    }

    /// Returns the headers of the request that fetches an inventory, with their secrets.
    pub(crate) fn headers(&self, inventory: &UrlInventory) -> Result<Vec<(String, Secret)>, Unready> {
        let mut headers = Vec::new();
        for (name, value) in &inventory.headers {
            headers.push((name.clone(), Secret::new(self.fill(inventory, value)?)));
        }
        let referred = inventory.headers.values().any(|value| value.contains("${"));
        match self.find(inventory.credential.as_ref()) {
            Some(Credential::Bearer { token, hosts }) if !referred => {
                check_host(hosts, &inventory.url).map_err(Unready::credential)?;
                headers.push((
                    "Authorization".to_owned(),
                    Secret::new(format!("Bearer {}", token.expose())),
                ));
            }
            Some(Credential::Header { header, value, hosts }) if !referred => {
                check_host(hosts, &inventory.url).map_err(Unready::credential)?;
                headers.push((header.clone(), value.clone()));
            }
            _ => {}
        }
        Ok(headers)
    }

    /// Replaces the `${NAME}` placeholders in a header's value with secrets.
    fn fill(&self, inventory: &UrlInventory, value: &str) -> Result<String, Unready> {
        let (mut filled, mut rest) = (String::new(), value);
        for name in placeholders(value).unwrap_or_default() {
            let own = CredentialRef::Stored(name.to_owned());
            let (secret, hosts) = match self.find(Some(inventory.credential.as_ref().unwrap_or(&own))) {
                Some(Credential::Bearer { token, hosts }) => (token, hosts),
                Some(Credential::Header { value, hosts, .. }) => (value, hosts),
                _ => return Err(Unready::credential(format!("The credential {name:?} is not there."))),
            };
            check_host(hosts, &inventory.url).map_err(Unready::credential)?;
            // a secret that looks like a placeholder is sent as it is
            let (before, after) = rest.split_once(&format!("${{{name}}}")).unwrap_or((rest, ""));
            filled.extend([before, secret.expose()]);
            rest = after;
        }
        Ok(filled + rest)
    }
}

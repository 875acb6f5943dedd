//! The secrets of one job: resolved at the last moment, given to Ansible by file and agent, and kept out of what it prints.

use std::collections::BTreeMap;
use std::path::Path;

use callboard_core::access::{AwsRef, CloudRef, Provider};
use callboard_core::credential::{Credential, CredentialKind, KeyPair};
use callboard_core::inventory::{Inventory, TypedInventory, UrlInventory, placeholders};
use callboard_core::job::Job;
use callboard_core::ports::AwsKeys;
use callboard_core::reference::CredentialRef;
use callboard_core::secret::Secret;
use callboard_core::source::{Source, TypedSource};

use crate::agent::Agent;
use crate::files::write_private;
use crate::reach::Reach;
use crate::unready::Unready;

/// The secrets of a job.
#[derive(Default)]
pub(crate) struct Keys {
    ssh: Option<KeyPair>,
    password: Option<Secret>,
    become_password: Option<Secret>,
    /// Labels and passwords.
    vaults: Vec<(String, Secret)>,
    /// Profiles for AWS: their names and keys.
    profiles: Vec<(String, AwsKeys)>,
    /// What sources and inventories name.
    named: Vec<(CredentialRef, Credential)>,
}

/// The profile that AWS's libraries take by themselves.
const DEFAULT_PROFILE: &str = "default";
/// The label of a vault password that is for any vault.
const ANY_VAULT: &str = "default";

/// Returns the name of the profile for the inventory of a number.
pub(crate) fn inventory_profile(number: usize) -> String {
    format!("inventory-{number}")
}

struct Resolver<'a> {
    reach: &'a Reach,
    job: &'a Job,
}

impl Keys {
    /// Gets every secret that a request names.
    pub(crate) async fn resolve(reach: &Reach, job: &Job) -> Result<Self, Unready> {
        let resolver = Resolver { reach, job };
        let access = &job.request.credentials;
        let mut keys = Self::default();
        if let Some(Credential::Ssh(pair)) = resolver.optional(access.ssh.as_ref(), CredentialKind::Ssh).await? {
            keys.ssh = Some(pair);
        }
        keys.password = resolver.password(access.password.as_ref()).await?;
        keys.become_password = resolver.password(access.become_password.as_ref()).await?;
        keys.vaults = resolver.vaults().await?;
        if let Some(cloud) = &access.cloud {
            keys.profiles
                .push((DEFAULT_PROFILE.to_owned(), resolver.cloud(cloud).await?));
        }
        resolver.source(&mut keys).await?;
        for (number, inventory) in job.request.inventory.parts().iter().enumerate() {
            resolver.inventory(number, inventory, &mut keys).await?;
        }
        Ok(keys)
    }

    /// Returns every secret text, for what must not be printed.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        let pair = self.ssh.clone().map(Credential::Ssh);
        let credentials = pair.iter().chain(self.named.iter().map(|(_, credential)| credential));
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
        check_host(hosts, server.unwrap_or_default())?;
        Ok(Some(token.expose()))
    }

    /// Returns the headers of a request for an inventory, with their secrets.
    pub(crate) fn headers(&self, inventory: &UrlInventory) -> Result<Vec<(String, Secret)>, Unready> {
        let mut headers = Vec::new();
        for (name, value) in &inventory.headers {
            headers.push((name.clone(), Secret::new(self.fill(inventory, value)?)));
        }
        let referred = inventory.headers.values().any(|value| value.contains("${"));
        match self.find(inventory.credential.as_ref()) {
            Some(Credential::Bearer { token, hosts }) if !referred => {
                check_host(hosts, &inventory.url)?;
                headers.push((
                    "Authorization".to_owned(),
                    Secret::new(format!("Bearer {}", token.expose())),
                ));
            }
            Some(Credential::Header { header, value, hosts }) if !referred => {
                check_host(hosts, &inventory.url)?;
                headers.push((header.clone(), value.clone()));
            }
            _ => {}
        }
        Ok(headers)
    }

    /// Puts secrets in place of the `${NAME}`s of a header's value.
    fn fill(&self, inventory: &UrlInventory, value: &str) -> Result<String, Unready> {
        let mut filled = value.to_owned();
        for name in placeholders(value).unwrap_or_default() {
            let own = CredentialRef::Stored(name.to_owned());
            let (secret, hosts) = match self.find(Some(inventory.credential.as_ref().unwrap_or(&own))) {
                Some(Credential::Bearer { token, hosts }) => (token, hosts),
                Some(Credential::Header { value, hosts, .. }) => (value, hosts),
                _ => return Err(Unready::credential(format!("The credential {name:?} is not there."))),
            };
            check_host(hosts, &inventory.url)?;
            filled = filled.replace(&format!("${{{name}}}"), secret.expose());
        }
        Ok(filled)
    }

    /// Writes what Ansible is given by file into a folder that is the job's alone; adds the arguments and variables that
    /// lead there, and returns the agent that holds the key for ssh.
    pub(crate) async fn hand_over(
        &self,
        folder: &Path,
        argv: &mut Vec<String>,
        env: &mut BTreeMap<String, String>,
    ) -> Result<Option<Agent>, Unready> {
        let mut put = |name: &str, flag: &str, secret: &Secret| -> Result<(), Unready> {
            let path = folder.join(name);
            write_private(&path, format!("{}\n", secret.expose()).as_bytes())?;
            argv.push(format!("{flag}{}", path.display()));
            Ok(())
        };
        if let Some(password) = &self.password {
            put("connection", "--connection-password-file=", password)?;
        }
        if let Some(password) = &self.become_password {
            put("become", "--become-password-file=", password)?;
        }
        for (number, (label, password)) in self.vaults.iter().enumerate() {
            put(&format!("vault-{number}"), &format!("--vault-id={label}@"), password)?;
        }
        self.hand_over_profiles(folder, env)?;
        let Some(key) = &self.ssh else { return Ok(None) };
        let agent = Agent::start(folder, key).await?;
        env.insert("SSH_AUTH_SOCK".to_owned(), agent.socket().display().to_string());
        Ok(Some(agent))
    }

    fn hand_over_profiles(&self, folder: &Path, env: &mut BTreeMap<String, String>) -> Result<(), Unready> {
        if self.profiles.is_empty() {
            return Ok(());
        }
        let mut text = String::new();
        for (name, keys) in &self.profiles {
            let (id, key) = (&keys.access_key_id, keys.secret_access_key.expose());
            text.push_str(&format!(
                "[{name}]\naws_access_key_id = {id}\naws_secret_access_key = {key}\n"
            ));
            if let Some(token) = &keys.session_token {
                text.push_str(&format!("aws_session_token = {}\n", token.expose()));
            }
            if let Some(region) = &keys.region {
                text.push_str(&format!("region = {region}\n"));
            }
        }
        let path = folder.join("aws");
        write_private(&path, text.as_bytes())?;
        env.insert("AWS_SHARED_CREDENTIALS_FILE".to_owned(), path.display().to_string());
        Ok(())
    }
}

impl Resolver<'_> {
    async fn one(&self, reference: &CredentialRef, kinds: &[CredentialKind]) -> Result<Credential, Unready> {
        Ok(self.reach.secrets.resolve(&self.job.tenant, reference, kinds).await?)
    }

    async fn optional(
        &self,
        reference: Option<&CredentialRef>,
        kind: CredentialKind,
    ) -> Result<Option<Credential>, Unready> {
        match reference {
            Some(reference) => self.one(reference, &[kind]).await.map(Some),
            None => Ok(None),
        }
    }

    async fn password(&self, reference: Option<&CredentialRef>) -> Result<Option<Secret>, Unready> {
        let found = self.optional(reference, CredentialKind::Password).await?;
        Ok(found.and_then(|credential| match credential {
            Credential::Password { password } => Some(password),
            _ => None,
        }))
    }

    async fn vaults(&self) -> Result<Vec<(String, Secret)>, Unready> {
        let request = &self.job.request;
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

    async fn cloud(&self, cloud: &CloudRef) -> Result<AwsKeys, Unready> {
        let session = format!("callboard-{}", self.job.id);
        Ok(self.reach.secrets.cloud(&self.job.tenant, cloud, &session).await?)
    }

    async fn source(&self, keys: &mut Keys) -> Result<(), Unready> {
        let source = &self.job.request.source;
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

    async fn inventory(&self, number: usize, inventory: &Inventory, keys: &mut Keys) -> Result<(), Unready> {
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

    async fn headers(&self, url: &UrlInventory, keys: &mut Keys) -> Result<(), Unready> {
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

    async fn named(&self, reference: &CredentialRef, kinds: &[CredentialKind], keys: &mut Keys) -> Result<(), Unready> {
        if keys.find(Some(reference)).is_none() {
            let credential = self.one(reference, kinds).await?;
            keys.named.push((reference.clone(), credential));
        }
        Ok(())
    }
}

/// A credential that names hosts is sent to no other.
fn check_host(hosts: &[String], url: &str) -> Result<(), Unready> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest
        .split(['/', '?', '#'])
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let host = match scheme {
        "https" => host.strip_suffix(":443").unwrap_or(&host),
        _ => host.strip_suffix(":80").unwrap_or(&host),
    };
    if hosts.is_empty() || hosts.iter().any(|known| known == host) {
        return Ok(());
    }
    Err(Unready::credential(format!(
        "The credential may not be used for the host {host}; it is for {}.",
        hosts.join(", ")
    )))
}

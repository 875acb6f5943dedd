//! Secrets stored outside Callboard.

use callboard_core::base::fields::FieldError;
use callboard_core::base::id::Tenant;
use callboard_core::credential::{AwsKeys, Credential, CredentialKind, ExternalSecret};

use crate::aws::region_of_arn;
use crate::fault::Fault;
use crate::resolver::{Resolver, kind_names};

/// The name of a session that no job asked for itself.
const SESSION: &str = "callboard";
/// The path under which Systems Manager returns secrets of Secrets Manager.
const REFERENCE: &str = "/aws/reference/secretsmanager";

impl Resolver {
    /// Reads a secret and makes a credential of the first of `kinds` that its text is valid for.
    pub(crate) async fn external(
        &self,
        tenant: &Tenant,
        secret: &ExternalSecret,
        kinds: &[CredentialKind],
    ) -> Result<Credential, Fault> {
        let place = place(secret);
        let text = self.text(tenant, secret).await;
        let text = text.map_err(|fault| fault.about(&format!("{place} could not be read")))?;
        let mut faults = Vec::new();
        for &kind in kinds {
            match Credential::from_text(kind, &text) {
                Ok(credential) => return Ok(credential),
                Err(found) if faults.is_empty() => faults = found,
                Err(_) => {}
            }
        }
        let what = format!("{place} is no credential of kind {}", kind_names(kinds));
        Err(Fault::new(sentence(&faults)).about(&what))
    }

    async fn text(&self, tenant: &Tenant, secret: &ExternalSecret) -> Result<String, Fault> {
        self.refuse_own(secret)?;
        match secret {
            ExternalSecret::HashicorpVault {
                vault_path,
                vault_key,
                vault_credential,
            } => {
                let (key, credential) = (vault_key.as_deref(), vault_credential.as_deref());
                self.vault_text(tenant, vault_path, key, credential).await
            }
            ExternalSecret::AwsSecretsmanager { secret_id, key, .. } => {
                let (keys, region) = self.keys_to_read(tenant, secret).await?;
                self.aws.secret(secret_id, key.as_deref(), &region, &keys).await
            }
            ExternalSecret::AwsSsm { name, .. } => {
                let (keys, region) = self.keys_to_read(tenant, secret).await?;
                self.aws.parameter(name, &region, &keys).await
            }
        }
    }

    /// Refuses the service's own secrets to everyone.
    fn refuse_own(&self, secret: &ExternalSecret) -> Result<(), Fault> {
        let name = match secret {
            ExternalSecret::AwsSecretsmanager { secret_id, .. } => resource(secret_id, ":secret:"),
            ExternalSecret::AwsSsm { name, .. } => resource(name, ":parameter"),
            ExternalSecret::HashicorpVault { .. } => return Ok(()),
        };
        if name.to_ascii_lowercase().starts_with(REFERENCE) {
            let what = "use the type aws_secretsmanager for a secret in Secrets Manager";
            return Err(Fault::new(what));
        }
        let is_own =
            |prefix: &String| name.starts_with(prefix.as_str()) || name.trim_start_matches('/').starts_with(prefix);
        match &self.own_prefix {
            Some(prefix) if is_own(prefix) => Err(Fault::new("it belongs to the service itself")),
            _ => Ok(()),
        }
    }

    /// Returns the keys for reading a secret in AWS, and the region to ask.
    async fn keys_to_read(&self, tenant: &Tenant, secret: &ExternalSecret) -> Result<(AwsKeys, String), Fault> {
        let (name, region, credential) = match secret {
            ExternalSecret::AwsSecretsmanager {
                secret_id: name,
                region,
                cloud_credential,
                ..
            }
            | ExternalSecret::AwsSsm {
                name,
                region,
                cloud_credential,
            } => (name, region, cloud_credential),
            ExternalSecret::HashicorpVault { .. } => return Err(Fault::new("it is not kept by AWS")),
        };
        let keys = match (credential, secret.place_of_own_identity()) {
            (Some(credential), _) => self.keys_of_stored(tenant, credential, SESSION).await?,
            (None, Some(place)) => self.own_keys_for_secret(&place).await?,
            (None, None) => return Err(Fault::new("it is not kept by AWS")),
        };
        let region = region
            .clone()
            .or_else(|| region_of_arn(name))
            .or_else(|| keys.region.clone());
        match region.or_else(|| self.own.region()) {
            Some(region) => Ok((keys, region)),
            None => Err(Fault::new("the region is not known; name it with `region`")),
        }
    }

    /// Returns the worker's own keys for a secret that the policy lists.
    pub(crate) async fn own_keys_for_secret(&self, place: &str) -> Result<AwsKeys, Fault> {
        if !self.policy.allows_secret(place) {
            return Err(not_listed(place, "secrets"));
        }
        self.own_keys().await
    }
}

/// Makes the fault for a use of the worker's identity that the policy does not allow.
pub(crate) fn not_listed(entry: &str, list: &str) -> Fault {
    Fault::new(format!(
        "the worker's own identity is not allowed for it; an operator allows it by adding {entry:?} to {list:?} of the \
         policy (--policy, CALLBOARD_POLICY)"
    ))
}

fn place(secret: &ExternalSecret) -> String {
    match secret {
        ExternalSecret::HashicorpVault { vault_path, .. } => format!("the secret {vault_path:?} in HashiCorp Vault"),
        ExternalSecret::AwsSecretsmanager { secret_id, .. } => {
            format!("the secret {secret_id:?} in AWS Secrets Manager")
        }
        ExternalSecret::AwsSsm { name, .. } => format!("the parameter {name:?} in AWS Systems Manager"),
    }
}

/// Returns the resource that an ARN names, or the name itself.
fn resource<'a>(name: &'a str, before: &str) -> &'a str {
    match name.strip_prefix("arn:").and_then(|arn| arn.split_once(before)) {
        Some((_, resource)) => resource,
        None => name,
    }
}

fn sentence(faults: &[FieldError]) -> String {
    let told = faults
        .iter()
        .map(|fault| format!("{} {}", fault.pointer.trim_start_matches('/'), fault.detail));
    told.collect::<Vec<_>>().join("; ")
}

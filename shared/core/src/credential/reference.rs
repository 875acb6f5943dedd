//! How a request names a secret: by the name of a stored credential, or by its place in an external secret store.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::kind::CredentialKind;
use crate::base::fields::{Faults, Fields, kind};

const MAX_NAME_BYTES: usize = 128;
const MAX_PLACE_BYTES: usize = 2048;

/// A reference to a secret. A request never contains the secret itself.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum CredentialRef {
    /// The name of a stored credential.
    #[schema(example = "prod-ssh-key")]
    Stored(String),
    /// A secret that is stored outside Callboard.
    External(ExternalSecret),
}

/// The location of a secret that is stored outside Callboard.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ExternalSecret {
    /// A secret in HashiCorp Vault, in a KV engine of version 1 or 2.
    HashicorpVault {
        /// The path of the secret, starting with the mount, as for `vault kv get`: `secret/deploy/prod-ssh`.
        vault_path: String,
        /// The key in the secret. Not needed if the secret has only one key.
        #[serde(skip_serializing_if = "Option::is_none")]
        vault_key: Option<String>,
        /// The stored credential of kind `hashicorp_vault` to use. Default: the one named `hashicorp-vault`.
        #[serde(skip_serializing_if = "Option::is_none")]
        vault_credential: Option<String>,
    },
    /// A secret in AWS Secrets Manager.
    AwsSecretsmanager {
        /// The name or ARN of the secret.
        secret_id: String,
        /// The key in the secret, if its value is a JSON object.
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// The AWS region. Default: the region of the service.
        #[serde(skip_serializing_if = "Option::is_none")]
        region: Option<String>,
        /// The stored credential of kind `cloud` to use. Without it, the worker uses its own identity, if the policy lists the secret.
        #[serde(skip_serializing_if = "Option::is_none")]
        cloud_credential: Option<String>,
    },
    /// A parameter in AWS Systems Manager.
    AwsSsm {
        /// The name or ARN of the parameter.
        name: String,
        /// The AWS region. Default: the region of the service.
        #[serde(skip_serializing_if = "Option::is_none")]
        region: Option<String>,
        /// The stored credential of kind `cloud` to use. Without it, the worker uses its own identity, if the policy lists the parameter.
        #[serde(skip_serializing_if = "Option::is_none")]
        cloud_credential: Option<String>,
    },
}

/// One place in a request that names a stored credential.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CredentialUse {
    /// The place, as an RFC 6901 pointer.
    pub pointer: String,
    /// The credential's name.
    pub name: String,
    /// The kinds that the credential may have.
    pub kinds: &'static [CredentialKind],
}

impl CredentialRef {
    /// Reads a field that names a secret; absent is `None`.
    pub fn field(fields: &mut Fields<'_>, name: &'static str, faults: &mut Faults) -> Option<Self> {
        let value = fields.get(name)?;
        Self::parse(value, &fields.pointer(name), faults)
    }

    /// Reads how a request names a secret; adds every fault with its pointer.
    pub fn parse(value: &Value, pointer: &str, faults: &mut Faults) -> Option<Self> {
        match value {
            Value::String(name) => check_name(name, pointer, faults).then(|| Self::Stored(name.clone())),
            Value::Object(_) => ExternalSecret::parse(value, pointer, faults).map(Self::External),
            other => {
                let right = "must be the name of a credential, or an object with a type";
                faults.add(pointer, format!("{right}, not {}", kind(other)));
                None
            }
        }
    }

    /// Adds the stored credentials that this reference names to `uses`.
    pub fn uses(&self, pointer: &str, kinds: &'static [CredentialKind], uses: &mut Vec<CredentialUse>) {
        let mut add = |pointer: String, name: &Option<String>, kinds| {
            uses.extend(name.clone().map(|name| CredentialUse { pointer, name, kinds }));
        };
        match self {
            Self::Stored(name) => add(pointer.to_owned(), &Some(name.clone()), kinds),
            Self::External(ExternalSecret::HashicorpVault { vault_credential, .. }) => {
                add(
                    format!("{pointer}/vault_credential"),
                    vault_credential,
                    &[CredentialKind::HashicorpVault],
                );
            }
            Self::External(
                ExternalSecret::AwsSecretsmanager { cloud_credential, .. }
                | ExternalSecret::AwsSsm { cloud_credential, .. },
            ) => add(
                format!("{pointer}/cloud_credential"),
                cloud_credential,
                &[CredentialKind::Cloud],
            ),
        }
    }
}

impl ExternalSecret {
    /// Returns the policy's name for the secret, if the worker reads it with its own identity.
    #[must_use]
    pub fn place_of_own_identity(&self) -> Option<String> {
        match self {
            Self::AwsSecretsmanager {
                secret_id,
                cloud_credential: None,
                ..
            } => Some(format!("aws_secretsmanager:{secret_id}")),
            Self::AwsSsm {
                name,
                cloud_credential: None,
                ..
            } => Some(format!("aws_ssm:{name}")),
            _ => None,
        }
    }

    fn parse(value: &Value, pointer: &str, faults: &mut Faults) -> Option<Self> {
        const KNOWN: [&str; 3] = ["hashicorp_vault", "aws_secretsmanager", "aws_ssm"];
        let mut fields = Fields::of(value, pointer, faults)?;
        let found = match fields.variant("type", &KNOWN, faults)? {
            "hashicorp_vault" => Self::HashicorpVault {
                vault_path: fields
                    .required_line("vault_path", MAX_PLACE_BYTES, faults)
                    .unwrap_or_default()
                    .to_owned(),
                vault_key: fields.line("vault_key", MAX_PLACE_BYTES, faults).map(str::to_owned),
                vault_credential: name(&mut fields, "vault_credential", faults),
            },
            "aws_secretsmanager" => Self::AwsSecretsmanager {
                secret_id: fields
                    .required_line("secret_id", MAX_PLACE_BYTES, faults)
                    .unwrap_or_default()
                    .to_owned(),
                key: fields.line("key", MAX_PLACE_BYTES, faults).map(str::to_owned),
                region: region(&mut fields, faults),
                cloud_credential: name(&mut fields, "cloud_credential", faults),
            },
            _ => Self::AwsSsm {
                name: fields
                    .required_line("name", MAX_PLACE_BYTES, faults)
                    .unwrap_or_default()
                    .to_owned(),
                region: region(&mut fields, faults),
                cloud_credential: name(&mut fields, "cloud_credential", faults),
            },
        };
        found.check_path(&fields, faults);
        fields.finish(faults);
        Some(found)
    }

    fn check_path(&self, fields: &Fields<'_>, faults: &mut Faults) {
        let Self::HashicorpVault { vault_path, .. } = self else {
            return;
        };
        let bad = |part: &str| part.is_empty() || part == "." || part == "..";
        let inner = vault_path.trim_matches('/');
        if !vault_path.is_empty()
            && (!inner.contains('/') || inner.split('/').any(bad) || inner.contains(['?', '#', '%']))
        {
            faults.add(
                fields.pointer("vault_path"),
                "must be the mount and the path, as in \"secret/deploy/prod\"",
            );
        }
    }
}

/// Reads the name of a stored credential; absent is `None`.
pub(crate) fn name(fields: &mut Fields<'_>, field: &'static str, faults: &mut Faults) -> Option<String> {
    let name = fields.line(field, MAX_NAME_BYTES, faults)?;
    check_name(name, &fields.pointer(field), faults).then(|| name.to_owned())
}

/// Reads the name of an AWS region; absent is `None`.
pub(crate) fn region(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<String> {
    let region = fields.line("region", 32, faults)?;
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !region.bytes().all(good) {
        faults.add(
            fields.pointer("region"),
            "must be the name of an AWS region, as in \"eu-central-1\"",
        );
    }
    Some(region.to_owned())
}

/// Checks the name of a stored credential: letters, digits, `.`, `_` and `-`, beginning with a letter or digit.
pub fn check_name(name: &str, pointer: &str, faults: &mut Faults) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let valid = name.len() <= MAX_NAME_BYTES
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(good);
    if !valid {
        let right = "1 to 128 letters, digits, `.`, `_` or `-`, the first a letter or digit";
        faults.add(pointer, format!("must be the name of a credential: {right}"));
    }
    valid
}

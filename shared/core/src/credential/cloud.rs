//! How a request names access to a cloud.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::kinds::is_role;
use super::reference::CredentialRef;
use crate::base::fields::{Faults, Fields};

/// A reference to cloud access.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum CloudRef {
    /// The name of a stored credential of kind `cloud`.
    Stored(String),
    /// Access to AWS.
    Aws(AwsRef),
}

/// Access to AWS: a credential, a role, or a role that is assumed with a credential.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct AwsRef {
    /// The cloud provider.
    #[serde(rename = "type")]
    pub provider: Provider,
    /// A credential of kind `cloud`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialRef>,
    /// The ARN of the role to assume. Without a credential, the worker assumes it with its own identity, if the policy lists the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
}

/// Always `aws`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Amazon Web Services.
    Aws,
}

impl CloudRef {
    /// Reads access to a cloud; adds every fault with its pointer.
    pub fn parse(value: &Value, pointer: &str, faults: &mut Faults) -> Option<Self> {
        if value.is_string() {
            let named = CredentialRef::parse(value, pointer, faults)?;
            return match named {
                CredentialRef::Stored(name) => Some(Self::Stored(name)),
                CredentialRef::External(_) => None,
            };
        }
        let mut fields = Fields::of(value, pointer, faults)?;
        fields.variant("type", &["aws"], faults)?;
        let credential = CredentialRef::field(&mut fields, "credential", faults);
        let role_arn = fields.line("role_arn", 2048, faults);
        if role_arn.is_some_and(|arn| !is_role(arn)) {
            let right = "must be the ARN of a role, as in \"arn:aws:iam::123456789012:role/deploy\"";
            faults.add(fields.pointer("role_arn"), right);
        }
        if fields.get("credential").is_none() && fields.get("role_arn").is_none() {
            faults.add(
                fields.pointer("credential"),
                "is missing: name a credential of kind cloud, or a role_arn",
            );
        }
        fields.finish(faults);
        Some(Self::Aws(AwsRef {
            provider: Provider::Aws,
            credential,
            role_arn: role_arn.map(str::to_owned),
        }))
    }
}

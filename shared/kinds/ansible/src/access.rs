//! The credentials that a request gives Ansible for hosts, vaults and clouds: references to secrets, never the secrets themselves.

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::credential::{CloudRef, CredentialKind, CredentialRef, CredentialUse};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// The credentials that a job uses.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(default)]
pub struct Access {
    /// The ssh key: a credential of kind `ssh`. An ssh-agent holds it while the job runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh: Option<CredentialRef>,
    /// The password for connections (`--connection-password-file`): a credential of kind `password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<CredentialRef>,
    /// The password for becoming another user (`--become-password-file`): a credential of kind `password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub become_password: Option<CredentialRef>,
    /// The password of encrypted variables and files (`--vault-id`): a credential of kind `vault`. For several passwords, use
    /// `options.vault_ids`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault_password: Option<CredentialRef>,
    /// Access to a cloud, which becomes the default profile of the AWS shared credentials file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud: Option<CloudRef>,
}

impl Access {
    /// Returns whether no credential is given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Reads a request's credentials; adds each fault with its pointer.
    pub fn parse(value: &Value, pointer: &str, faults: &mut Faults) -> Self {
        let Some(mut fields) = Fields::of(value, pointer, faults) else {
            return Self::default();
        };
        let access = Self {
            ssh: CredentialRef::field(&mut fields, "ssh", faults),
            password: CredentialRef::field(&mut fields, "password", faults),
            become_password: CredentialRef::field(&mut fields, "become_password", faults),
            vault_password: CredentialRef::field(&mut fields, "vault_password", faults),
            cloud: fields
                .get("cloud")
                .and_then(|value| CloudRef::parse(value, &format!("{pointer}/cloud"), faults)),
        };
        fields.finish(faults);
        access
    }

    pub(crate) fn uses(&self, uses: &mut Vec<CredentialUse>) {
        let named: [(&Option<CredentialRef>, &str, &'static [CredentialKind]); 4] = [
            (&self.ssh, "ssh", &[CredentialKind::Ssh]),
            (&self.password, "password", &[CredentialKind::Password]),
            (&self.become_password, "become_password", &[CredentialKind::Password]),
            (&self.vault_password, "vault_password", &[CredentialKind::Vault]),
        ];
        for (credential, name, kinds) in named {
            if let Some(credential) = credential {
                credential.uses(&format!("/credentials/{name}"), kinds, uses);
            }
        }
        match &self.cloud {
            Some(CloudRef::Stored(name)) => uses.push(CredentialUse {
                pointer: "/credentials/cloud".to_owned(),
                name: name.clone(),
                kinds: &[CredentialKind::Cloud],
            }),
            Some(CloudRef::Aws(aws)) => {
                if let Some(credential) = &aws.credential {
                    credential.uses("/credentials/cloud/credential", &[CredentialKind::Cloud], uses);
                }
            }
            None => {}
        }
    }
}

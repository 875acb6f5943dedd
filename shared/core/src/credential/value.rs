//! The content of credentials.

use serde::{Deserialize, Serialize};

use super::client_certificate::ClientCertificate;
use super::kind::CredentialKind;
use crate::base::secret::Secret;

/// The content of a credential. It is sent to the service, sealed, and never shown again.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Credential {
    /// See [`CredentialKind::Ssh`].
    Ssh(SshAccess),
    /// See [`CredentialKind::Password`].
    Password {
        /// The password.
        password: Secret,
    },
    /// See [`CredentialKind::Vault`].
    Vault {
        /// The vault's password.
        password: Secret,
        /// The label that the encrypted text carries; by default any.
        #[serde(default)]
        vault_id: Option<String>,
    },
    /// See [`CredentialKind::Git`].
    Git(GitAccess),
    /// See [`CredentialKind::Galaxy`].
    Galaxy {
        /// The token.
        token: Secret,
        /// The hosts that the token may be sent to; if empty, any host that a request may name.
        #[serde(default)]
        hosts: Vec<String>,
    },
    /// See [`CredentialKind::Cloud`].
    Cloud(AwsAccess),
    /// See [`CredentialKind::Bearer`].
    Bearer {
        /// The token.
        token: Secret,
        /// As for `Galaxy`.
        #[serde(default)]
        hosts: Vec<String>,
    },
    /// See [`CredentialKind::Header`].
    Header {
        /// The header's name, such as `X-Api-Key`.
        header: String,
        /// Its value.
        value: Secret,
        /// As for `Galaxy`.
        #[serde(default)]
        hosts: Vec<String>,
    },
    /// See [`CredentialKind::HashicorpVault`].
    HashicorpVault(VaultAccess),
    /// See [`CredentialKind::ClientCertificate`].
    ClientCertificate(ClientCertificate),
}

/// Access to hosts over ssh: a key, and the keys that the hosts have.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SshAccess {
    /// The key to log in with.
    #[serde(flatten)]
    pub key: KeyPair,
    /// The hosts' keys, as lines of `known_hosts`.
    #[serde(default)]
    pub known_hosts: Option<String>,
}

/// A private key for ssh.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeyPair {
    /// The key, in OpenSSH or PEM format.
    pub private_key: Secret,
    /// The passphrase that the key is encrypted with.
    #[serde(default)]
    pub passphrase: Option<Secret>,
    /// A certificate for the key, as `ssh-keygen -s` writes it.
    #[serde(default)]
    pub certificate: Option<String>,
}

/// Access to a Git server: a token over https, or a key over ssh.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct GitAccess {
    /// The user that the token belongs to; most servers accept any.
    #[serde(default)]
    pub username: Option<String>,
    /// The token, for https.
    #[serde(default)]
    pub token: Option<Secret>,
    /// The key, for ssh.
    #[serde(default)]
    pub key: Option<KeyPair>,
    /// The server's host keys, as lines of `known_hosts`.
    #[serde(default)]
    pub known_hosts: Option<String>,
    /// The hosts that the credential may be used for; if empty, any host that a request may name.
    #[serde(default)]
    pub hosts: Vec<String>,
}

/// Access to AWS: keys, a role to assume, or keys with which to assume a role.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct AwsAccess {
    /// The id of an access key.
    #[serde(default)]
    pub access_key_id: Option<String>,
    /// The access key.
    #[serde(default)]
    pub secret_access_key: Option<Secret>,
    /// The token of temporary keys.
    #[serde(default)]
    pub session_token: Option<Secret>,
    /// The role to assume.
    #[serde(default)]
    pub role_arn: Option<String>,
    /// The external id that the role's trust policy may require.
    #[serde(default)]
    pub external_id: Option<String>,
    /// The default region.
    #[serde(default)]
    pub region: Option<String>,
}

/// Access to HashiCorp Vault.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct VaultAccess {
    /// The address of Vault, such as `https://vault.example.com:8200`.
    pub url: String,
    /// The namespace, if Vault has namespaces.
    #[serde(default)]
    pub namespace: Option<String>,
    /// How to log in.
    pub auth: VaultAuth,
}

/// How to log in to HashiCorp Vault.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum VaultAuth {
    /// With a token.
    Token {
        /// The token.
        token: Secret,
    },
    /// With AppRole.
    Approle {
        /// The role's id.
        role_id: String,
        /// The role's secret id.
        secret_id: Secret,
        /// Where the method is mounted; by default `approle`.
        #[serde(default)]
        mount: Option<String>,
    },
    /// With the worker's AWS identity or a `cloud` credential.
    AwsIam {
        /// The role in Vault.
        role: String,
        /// Where the method is mounted; by default `aws`.
        #[serde(default)]
        mount: Option<String>,
        /// The value of `X-Vault-AWS-IAM-Server-ID`, if Vault requires it.
        #[serde(default)]
        server_id: Option<String>,
        /// A stored credential of kind `cloud`; by default the worker's own identity.
        #[serde(default)]
        cloud_credential: Option<String>,
    },
}

impl KeyPair {
    fn secrets(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.private_key).chain(&self.passphrase)
    }
}

impl Credential {
    /// Returns the credential's kind.
    #[must_use]
    pub fn kind(&self) -> CredentialKind {
        match self {
            Self::Ssh(_) => CredentialKind::Ssh,
            Self::Password { .. } => CredentialKind::Password,
            Self::Vault { .. } => CredentialKind::Vault,
            Self::Git(_) => CredentialKind::Git,
            Self::Galaxy { .. } => CredentialKind::Galaxy,
            Self::Cloud(_) => CredentialKind::Cloud,
            Self::Bearer { .. } => CredentialKind::Bearer,
            Self::Header { .. } => CredentialKind::Header,
            Self::HashicorpVault(_) => CredentialKind::HashicorpVault,
            Self::ClientCertificate(_) => CredentialKind::ClientCertificate,
        }
    }

    /// Returns every secret text in the credential; none of them may be printed.
    #[must_use]
    pub fn secrets(&self) -> Vec<&Secret> {
        match self {
            Self::Ssh(ssh) => ssh.key.secrets().collect(),
            Self::Password { password } | Self::Vault { password, .. } => vec![password],
            Self::Git(git) => git
                .token
                .iter()
                .chain(git.key.iter().flat_map(KeyPair::secrets))
                .collect(),
            Self::Galaxy { token, .. } | Self::Bearer { token, .. } => vec![token],
            Self::Header { value, .. } => vec![value],
            Self::Cloud(aws) => aws.secret_access_key.iter().chain(&aws.session_token).collect(),
            Self::HashicorpVault(vault) => match &vault.auth {
                VaultAuth::Token { token } => vec![token],
                VaultAuth::Approle { secret_id, .. } => vec![secret_id],
                VaultAuth::AwsIam { .. } => Vec::new(),
            },
            Self::ClientCertificate(client) => vec![&client.private_key],
        }
    }
}

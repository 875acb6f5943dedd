//! What a credential is for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The kind of a credential.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// A key for ssh, with its passphrase and certificate, and the keys of hosts.
    Ssh,
    /// A password, for a connection or for becoming another user.
    Password,
    /// The password of an Ansible vault.
    Vault,
    /// A token or key for a Git server.
    Git,
    /// A token for a Galaxy server.
    Galaxy,
    /// Access to a cloud.
    Cloud,
    /// A token that goes into an `Authorization: Bearer` header.
    Bearer,
    /// A value that goes into a header.
    Header,
    /// Access to HashiCorp Vault.
    HashicorpVault,
    /// A certificate, with its private key, that TLS shows to a server.
    ClientCertificate,
}

impl CredentialKind {
    pub(crate) const NAMES: [&'static str; 10] = [
        "ssh",
        "password",
        "vault",
        "git",
        "galaxy",
        "cloud",
        "bearer",
        "header",
        "hashicorp_vault",
        "client_certificate",
    ];

    /// Returns the word that denotes the kind everywhere.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

impl std::fmt::Display for CredentialKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

//! What the OpenAPI document says of credentials in requests. [`callboard_core::credential::Credential::parse`] reads them.

use serde::Deserialize;
use utoipa::ToSchema;

/// A new credential: its name, and what its kind holds.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"name": "prod-become", "kind": "password", "password": "correct horse battery"}))]
#[expect(dead_code, reason = "describes what is read elsewhere")]
pub(crate) struct NewCredential {
    /// The name by which jobs refer to it: letters, digits, `.`, `_` and `-`, the first a letter or digit.
    #[schema(max_length = 128, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$", example = "prod-ssh-key")]
    name: String,
    #[serde(flatten)]
    fields: CredentialFields,
}

/// What a credential holds. A secret has at least 4 bytes.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(example = json!({"kind": "password", "password": "correct horse battery staple"}))]
#[expect(dead_code, reason = "describes what is read elsewhere")]
pub(crate) enum CredentialFields {
    /// A key for ssh.
    Ssh {
        /// The private key, in OpenSSH's or PEM format.
        #[schema(write_only, format = Password, max_length = 32768)]
        private_key: String,
        /// What the key is encrypted with.
        #[schema(write_only, format = Password, max_length = 8192)]
        passphrase: Option<String>,
        /// A certificate for the key, as `ssh-keygen -s` writes it.
        #[schema(write_only, max_length = 32768)]
        certificate: Option<String>,
        /// The hosts' keys, as lines of `known_hosts`.
        #[schema(write_only, max_length = 32768)]
        known_hosts: Option<String>,
    },
    /// A password, for a connection or for becoming another user.
    Password {
        #[schema(write_only, format = Password, max_length = 8192)]
        password: String,
    },
    /// The password of an Ansible vault.
    Vault {
        #[schema(write_only, format = Password, max_length = 8192)]
        password: String,
        /// The label that vaulted text carries; by default any.
        #[schema(write_only)]
        vault_id: Option<String>,
    },
    /// Access to a Git server: a token over https, a key over ssh, or both.
    Git {
        /// The user that the token belongs to; most servers take any.
        #[schema(write_only)]
        username: Option<String>,
        /// For https.
        #[schema(write_only, format = Password, max_length = 8192)]
        token: Option<String>,
        /// For ssh, in OpenSSH's or PEM format.
        #[schema(write_only, format = Password, max_length = 32768)]
        private_key: Option<String>,
        /// What the key is encrypted with.
        #[schema(write_only, format = Password, max_length = 8192)]
        passphrase: Option<String>,
        /// A certificate for the key.
        #[schema(write_only, max_length = 32768)]
        certificate: Option<String>,
        /// The server's host keys, as lines of `known_hosts`.
        #[schema(write_only, max_length = 32768)]
        known_hosts: Option<String>,
        /// The hosts that it may be used for; by default any that a request may name.
        #[schema(write_only)]
        hosts: Option<Vec<String>>,
    },
    /// A token for a Galaxy server.
    Galaxy {
        #[schema(write_only, format = Password, max_length = 8192)]
        token: String,
        /// The hosts that it may be sent to; by default any that a request may name.
        #[schema(write_only)]
        hosts: Option<Vec<String>>,
    },
    /// Access to a cloud: `access_key_id` and `secret_access_key`, or a `role_arn`, or both.
    Cloud {
        /// `aws`, the default.
        #[schema(write_only, example = "aws")]
        provider: Option<String>,
        /// The id of an access key.
        #[schema(write_only)]
        access_key_id: Option<String>,
        /// The access key.
        #[schema(write_only, format = Password, max_length = 8192)]
        secret_access_key: Option<String>,
        /// The token of temporary keys.
        #[schema(write_only, format = Password, max_length = 8192)]
        session_token: Option<String>,
        /// The role to assume.
        #[schema(write_only)]
        role_arn: Option<String>,
        /// What the role's trust policy may ask for.
        #[schema(write_only)]
        external_id: Option<String>,
        /// The default region.
        #[schema(write_only)]
        region: Option<String>,
    },
    /// A token that goes into an `Authorization: Bearer` header.
    Bearer {
        #[schema(write_only, format = Password, max_length = 8192)]
        token: String,
        /// The hosts that it may be sent to; by default any that a request may name.
        #[schema(write_only)]
        hosts: Option<Vec<String>>,
    },
    /// A value that goes into a header.
    Header {
        /// The header's name.
        #[schema(write_only, max_length = 128, example = "X-Api-Key")]
        header: String,
        #[schema(write_only, format = Password, max_length = 8192)]
        value: String,
        /// The hosts that it may be sent to; by default any that a request may name.
        #[schema(write_only)]
        hosts: Option<Vec<String>>,
    },
    /// Access to HashiCorp Vault, with one way to log in: a `token`; or `role_id` and `secret_id` (AppRole); or `role`
    /// (AWS IAM).
    HashicorpVault {
        /// Where Vault is.
        #[schema(write_only, example = "https://vault.example.com:8200")]
        url: String,
        /// The namespace, where Vault has them.
        #[schema(write_only)]
        namespace: Option<String>,
        #[schema(write_only, format = Password, max_length = 8192)]
        token: Option<String>,
        /// The id of an AppRole.
        #[schema(write_only)]
        role_id: Option<String>,
        /// The secret id of an AppRole.
        #[schema(write_only, format = Password, max_length = 8192)]
        secret_id: Option<String>,
        /// Where the method is mounted; by default `approle` or `aws`.
        #[schema(write_only)]
        mount: Option<String>,
        /// The role in Vault that AWS IAM logs in to.
        #[schema(write_only)]
        role: Option<String>,
        /// The value of `X-Vault-AWS-IAM-Server-ID`, where Vault asks for it.
        #[schema(write_only)]
        server_id: Option<String>,
        /// A stored credential of kind `cloud` to log in with; by default the worker's own identity.
        #[schema(write_only)]
        cloud_credential: Option<String>,
    },
}

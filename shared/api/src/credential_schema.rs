//! The OpenAPI schemas of credentials in requests. [`callboard_core::credential::Credential::parse`] reads such requests.
//!
//! A kind that can be given in several ways has one variant for each: its description says which fields go together.

mod texts;

use utoipa::ToSchema;

use self::texts::{
    Certificate, Host, Line, Password, PrivateKey, Provider, Region, Role, SecretLine, SecretText, SecretWord, Url,
};

/// A new credential: its name, and what its kind holds.
#[derive(ToSchema)]
#[schema(example = json!({"name": "prod-become", "kind": "password", "password": "correct horse battery"}))]
#[expect(dead_code, reason = "describes what is read elsewhere")]
pub(crate) struct NewCredential {
    /// The name by which jobs refer to it: letters, digits, `.`, `_` and `-`, the first a letter or digit.
    #[schema(
        max_length = 128,
        pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        example = "prod-ssh-key"
    )]
    name: String,
    #[serde(flatten)]
    fields: CredentialFields,
}

/// What a credential holds. A secret has at least 4 bytes.
#[derive(ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(example = json!({"kind": "password", "password": "correct horse battery staple"}))]
#[expect(dead_code, reason = "describes what is read elsewhere")]
pub(crate) enum CredentialFields {
    /// A key for ssh.
    #[schema(title = "SshCredential")]
    Ssh {
        /// The private key, in OpenSSH's or PEM format.
        #[schema(inline)]
        private_key: PrivateKey,
        /// What the key is encrypted with.
        #[schema(inline)]
        passphrase: Option<SecretText>,
        /// A certificate for the key, as `ssh-keygen -s` writes it.
        #[schema(inline)]
        certificate: Option<Certificate>,
        /// The hosts' keys, as lines of `known_hosts`.
        #[schema(max_length = 32768, pattern = r"^[^\u0000]+$")]
        known_hosts: Option<String>,
    },
    /// A password, for a connection or for becoming another user.
    #[schema(title = "PasswordCredential")]
    Password {
        /// One line, without white space at its ends.
        #[schema(inline)]
        password: Password,
    },
    /// The password of an Ansible vault.
    #[schema(title = "VaultCredential")]
    Vault {
        /// One line, without white space at its ends.
        #[schema(inline)]
        password: Password,
        /// The label that vaulted text carries; by default any.
        #[schema(max_length = 2048, pattern = r"^[^\u0000-\u001f\u007f-\u009f@,]+$")]
        vault_id: Option<String>,
    },
    /// Access to a Git server with a token, over https.
    #[schema(title = "GitTokenCredential")]
    #[serde(rename = "git")]
    GitToken {
        /// The user that the token belongs to; most servers take any.
        #[schema(inline)]
        username: Option<Line>,
        /// One line.
        #[schema(inline)]
        token: SecretLine,
        /// The hosts that it may be used for; by default any that a request may name.
        #[schema(inline)]
        hosts: Option<Vec<Host>>,
    },
    /// Access to a Git server with a key, over ssh; and with a token, where it has one.
    #[schema(title = "GitKeyCredential")]
    #[serde(rename = "git")]
    GitKey {
        /// In OpenSSH's or PEM format.
        #[schema(inline)]
        private_key: PrivateKey,
        /// What the key is encrypted with.
        #[schema(inline)]
        passphrase: Option<SecretText>,
        /// A certificate for the key.
        #[schema(inline)]
        certificate: Option<Certificate>,
        /// The server's host keys, as lines of `known_hosts`.
        #[schema(max_length = 32768, pattern = r"^[^\u0000]+$")]
        known_hosts: Option<String>,
        /// The user that the token belongs to.
        #[schema(inline)]
        username: Option<Line>,
        /// For https, one line.
        #[schema(inline)]
        token: Option<SecretLine>,
        /// The hosts that it may be used for; by default any that a request may name.
        #[schema(inline)]
        hosts: Option<Vec<Host>>,
    },
    /// A token for a Galaxy server.
    #[schema(title = "GalaxyCredential")]
    Galaxy {
        /// One line.
        #[schema(inline)]
        token: SecretLine,
        /// The hosts that it may be sent to; by default any that a request may name.
        #[schema(inline)]
        hosts: Option<Vec<Host>>,
    },
    /// Access to AWS with an access key; and with a role that it may assume.
    #[schema(title = "CloudKeyCredential")]
    #[serde(rename = "cloud")]
    CloudKey {
        /// `aws`, the default.
        #[schema(inline)]
        provider: Option<Provider>,
        /// The id of an access key.
        #[schema(inline)]
        access_key_id: Line,
        /// The access key.
        #[schema(inline)]
        secret_access_key: SecretLine,
        /// The token of temporary keys.
        #[schema(inline)]
        session_token: Option<SecretText>,
        /// The role to assume.
        #[schema(inline)]
        role_arn: Option<Role>,
        /// What the role's trust policy may ask for.
        #[schema(inline)]
        external_id: Option<Line>,
        /// The default region.
        #[schema(inline)]
        region: Option<Region>,
    },
    /// Access to AWS with a role that the worker's own identity assumes.
    #[schema(title = "CloudRoleCredential")]
    #[serde(rename = "cloud")]
    CloudRole {
        /// `aws`, the default.
        #[schema(inline)]
        provider: Option<Provider>,
        /// The role to assume.
        #[schema(inline)]
        role_arn: Role,
        /// What the role's trust policy may ask for.
        #[schema(inline)]
        external_id: Option<Line>,
        /// The default region.
        #[schema(inline)]
        region: Option<Region>,
    },
    /// A token that goes into an `Authorization: Bearer` header.
    #[schema(title = "BearerCredential")]
    Bearer {
        /// Printable ASCII.
        #[schema(inline)]
        token: SecretWord,
        /// The hosts that it may be sent to; by default any that a request may name.
        #[schema(inline)]
        hosts: Option<Vec<Host>>,
    },
    /// A value that goes into a header.
    #[schema(title = "HeaderCredential")]
    Header {
        /// The header's name.
        #[schema(max_length = 128, pattern = r"^[A-Za-z0-9_-]+$", example = "X-Api-Key")]
        header: String,
        /// Printable ASCII.
        #[schema(inline)]
        value: SecretWord,
        /// The hosts that it may be sent to; by default any that a request may name.
        #[schema(inline)]
        hosts: Option<Vec<Host>>,
    },
    /// Access to HashiCorp Vault with a token.
    #[schema(title = "HashicorpVaultTokenCredential")]
    #[serde(rename = "hashicorp_vault")]
    VaultToken {
        /// Where Vault is.
        #[schema(inline)]
        url: Url,
        /// The namespace, where Vault has them.
        #[schema(inline)]
        namespace: Option<Line>,
        /// One line.
        #[schema(inline)]
        token: SecretLine,
    },
    /// Access to HashiCorp Vault by AppRole.
    #[schema(title = "HashicorpVaultApproleCredential")]
    #[serde(rename = "hashicorp_vault")]
    VaultApprole {
        /// Where Vault is.
        #[schema(inline)]
        url: Url,
        /// The namespace, where Vault has them.
        #[schema(inline)]
        namespace: Option<Line>,
        /// The id of the AppRole.
        #[schema(inline)]
        role_id: Line,
        /// Its secret id, one line.
        #[schema(inline)]
        secret_id: SecretLine,
        /// Where the method is mounted; by default `approle`.
        #[schema(inline)]
        mount: Option<Line>,
    },
    /// Access to HashiCorp Vault by an identity of AWS.
    #[schema(title = "HashicorpVaultAwsCredential")]
    #[serde(rename = "hashicorp_vault")]
    VaultAws {
        /// Where Vault is.
        #[schema(inline)]
        url: Url,
        /// The namespace, where Vault has them.
        #[schema(inline)]
        namespace: Option<Line>,
        /// The role in Vault.
        #[schema(inline)]
        role: Line,
        /// Where the method is mounted; by default `aws`.
        #[schema(inline)]
        mount: Option<Line>,
        /// The value of `X-Vault-AWS-IAM-Server-ID`, where Vault asks for it.
        #[schema(inline)]
        server_id: Option<Line>,
        /// A stored credential of kind `cloud` to log in with; by default the worker's own identity.
        #[schema(max_length = 128, pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
        cloud_credential: Option<String>,
    },
}

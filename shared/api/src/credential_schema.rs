//! The OpenAPI schemas of credentials in requests. [`callboard_core::credential::Credential::parse`] reads such requests.
//!
//! A kind that can be given in several ways has one variant for each: its description says which fields go together.

mod texts;

use utoipa::ToSchema;

use self::texts::{
    Certificate, Host, Line, Password, PemCertificate, PrivateKey, Provider, Region, Role, SecretLine, SecretText,
    SecretWord, Url,
};

/// A new credential: its name, and the fields of its kind.
#[derive(ToSchema)]
#[schema(example = json!({"name": "prod-become", "kind": "password", "password": "correct horse battery"}))]
#[expect(dead_code, reason = "describes what is read elsewhere")]
pub(crate) struct NewCredential {
    /// The name that jobs refer to: letters, digits, `.`, `_` and `-`, starting with a letter or digit.
    #[schema(
        max_length = 128,
        pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        example = "prod-ssh-key"
    )]
    name: String,
    #[serde(flatten)]
    fields: CredentialFields,
}

/// The value of a credential. Each secret must have at least 4 bytes.
#[derive(ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(example = json!({"kind": "password", "password": "correct horse battery staple"}))]
#[expect(dead_code, reason = "describes what is read elsewhere")]
pub(crate) enum CredentialFields {
    /// An ssh key.
    #[schema(title = "SshCredential")]
    Ssh {
        /// The private key, in OpenSSH or PEM format.
        #[schema(inline)]
        private_key: PrivateKey,
        /// The passphrase of the private key, if it is encrypted.
        #[schema(inline)]
        passphrase: Option<SecretText>,
        /// A certificate for the key, as `ssh-keygen -s` writes it.
        #[schema(inline)]
        certificate: Option<Certificate>,
        /// The host keys of the hosts, as lines of `known_hosts`.
        #[schema(max_length = 32768, pattern = r"^[^\u0000]+$")]
        known_hosts: Option<String>,
    },
    /// A password, for a connection or for becoming another user.
    #[schema(title = "PasswordCredential")]
    Password {
        /// The password: one line, without leading or trailing white space.
        #[schema(inline)]
        password: Password,
    },
    /// The password of an Ansible vault.
    #[schema(title = "VaultCredential")]
    Vault {
        /// The password: one line, without leading or trailing white space.
        #[schema(inline)]
        password: Password,
        /// The vault id (label) of the encrypted text that the password is for. Default: any.
        #[schema(max_length = 2048, pattern = r"^[^\u0000-\u001f\u007f-\u009f@,]+$")]
        vault_id: Option<String>,
    },
    /// Access to a Git server over https, with a token.
    #[schema(title = "GitTokenCredential")]
    #[serde(rename = "git")]
    GitToken {
        /// The user that the token belongs to. Most servers accept any name.
        #[schema(inline)]
        username: Option<Line>,
        /// The token, one line.
        #[schema(inline)]
        token: SecretLine,
        /// The hosts that the credential may be used for. Default: any host that a request may name.
        #[schema(inline)]
        hosts: Option<Vec<Host>>,
    },
    /// Access to a Git server over ssh with a key, and over https if a token is given too.
    #[schema(title = "GitKeyCredential")]
    #[serde(rename = "git")]
    GitKey {
        /// The private key, in OpenSSH or PEM format.
        #[schema(inline)]
        private_key: PrivateKey,
        /// The passphrase of the private key, if it is encrypted.
        #[schema(inline)]
        passphrase: Option<SecretText>,
        /// A certificate for the key.
        #[schema(inline)]
        certificate: Option<Certificate>,
        /// The host keys of the server, as lines of `known_hosts`.
        #[schema(max_length = 32768, pattern = r"^[^\u0000]+$")]
        known_hosts: Option<String>,
        /// The user that the token belongs to.
        #[schema(inline)]
        username: Option<Line>,
        /// The token for https, one line.
        #[schema(inline)]
        token: Option<SecretLine>,
        /// The hosts that the credential may be used for. Default: any host that a request may name.
        #[schema(inline)]
        hosts: Option<Vec<Host>>,
    },
    /// A token for a Galaxy server.
    #[schema(title = "GalaxyCredential")]
    Galaxy {
        /// The token, one line.
        #[schema(inline)]
        token: SecretLine,
        /// The hosts that the credential may be sent to. Default: any host that a request may name.
        #[schema(inline)]
        hosts: Option<Vec<Host>>,
    },
    /// Access to AWS with an access key, and optionally a role to assume with it.
    #[schema(title = "CloudKeyCredential")]
    #[serde(rename = "cloud")]
    CloudKey {
        /// The cloud provider. Default: `aws`.
        #[schema(inline)]
        provider: Option<Provider>,
        /// The id of an access key.
        #[schema(inline)]
        access_key_id: Line,
        /// The secret access key.
        #[schema(inline)]
        secret_access_key: SecretLine,
        /// The session token, for temporary keys.
        #[schema(inline)]
        session_token: Option<SecretText>,
        /// The ARN of the role to assume.
        #[schema(inline)]
        role_arn: Option<Role>,
        /// The external id, if the role's trust policy requires one.
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
        /// The cloud provider. Default: `aws`.
        #[schema(inline)]
        provider: Option<Provider>,
        /// The ARN of the role to assume.
        #[schema(inline)]
        role_arn: Role,
        /// The external id, if the role's trust policy requires one.
        #[schema(inline)]
        external_id: Option<Line>,
        /// The default region.
        #[schema(inline)]
        region: Option<Region>,
    },
    /// A token that is sent in an `Authorization: Bearer` header.
    #[schema(title = "BearerCredential")]
    Bearer {
        /// The secret, in printable ASCII characters.
        #[schema(inline)]
        token: SecretWord,
        /// The hosts that the credential may be sent to. Default: any host that a request may name.
        #[schema(inline)]
        hosts: Option<Vec<Host>>,
    },
    /// A value that is sent in a header.
    #[schema(title = "HeaderCredential")]
    Header {
        /// The name of the header.
        #[schema(max_length = 128, pattern = r"^[A-Za-z0-9_-]+$", example = "X-Api-Key")]
        header: String,
        /// The secret, in printable ASCII characters.
        #[schema(inline)]
        value: SecretWord,
        /// The hosts that the credential may be sent to. Default: any host that a request may name.
        #[schema(inline)]
        hosts: Option<Vec<Host>>,
    },
    /// Access to HashiCorp Vault with a token.
    #[schema(title = "HashicorpVaultTokenCredential")]
    #[serde(rename = "hashicorp_vault")]
    VaultToken {
        /// The URL of the Vault server.
        #[schema(inline)]
        url: Url,
        /// The namespace, if Vault uses namespaces.
        #[schema(inline)]
        namespace: Option<Line>,
        /// The token, one line.
        #[schema(inline)]
        token: SecretLine,
    },
    /// Access to HashiCorp Vault with AppRole.
    #[schema(title = "HashicorpVaultApproleCredential")]
    #[serde(rename = "hashicorp_vault")]
    VaultApprole {
        /// The URL of the Vault server.
        #[schema(inline)]
        url: Url,
        /// The namespace, if Vault uses namespaces.
        #[schema(inline)]
        namespace: Option<Line>,
        /// The id of the AppRole.
        #[schema(inline)]
        role_id: Line,
        /// The secret id of the AppRole, one line.
        #[schema(inline)]
        secret_id: SecretLine,
        /// The path where the AppRole auth method is mounted. Default: `approle`.
        #[schema(inline)]
        mount: Option<Line>,
    },
    /// Access to HashiCorp Vault with an AWS identity.
    #[schema(title = "HashicorpVaultAwsCredential")]
    #[serde(rename = "hashicorp_vault")]
    VaultAws {
        /// The URL of the Vault server.
        #[schema(inline)]
        url: Url,
        /// The namespace, if Vault uses namespaces.
        #[schema(inline)]
        namespace: Option<Line>,
        /// The name of the role in Vault.
        #[schema(inline)]
        role: Line,
        /// The path where the AWS auth method is mounted. Default: `aws`.
        #[schema(inline)]
        mount: Option<Line>,
        /// The value of the `X-Vault-AWS-IAM-Server-ID` header, if Vault requires it.
        #[schema(inline)]
        server_id: Option<Line>,
        /// The stored credential of kind `cloud` to log in with. Default: the worker's own identity.
        #[schema(max_length = 128, pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
        cloud_credential: Option<String>,
    },
    /// A certificate, with its private key, that TLS shows to a server (mutual TLS).
    #[schema(title = "ClientCertificateCredential")]
    ClientCertificate {
        /// The certificate of the client and those that lead to its authority, in PEM format. It must not have expired.
        #[schema(inline)]
        certificate: PemCertificate,
        /// The private key of the certificate, in PEM format, not encrypted.
        #[schema(inline)]
        private_key: PrivateKey,
        /// The hosts that the certificate may be shown to. Default: any host that an operator has registered.
        #[schema(inline)]
        hosts: Option<Vec<Host>>,
    },
}

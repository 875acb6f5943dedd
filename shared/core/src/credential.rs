//! Credentials that Callboard keeps: their kinds, and what each holds.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::fields::{Faults, FieldError, Fields};
use crate::reference::{check_name, region};
use crate::secret::{MIN_SECRET_BYTES, Secret};
use crate::time::Timestamp;

const MAX_SECRET_BYTES: usize = 8 * 1024;
const MAX_KEY_BYTES: usize = 32 * 1024;
const MAX_LINE_BYTES: usize = 2048;

/// What a credential is for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// A key for ssh, with its passphrase and certificate.
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
}

impl CredentialKind {
    const NAMES: [&'static str; 9] = [
        "ssh",
        "password",
        "vault",
        "git",
        "galaxy",
        "cloud",
        "bearer",
        "header",
        "hashicorp_vault",
    ];

    /// Returns the word that stands for the kind everywhere.
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

/// What a credential holds. It is sent to the service, sealed, and never shown again.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Credential {
    /// See [`CredentialKind::Ssh`].
    Ssh(KeyPair),
    /// See [`CredentialKind::Password`].
    Password {
        /// The password.
        password: Secret,
    },
    /// See [`CredentialKind::Vault`].
    Vault {
        /// The vault's password.
        password: Secret,
        /// The label that vaulted text carries; by default any.
        #[serde(default)]
        vault_id: Option<String>,
    },
    /// See [`CredentialKind::Git`].
    Git(GitAccess),
    /// See [`CredentialKind::Galaxy`].
    Galaxy {
        /// The token.
        token: Secret,
        /// The hosts that it may be sent to; none named: any that a request may name.
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
}

/// A private key for ssh.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeyPair {
    /// In OpenSSH's or PEM format.
    pub private_key: Secret,
    /// What the key is encrypted with.
    #[serde(default)]
    pub passphrase: Option<Secret>,
    /// A certificate for the key, as `ssh-keygen -s` writes it.
    #[serde(default)]
    pub certificate: Option<String>,
}

/// Access to a Git server: a token over https, or a key over ssh.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct GitAccess {
    /// The user that the token belongs to; most servers take any.
    #[serde(default)]
    pub username: Option<String>,
    /// For https.
    #[serde(default)]
    pub token: Option<Secret>,
    /// For ssh.
    #[serde(default)]
    pub key: Option<KeyPair>,
    /// The server's host keys, as lines of `known_hosts`.
    #[serde(default)]
    pub known_hosts: Option<String>,
    /// The hosts that it may be used for; none named: any that a request may name.
    #[serde(default)]
    pub hosts: Vec<String>,
}

/// Access to AWS: keys, or a role to assume, or keys with which to assume a role.
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
    /// What the role's trust policy may ask for.
    #[serde(default)]
    pub external_id: Option<String>,
    /// The default region.
    #[serde(default)]
    pub region: Option<String>,
}

/// Access to HashiCorp Vault.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct VaultAccess {
    /// Where Vault is, such as `https://vault.example.com:8200`.
    pub url: String,
    /// The namespace, where Vault has them.
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
    /// With the worker's AWS identity, or that of a `cloud` credential.
    AwsIam {
        /// The role in Vault.
        role: String,
        /// Where the method is mounted; by default `aws`.
        #[serde(default)]
        mount: Option<String>,
        /// The value of `X-Vault-AWS-IAM-Server-ID`, where Vault asks for it.
        #[serde(default)]
        server_id: Option<String>,
        /// A stored credential of kind `cloud`; by default the worker's own identity.
        #[serde(default)]
        cloud_credential: Option<String>,
    },
}

/// What is shown of a credential.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct CredentialSummary {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub kind: CredentialKind,
    /// When it was stored first.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When its value was changed last.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl KeyPair {
    fn secrets(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.private_key).chain(&self.passphrase)
    }
}

impl Credential {
    /// Returns the kind.
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
        }
    }

    /// Returns every secret text in it, for what must not be printed.
    #[must_use]
    pub fn secrets(&self) -> Vec<&Secret> {
        match self {
            Self::Ssh(key) => key.secrets().collect(),
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
        }
    }

    /// Makes a credential of a kind from one text that another keeper of secrets has: the secret itself, or a JSON object
    /// with the kind's fields.
    ///
    /// # Errors
    /// What is wrong with the fields; never the text.
    pub fn from_text(kind: CredentialKind, text: &str) -> Result<Self, Vec<FieldError>> {
        let object = crate::json::parse(text.as_bytes()).ok().filter(Value::is_object);
        let mut body = object.unwrap_or_else(|| {
            let key = text.trim_start().starts_with("-----BEGIN");
            let field = match kind {
                CredentialKind::Ssh => "private_key",
                CredentialKind::Git if key => "private_key",
                CredentialKind::Git
                | CredentialKind::Galaxy
                | CredentialKind::Bearer
                | CredentialKind::HashicorpVault => "token",
                CredentialKind::Password | CredentialKind::Vault => "password",
                CredentialKind::Cloud => "secret_access_key",
                CredentialKind::Header => "value",
            };
            let text = if key { text } else { text.trim_end_matches(['\r', '\n']) };
            serde_json::json!({ field: text })
        });
        if let Value::Object(fields) = &mut body {
            fields.insert("kind".to_owned(), kind.as_str().into());
        }
        let mut faults = Faults::default();
        match Self::parse(&body, &mut faults) {
            Some(credential) => faults.or(credential),
            None => Err(faults.into_inner()),
        }
    }

    /// Reads a credential from a request's body, which may hold its `name` as well; every fault is added with its pointer.
    pub fn parse(body: &Value, faults: &mut Faults) -> Option<Self> {
        let mut fields = Fields::of(body, "", faults)?;
        fields.allow("name");
        let kind = fields.variant("kind", &CredentialKind::NAMES, faults)?;
        let credential = match kind {
            "ssh" => key_pair(&mut fields, faults, true).map(Self::Ssh),
            "password" => password(&mut fields, faults).map(|password| Self::Password { password }),
            "vault" => {
                let vault_id = fields.line("vault_id", MAX_LINE_BYTES, faults).map(str::to_owned);
                if vault_id.as_deref().is_some_and(|id| id.contains(['@', ','])) {
                    faults.add("/vault_id", "must be a label without `@` and `,`");
                }
                password(&mut fields, faults).map(|password| Self::Vault { password, vault_id })
            }
            "git" => git(&mut fields, faults).map(Self::Git),
            "galaxy" => {
                let hosts = hosts(&mut fields, faults);
                required(&mut fields, "token", faults).map(|token| Self::Galaxy { token, hosts })
            }
            "cloud" => aws(&mut fields, faults).map(Self::Cloud),
            "bearer" => {
                let hosts = hosts(&mut fields, faults);
                header_value(&mut fields, "token", faults).map(|token| Self::Bearer { token, hosts })
            }
            "header" => header(&mut fields, faults),
            _ => vault(&mut fields, faults).map(Self::HashicorpVault),
        };
        fields.finish(faults);
        credential
    }
}

/// Reads the name of a new credential.
pub fn parse_name(body: &Value, faults: &mut Faults) -> Option<String> {
    match body.get("name") {
        Some(Value::String(name)) => check_name(name, "/name", faults).then(|| name.clone()),
        Some(_) => {
            faults.add("/name", "must be a string");
            None
        }
        None => {
            faults.add("/name", "is missing: the name by which jobs will refer to it");
            None
        }
    }
}

fn secret(fields: &mut Fields<'_>, name: &'static str, max: usize, faults: &mut Faults) -> Option<Secret> {
    let text = fields.text(name, max, faults)?;
    if text.len() < MIN_SECRET_BYTES {
        let why = "a shorter one could not be kept out of what jobs print";
        faults.add(
            fields.pointer(name),
            format!("must have at least {MIN_SECRET_BYTES} bytes: {why}"),
        );
    }
    Some(Secret::new(text))
}

fn required(fields: &mut Fields<'_>, name: &'static str, faults: &mut Faults) -> Option<Secret> {
    if fields.get(name).is_none() {
        faults.add(fields.pointer(name), "is missing");
    }
    let secret = secret(fields, name, MAX_SECRET_BYTES, faults)?;
    if secret.expose().contains(['\n', '\r']) {
        faults.add(fields.pointer(name), "must be one line");
    }
    Some(secret)
}

/// Reads a password that Ansible gets in a file, from which it strips white space.
fn password(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Secret> {
    let password = required(fields, "password", faults)?;
    if password.expose().trim() != password.expose() {
        faults.add(
            fields.pointer("password"),
            "must not begin or end with white space, which Ansible takes away",
        );
    }
    Some(password)
}

fn header_value(fields: &mut Fields<'_>, name: &'static str, faults: &mut Faults) -> Option<Secret> {
    let value = required(fields, name, faults)?;
    if !value
        .expose()
        .bytes()
        .all(|byte| byte == b' ' || byte.is_ascii_graphic())
    {
        faults.add(
            fields.pointer(name),
            "must hold only printable ASCII, as a header's value does",
        );
    }
    Some(value)
}

fn key_pair(fields: &mut Fields<'_>, faults: &mut Faults, must: bool) -> Option<KeyPair> {
    if fields.get("private_key").is_none() && must {
        faults.add(fields.pointer("private_key"), "is missing");
    }
    let private_key = secret(fields, "private_key", MAX_KEY_BYTES, faults);
    let passphrase = secret(fields, "passphrase", MAX_SECRET_BYTES, faults);
    let certificate = fields.text("certificate", MAX_KEY_BYTES, faults).map(str::to_owned);
    let private_key = private_key?;
    let text = private_key.expose().trim();
    if !text.starts_with("-----BEGIN ") || !text.ends_with("PRIVATE KEY-----") {
        let right = "with its first line `-----BEGIN ... PRIVATE KEY-----` and its last";
        faults.add(
            fields.pointer("private_key"),
            format!("must be a private key in OpenSSH's or PEM format, {right}"),
        );
    }
    if certificate
        .as_deref()
        .is_some_and(|text| !text.contains("-cert-v01@openssh.com "))
    {
        faults.add(
            fields.pointer("certificate"),
            "must be an OpenSSH certificate: the content of the -cert.pub file",
        );
    }
    // ssh-add refuses a key without a newline at its end
    let private_key = Secret::new(format!("{text}\n"));
    Some(KeyPair {
        private_key,
        passphrase,
        certificate,
    })
}

fn git(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<GitAccess> {
    let username = fields.line("username", MAX_LINE_BYTES, faults).map(str::to_owned);
    let token = fields.get("token").and_then(|_| required(fields, "token", faults));
    let given = fields.get("token").is_some() || fields.get("private_key").is_some();
    if !given {
        faults.add(
            fields.pointer("token"),
            "is missing: a git credential holds a token (https) or a private_key (ssh)",
        );
    }
    let key = key_pair(fields, faults, false);
    let known_hosts = fields.text("known_hosts", MAX_KEY_BYTES, faults).map(str::to_owned);
    let hosts = hosts(fields, faults);
    given.then_some(GitAccess {
        username,
        token,
        key,
        known_hosts,
        hosts,
    })
}

fn aws(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<AwsAccess> {
    let provider = fields.line("provider", MAX_LINE_BYTES, faults);
    if provider.is_some_and(|provider| provider != "aws") {
        faults.add(fields.pointer("provider"), "is not known here; known is \"aws\"");
    }
    let mut line = |name| fields.line(name, MAX_LINE_BYTES, faults).map(str::to_owned);
    let (access_key_id, role_arn, external_id) = (line("access_key_id"), line("role_arn"), line("external_id"));
    let region = region(fields, faults);
    let secret_access_key = fields
        .get("secret_access_key")
        .and_then(|_| required(fields, "secret_access_key", faults));
    let session_token = secret(fields, "session_token", MAX_SECRET_BYTES, faults);
    if access_key_id.is_some() != fields.get("secret_access_key").is_some() {
        faults.add(fields.pointer("access_key_id"), "and secret_access_key go together");
    }
    if access_key_id.is_none() && role_arn.is_none() {
        let right = "a cloud credential holds access_key_id and secret_access_key, or a role_arn";
        faults.add(fields.pointer("access_key_id"), format!("is missing: {right}"));
    }
    if role_arn.as_deref().is_some_and(|arn| !is_role(arn)) {
        faults.add(
            fields.pointer("role_arn"),
            "must be the ARN of a role, as in \"arn:aws:iam::123456789012:role/deploy\"",
        );
    }
    Some(AwsAccess {
        access_key_id,
        secret_access_key,
        session_token,
        role_arn,
        external_id,
        region,
    })
}

/// Tells whether a text is the ARN of a role.
#[must_use]
pub fn is_role(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    matches!(parts[..], ["arn", _, "iam", "", account, role]
        if account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()) && role.starts_with("role/"))
}

fn header(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Credential> {
    let name = fields.required_line("header", 128, faults);
    if name.is_some_and(|name| !is_header(name)) {
        faults.add(
            fields.pointer("header"),
            "must be the name of a header, as in \"X-Api-Key\"",
        );
    }
    let hosts = hosts(fields, faults);
    let value = header_value(fields, "value", faults)?;
    Some(Credential::Header {
        header: name.map(str::to_owned)?,
        value,
        hosts,
    })
}

/// Tells whether a text is the name of a header.
#[must_use]
pub fn is_header(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn vault(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<VaultAccess> {
    let url = fields
        .required_line("url", MAX_LINE_BYTES, faults)
        .unwrap_or_default()
        .to_owned();
    if !url.is_empty() && !url.starts_with("https://") && !url.starts_with("http://") {
        faults.add(
            fields.pointer("url"),
            "must be the address of Vault, as in \"https://vault.example.com:8200\"",
        );
    }
    let mut line = |name| fields.line(name, MAX_LINE_BYTES, faults).map(str::to_owned);
    let namespace = line("namespace");
    let (mount, role_id, role, server_id) = (line("mount"), line("role_id"), line("role"), line("server_id"));
    let cloud_credential = crate::reference::name(fields, "cloud_credential", faults);
    let mut optional = |name| fields.get(name).and_then(|_| required(fields, name, faults));
    let (token, secret_id) = (optional("token"), optional("secret_id"));
    let auth = match (token, role_id, secret_id, role) {
        (Some(token), None, None, None) => Some(VaultAuth::Token { token }),
        (None, Some(role_id), Some(secret_id), None) => Some(VaultAuth::Approle {
            role_id,
            secret_id,
            mount,
        }),
        (None, None, None, Some(role)) => Some(VaultAuth::AwsIam {
            role,
            mount,
            server_id,
            cloud_credential,
        }),
        _ => {
            let ways = "a token; or role_id and secret_id (AppRole); or role (AWS IAM)";
            faults.add(fields.pointer("token"), format!("give one way to log in: {ways}"));
            None
        }
    };
    Some(VaultAccess {
        url: url.trim_end_matches('/').to_owned(),
        namespace,
        auth: auth?,
    })
}

fn hosts(fields: &mut Fields<'_>, faults: &mut Faults) -> Vec<String> {
    let hosts = fields.lines("hosts", 255, faults);
    for (index, host) in hosts.iter().enumerate() {
        if host.contains(['/', '@']) {
            let pointer = format!("{}/{index}", fields.pointer("hosts"));
            faults.add(pointer, "must be a host, with its port where that is not the usual one");
        }
    }
    hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect()
}

//! Reading a credential: the fields that kinds have in common, and which kind has which.

use serde_json::Value;

use super::{Credential, CredentialKind, kinds};
use crate::fields::{Faults, FieldError, Fields};
use crate::reference::check_name;
use crate::secret::{MIN_SECRET_BYTES, Secret};

pub(super) const MAX_SECRET_BYTES: usize = 8 * 1024;
pub(super) const MAX_LINE_BYTES: usize = 2048;

impl Credential {
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
            "ssh" => kinds::ssh(&mut fields, faults).map(Self::Ssh),
            "password" => password(&mut fields, faults).map(|password| Self::Password { password }),
            "vault" => {
                let vault_id = fields.line("vault_id", MAX_LINE_BYTES, faults).map(str::to_owned);
                if vault_id.as_deref().is_some_and(|id| id.contains(['@', ','])) {
                    faults.add("/vault_id", "must be a label without `@` and `,`");
                }
                password(&mut fields, faults).map(|password| Self::Vault { password, vault_id })
            }
            "git" => kinds::git(&mut fields, faults).map(Self::Git),
            "galaxy" => {
                let hosts = kinds::hosts(&mut fields, faults);
                required(&mut fields, "token", faults).map(|token| Self::Galaxy { token, hosts })
            }
            "cloud" => kinds::aws(&mut fields, faults).map(Self::Cloud),
            "bearer" => {
                let hosts = kinds::hosts(&mut fields, faults);
                header_value(&mut fields, "token", faults).map(|token| Self::Bearer { token, hosts })
            }
            "header" => kinds::header(&mut fields, faults),
            _ => kinds::vault(&mut fields, faults).map(Self::HashicorpVault),
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

pub(super) fn secret(fields: &mut Fields<'_>, name: &'static str, max: usize, faults: &mut Faults) -> Option<Secret> {
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

pub(super) fn required(fields: &mut Fields<'_>, name: &'static str, faults: &mut Faults) -> Option<Secret> {
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

pub(super) fn header_value(fields: &mut Fields<'_>, name: &'static str, faults: &mut Faults) -> Option<Secret> {
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

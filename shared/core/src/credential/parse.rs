//! Reads a credential: the fields that the kinds share, and which kind has which fields.

use serde_json::Value;

use super::kind::CredentialKind;
use super::kinds;
use super::reference::check_name;
use super::texts::{MAX_LINE_BYTES, header_value, password, required};
use super::value::Credential;
use crate::base::fields::{Faults, FieldError, Fields};

impl Credential {
    /// Makes a credential of a kind from a text that an external secret store holds: the secret itself, or a JSON object with the
    /// kind's fields.
    ///
    /// # Errors
    /// What is wrong with the fields; never the text.
    pub fn from_text(kind: CredentialKind, text: &str) -> Result<Self, Vec<FieldError>> {
        let object = crate::base::json::parse(text.as_bytes()).ok().filter(Value::is_object);
        let mut body = object.unwrap_or_else(|| {
            let key = text.trim_start().starts_with("-----BEGIN");
            let field = match kind {
                CredentialKind::Ssh | CredentialKind::ClientCertificate => "private_key",
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

    /// Reads a credential from a request's body, which may also hold its `name`. Adds every fault with its pointer.
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
            "client_certificate" => kinds::client_certificate(&mut fields, faults).map(Self::ClientCertificate),
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
